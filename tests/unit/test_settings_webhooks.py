"""Webhooks as the environment describes them, and every way to describe them wrongly."""

from pathlib import Path

import pytest

from reconciler.errors import ExitCode, SettingsError
from reconciler.settings.token import Token
from reconciler.settings.webhooks import Destination, Slack, Webhook, destinations

SLACK_URL = "https://hooks.slack.example/services/T0/B0/s3cretOfTheChannel"
URL = "https://siem.example/in?sig=s3cretOfTheQuery"
KEY = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
OTHER = "ZmVkY2JhOTg3NjU0MzIxMGZlZGNiYTk4NzY1NDMyMTA="
SLACK = {"RECONCILER_SLACK_WEBHOOK_URL": SLACK_URL}
SIGNED = {"RECONCILER_WEBHOOK_URL": URL, "RECONCILER_WEBHOOK_SECRET": f"whsec_{KEY}"}
TO_SLACK = Slack("RECONCILER_SLACK_WEBHOOK_URL", Token(SLACK_URL))
TO_SIEM = Webhook("RECONCILER_WEBHOOK_URL", Token(URL), (Token(KEY),))
BOTH = frozenset({"acme", "globex"})


def fails(environ: dict[str, str]) -> tuple[str, str]:
    with pytest.raises(SettingsError) as caught:
        destinations(["acme"], environ)
    assert caught.value.exit_code is ExitCode.USAGE
    told = caught.value.message + caught.value.hint
    assert not [secret for secret in ("s3cret", KEY[:10], "T0/B0") if secret in told]
    return caught.value.message, caught.value.hint


def test_nothing_set_is_nobody_told() -> None:
    assert destinations(["acme"], {}) == ()


def test_each_hook_is_told_about_every_organization() -> None:
    assert destinations(["acme", "globex"], SLACK | SIGNED) == (
        Destination(TO_SLACK, BOTH),
        Destination(TO_SIEM, BOTH),
    )


def test_where_the_policy_could_not_be_read_the_hook_without_a_name_is_there() -> None:
    assert destinations([], SLACK | {"ACME_RECONCILER_WEBHOOK_URL": URL}) == (
        Destination(TO_SLACK, frozenset()),
    )


def test_an_organization_s_own_channel_takes_it_out_of_the_other_and_leaves_the_signed_hook() -> None:
    own = {"ACME_RECONCILER_SLACK_WEBHOOK_URL": "https://hooks.slack.example/acme"}
    assert destinations(["acme", "globex"], SLACK | SIGNED | own) == (
        Destination(TO_SLACK, frozenset({"globex"})),
        Destination(
            Slack("ACME_RECONCILER_SLACK_WEBHOOK_URL", Token("https://hooks.slack.example/acme")),
            frozenset({"acme"}),
        ),
        Destination(TO_SIEM, BOTH),
    )


def test_the_secret_of_one_receiver_is_never_combined_with_the_url_of_another() -> None:
    assert fails(SIGNED | {"ACME_RECONCILER_WEBHOOK_URL": "https://acme.example"}) == (
        "ACME_RECONCILER_WEBHOOK_SECRET is not set, and ACME_RECONCILER_WEBHOOK_URL is",
        "set both, or unset ACME_RECONCILER_WEBHOOK_URL",
    )


@pytest.mark.parametrize("name", ["RECONCILER_WEBHOOK_URL", "RECONCILER_WEBHOOK_SECRET"])
def test_one_of_url_and_secret_is_not_enough(name: str) -> None:
    other = next(one for one in SIGNED if one != name)
    assert fails({name: SIGNED[name]}) == (
        f"{other} is not set, and {name} is",
        f"set both, or unset {name}",
    )


def test_url_and_secret_may_come_from_a_file_or_a_command(tmp_path: Path) -> None:
    file = tmp_path / "url"
    file.write_text(f"{SLACK_URL}\n", encoding="utf-8")
    file.chmod(0o600)
    environ = {
        "PATH": "/usr/bin:/bin",
        "RECONCILER_SLACK_WEBHOOK_URL_FILE": str(file),
        "RECONCILER_WEBHOOK_URL": URL,
        "RECONCILER_WEBHOOK_SECRET_COMMAND": f"echo whsec_{KEY}",
    }
    assert [one.hook for one in destinations(["acme"], environ)] == [TO_SLACK, TO_SIEM]


