"""Okta as the environment describes it, and every way to describe it wrongly."""

from pathlib import Path

import pytest

from reconciler.errors import ExitCode, SettingsError
from reconciler.settings.okta import AppKey, OktaConnection, connection
from reconciler.settings.token import Token

URL = "https://acme.okta.com"
TOKEN = "00s3cret-token"
PEM = "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----"
BY_TOKEN = {"OKTA_CLIENT_ORGURL": URL, "OKTA_CLIENT_TOKEN": TOKEN}
BY_KEY = {"OKTA_CLIENT_ORGURL": URL, "OKTA_CLIENT_CLIENTID": "0oa1", "OKTA_CLIENT_PRIVATEKEY": PEM}


def fails(environ: dict[str, str]) -> SettingsError:
    with pytest.raises(SettingsError) as caught:
        connection("acme", environ)
    assert caught.value.exit_code is ExitCode.USAGE
    for secret in (TOKEN, "c2VjcmV0"):
        assert secret not in caught.value.message + caught.value.hint
    return caught.value


def test_a_url_and_a_token_are_a_connection() -> None:
    assert connection("acme", BY_TOKEN) == OktaConnection(URL, Token(TOKEN))


def test_a_url_a_client_and_its_key_are_a_connection() -> None:
    assert connection("acme", BY_KEY) == OktaConnection(
        URL, AppKey("0oa1", Token(PEM), "OKTA_CLIENT_PRIVATEKEY")
    )


def test_the_key_s_id_and_other_scopes_may_be_named() -> None:
    environ = {**BY_KEY, "OKTA_CLIENT_KID": "k1", "OKTA_CLIENT_SCOPES": "okta.groups.read, okta.users.read"}
    assert connection("acme", environ).credential == AppKey(
        "0oa1", Token(PEM), "OKTA_CLIENT_PRIVATEKEY", "k1", ("okta.groups.read", "okta.users.read")
    )


@pytest.mark.parametrize(
    "text",
    [PEM, f"{PEM}\n", PEM.replace("\n", "\\n"), f"\n {PEM}"],
    ids=["PEM", "newline", "one line", "blank"],
)
def test_a_key_in_pem_is_taken_as_variables_and_files_hold_it(text: str, tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)
    in_file = {**BY_KEY, "OKTA_CLIENT_PRIVATEKEY_FILE": str(path)}
    del in_file["OKTA_CLIENT_PRIVATEKEY"]
    for environ in ({**BY_KEY, "OKTA_CLIENT_PRIVATEKEY": text}, in_file):
        credential = connection("acme", environ).credential
        assert isinstance(credential, AppKey)
        assert credential.key == Token(PEM)


def test_a_jwk_is_taken_as_it_is() -> None:
    jwk = '{"kty": "RSA", "kid": "k1", "n": "a\\nb"}'
    credential = connection("acme", {**BY_KEY, "OKTA_CLIENT_PRIVATEKEY": jwk}).credential
    assert isinstance(credential, AppKey)
    assert credential.key.reveal() == jwk


@pytest.mark.parametrize(
    ("mode", "expected"), [("SSWS", Token), ("ssws", Token), ("PrivateKey", AppKey), (" privatekey ", AppKey)]
)
def test_the_mode_decides_where_both_are_there(mode: str, expected: type) -> None:
    environ = {**BY_TOKEN, **BY_KEY, "OKTA_CLIENT_AUTHORIZATIONMODE": mode}
    assert isinstance(connection("acme", environ).credential, expected)


def test_the_organization_s_own_variables_win_as_a_set() -> None:
    own = {f"ACME_{name}": value for name, value in BY_KEY.items()}
    assert connection("acme", {**BY_TOKEN, **own}) == OktaConnection(
        URL, AppKey("0oa1", Token(PEM), "ACME_OKTA_CLIENT_PRIVATEKEY"), front="ACME_"
    )
    assert fails({**BY_TOKEN, "ACME_OKTA_CLIENT_ORGURL": URL}).message == "ACME_OKTA_CLIENT_TOKEN is not set"
    assert connection("other", {**BY_TOKEN, **own}) == OktaConnection(URL, Token(TOKEN))


ADDRESS = "set OKTA_CLIENT_ORGURL to the address of the Okta organization, such as https://acme.okta.com"


@pytest.mark.parametrize(
    ("environ", "message", "hint"),
    [
        ({}, "OKTA_CLIENT_ORGURL is not set", ADDRESS),
        (
            {**BY_TOKEN, "OKTA_CLIENT_ORGURL": "http://acme.okta.com"},
            "OKTA_CLIENT_ORGURL would send the token unencrypted to acme.okta.com: "
            "http:// is for loopback only",
            ADDRESS,
        ),
        (
            {**BY_TOKEN, "OKTA_CLIENT_ORGURL": "https://acme.okta.com/api/v1"},
            "OKTA_CLIENT_ORGURL has a path, which Okta's address has not",
            ADDRESS,
        ),
        (
            {**BY_TOKEN, "OKTA_CLIENT_ORGURL": "https://acme-admin.okta.com"},
            "OKTA_CLIENT_ORGURL is the address of Okta's admin console, which answers no program",
            "leave -admin out of OKTA_CLIENT_ORGURL",
        ),
        (
            {**BY_TOKEN, **BY_KEY},
            "OKTA_CLIENT_TOKEN and OKTA_CLIENT_PRIVATEKEY are both set, in one way or another: "
            "which one is meant?",
            "unset one of them, or set OKTA_CLIENT_AUTHORIZATIONMODE to SSWS or PrivateKey",
        ),
        (
            {**BY_TOKEN, "OKTA_CLIENT_AUTHORIZATIONMODE": "Bearer"},
            "OKTA_CLIENT_AUTHORIZATIONMODE is neither SSWS nor PrivateKey",
            "SSWS takes OKTA_CLIENT_TOKEN, PrivateKey OKTA_CLIENT_PRIVATEKEY",
        ),
        (
            {"OKTA_CLIENT_ORGURL": URL, "OKTA_CLIENT_PRIVATEKEY": PEM},
            "OKTA_CLIENT_CLIENTID is not set",
            "set OKTA_CLIENT_CLIENTID to the client id of the app whose key OKTA_CLIENT_PRIVATEKEY is",
        ),
        (
            {**BY_KEY, "OKTA_CLIENT_CLIENTID": " "},
            "OKTA_CLIENT_CLIENTID is empty",
            "set OKTA_CLIENT_CLIENTID to the client id of the app whose key OKTA_CLIENT_PRIVATEKEY is",
        ),
    ],
)
def test_what_is_missing_or_misstated_is_a_usage_error(
    environ: dict[str, str], message: str, hint: str
) -> None:
    error = fails(environ)
    assert (error.message, error.hint) == (message, hint)


@pytest.mark.parametrize(
    ("key", "fault"),
    [
        ("", "is empty"),
        (" \n", "is empty"),
        ("c2VjcmV0", "is neither PEM nor a JWK"),
        ("ssh-rsa c2VjcmV0", "is neither PEM nor a JWK"),
        ("-----BEGIN " + "x" * 70_000, "is longer than 65536 characters"),
    ],
)
def test_what_is_no_key_is_a_usage_error(key: str, fault: str) -> None:
    assert (
        fails({**BY_KEY, "OKTA_CLIENT_PRIVATEKEY": key}).message
        == f"the key of OKTA_CLIENT_PRIVATEKEY {fault}"
    )