def test_several_secrets_each_sign_while_one_takes_the_place_of_the_other() -> None:
    environ = SIGNED | {"RECONCILER_WEBHOOK_SECRET": f" whsec_{KEY}\n whsec_{OTHER} "}
    [found] = destinations(["acme"], environ)
    assert found.hook == Webhook("RECONCILER_WEBHOOK_URL", Token(URL), (Token(KEY), Token(OTHER)))


@pytest.mark.parametrize(
    ("url", "fault"),
    [
        pytest.param("", "is empty", id="empty"),
        pytest.param(" \n", "is empty", id="blank"),
        pytest.param(
            "http://hooks.example/s3cret",
            "would send what it is told unencrypted to hooks.example: http:// is for loopback only",
            id="plain http",
        ),
        pytest.param("hooks.example/s3cret", "has no scheme", id="no scheme"),
        pytest.param("ftp://hooks.example/s3cret", "has a scheme other than https", id="ftp"),
        pytest.param("https:///s3cret", "names no host", id="no host"),
        pytest.param("https://hooks.example:x/s3cret", "is no URL", id="no port"),
        pytest.param("https://hooks.example/s3 cret", "is no URL", id="a blank"),
        pytest.param("https://hooks.example/s3cret\r\nX: y", "is no URL", id="a header"),
        pytest.param(
            "https://me:s3cret@hooks.example/",
            "holds credentials or a fragment, which are not sent",
            id="user",
        ),
        pytest.param(
            "https://hooks.example/#s3cret",
            "holds credentials or a fragment, which are not sent",
            id="fragment",
        ),
    ],
)
@pytest.mark.parametrize("name", ["RECONCILER_SLACK_WEBHOOK_URL", "RECONCILER_WEBHOOK_URL"])
def test_what_is_no_url_of_a_webhook_is_said_without_any_of_it_but_the_host(
    name: str, url: str, fault: str
) -> None:
    assert fails(SIGNED | {name: url}) == (
        f"{name} {fault}",
        f"{name} must give the URL of a webhook, whole, with https://",
    )


@pytest.mark.parametrize("url", ["http://127.0.0.1:8080/hook", "http://localhost/hook", "http://[::1]:1/"])
def test_loopback_may_go_without_tls(url: str) -> None:
    assert destinations([], {"RECONCILER_SLACK_WEBHOOK_URL": url})[0].hook == Slack(
        "RECONCILER_SLACK_WEBHOOK_URL", Token(url)
    )


@pytest.mark.parametrize(
    "secret",
    [
        pytest.param("hunter2", id="a word"),
        pytest.param(KEY, id="no beginning"),
        pytest.param("whsec_", id="nothing after it"),
        pytest.param("whsec_s3cret!", id="no base64"),
        pytest.param("whsec_MDEyMzQ1", id="short"),
        pytest.param(f"whsec_{'MDEy' * 30}", id="long"),
        pytest.param(f"whsec_{KEY} other", id="one of two"),
        pytest.param("whsec_ключключключключключключключ", id="letters"),
    ],
)
def test_what_is_no_secret_is_said_without_it(secret: str) -> None:
    message, hint = fails(SIGNED | {"RECONCILER_WEBHOOK_SECRET": secret})
    assert message == (
        "RECONCILER_WEBHOOK_SECRET is no whsec_ and 24 to 64 bytes in base64, "
        "nor several of them with blanks between"
    )
    assert hint == "make one by: echo whsec_$(openssl rand -base64 32)"


def test_an_empty_secret_is_said_to_be_empty() -> None:
    assert fails(SIGNED | {"RECONCILER_WEBHOOK_SECRET": ""})[0] == "RECONCILER_WEBHOOK_SECRET is empty"


def test_two_sources_of_one_secret_are_an_error() -> None:
    assert fails(SLACK | {"RECONCILER_SLACK_WEBHOOK_URL_FILE": "x"})[0] == (
        "RECONCILER_SLACK_WEBHOOK_URL and RECONCILER_SLACK_WEBHOOK_URL_FILE are set, which one holds?"
    )


def test_no_value_shows_the_secret() -> None:
    assert "s3cret" not in repr(destinations(["acme"], SLACK | SIGNED))
