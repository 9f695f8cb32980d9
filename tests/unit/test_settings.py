"""The connection that the environment describes, and every way to describe it wrongly."""

import copy
import pickle
import shlex
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from reconciler import settings
from reconciler.errors import ExitCode, SettingsError
from reconciler.settings import Connection, Token, connection

URL = "https://scim.example.com/scim/v2"
SECRET = "s3cret-token"
GOOD = {"CIRCLECI_SCIM_URL": URL, "CIRCLECI_SCIM_TOKEN": SECRET}

URL_HINT = (
    "set CIRCLECI_SCIM_URL to the base URL of the SCIM server, such as https://scim.example.com/scim/v2"
)
CREDENTIALS = "holds credentials, which belong in no URL: the token has a variable of its own"
QUERY = "has a query or a fragment, which a base URL can't have"
PLAIN = "would send the token unencrypted to {}: http:// is for loopback only"
UNFIT = "has a blank, a control character or a letter outside ASCII"
TOKEN_HINT = "{} must give the token as the server issued it, in one line and without quotes"


def command(program: str) -> str:
    return shlex.join([sys.executable, "-c", program])


def fails(environ: dict[str, str], organization: str = "acme") -> SettingsError:
    with pytest.raises(SettingsError) as caught:
        connection(organization, environ)
    error: BaseException | None = caught.value
    while error is not None:
        assert SECRET not in f"{error!s} {error!r}"
        error = error.__cause__ or error.__context__
    assert SECRET not in caught.value.hint
    assert caught.value.exit_code is ExitCode.USAGE
    return caught.value


def test_a_url_and_a_token_are_a_connection() -> None:
    assert connection("acme", GOOD) == Connection(URL, Token(SECRET))


@pytest.mark.parametrize("text", [SECRET, f"{SECRET}\n", f"{SECRET}\r\n"], ids=["bare", "newline", "windows"])
def test_a_token_may_come_from_a_file(text: str, tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_bytes(text.encode())

    found = connection("acme", {"CIRCLECI_SCIM_URL": URL, "CIRCLECI_SCIM_TOKEN_FILE": str(path)})

    assert found.token.reveal() == SECRET


def test_a_token_may_come_from_a_command_that_sees_the_environment_and_no_shell() -> None:
    program = (
        f"import os, sys; print('{SECRET}' if os.environ['VAULT'] == 'v' and sys.argv[1] == '$HOME;' else '')"
    )
    line = f"{command(program)} '$HOME;'"

    found = connection("acme", {"CIRCLECI_SCIM_URL": URL, "CIRCLECI_SCIM_TOKEN_COMMAND": line, "VAULT": "v"})

    assert found.token.reveal() == SECRET


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ("https://scim.example.com/scim/v2/", URL),
        (" https://scim.example.com/scim/v2 ", URL),
        ("HTTPS://SCIM.Example.com:443/scim/v2", URL),
        ("https://scim.example.com:8443/Scim", "https://scim.example.com:8443/Scim"),
        ("https://scim.example.com", "https://scim.example.com"),
        ("http://localhost:8080/v2", "http://localhost:8080/v2"),
        ("http://127.0.0.1:80/v2", "http://127.0.0.1/v2"),
        ("http://127.9.9.9/v2", "http://127.9.9.9/v2"),
        ("http://[::1]:8080/v2", "http://[::1]:8080/v2"),
    ],
)
def test_a_url_is_kept_in_one_spelling(given: str, url: str) -> None:
    assert connection("acme", GOOD | {"CIRCLECI_SCIM_URL": given}).url == url


@pytest.mark.parametrize(
    ("url", "fault"),
    [
        ("", "is empty"),
        ("   ", "is empty"),
        ("scim.example.com/v2", "has no scheme"),
        ("scim.example.com:8080/v2", "has no scheme"),
        (SECRET, "has no scheme"),
        ("ftp://scim.example.com", "has a scheme other than https"),
        ("file:///etc/passwd", "has a scheme other than https"),
        ("https://", "names no host"),
        ("https:///v2", "names no host"),
        (
            "http://scim.example.com/v2",
            PLAIN.format("scim.example.com"),
        ),
        ("http://127.0.0.1.evil.test", PLAIN.format("127.0.0.1.evil.test")),
        ("http://10.0.0.1", PLAIN.format("10.0.0.1")),
        ("http://[::ffff:7f00:1]", PLAIN.format("::ffff:7f00:1")),
        (f"https://user:{SECRET}@scim.example.com", CREDENTIALS),
        (f"https://{SECRET}@scim.example.com", CREDENTIALS),
        ("http://@localhost", CREDENTIALS),
        (f"https://scim.example.com/v2?key={SECRET}", QUERY),
        ("https://scim.example.com/v2?", QUERY),
        (f"https://scim.example.com/v2#{SECRET}", QUERY),
        (f"https://scim.example.com:{SECRET}/v2", "is no URL: its host or its port can't be read"),
        ("https://scim.example.com:99999/v2", "is no URL: its host or its port can't be read"),
        ("https://scim.example.com:0/v2", "is no URL: its host or its port can't be read"),
        ("https://[::1/v2", "is no URL: its host or its port can't be read"),
        ("https://scim.exa\nmple.com/v2", "holds a character that a URL can't have"),
        ("https://scim.exa mple.com/v2", "holds a character that a URL can't have"),
        ("https://scim.exämple.com/v2", "holds a character that a URL can't have"),
        ("https:\\\\scim.example.com", "holds a character that a URL can't have"),
    ],
)
def test_a_url_that_is_none_is_told_without_repeating_it(url: str, fault: str) -> None:
    error = fails(GOOD | {"CIRCLECI_SCIM_URL": url})

    assert (error.message, error.hint) == (f"CIRCLECI_SCIM_URL {fault}", URL_HINT)


def test_without_a_url_nothing_is_guessed() -> None:
    error = fails({"CIRCLECI_SCIM_TOKEN": SECRET})

    assert (error.message, error.hint) == ("CIRCLECI_SCIM_URL is not set", URL_HINT)


def test_without_a_token_the_three_ways_to_give_one_are_named() -> None:
    error = fails({"CIRCLECI_SCIM_URL": URL})

    assert (error.message, error.hint) == (
        "CIRCLECI_SCIM_TOKEN is not set",
        "set CIRCLECI_SCIM_TOKEN, CIRCLECI_SCIM_TOKEN_FILE or CIRCLECI_SCIM_TOKEN_COMMAND "
        "to the server's token, a file that holds it, or a command that prints it",
    )


@pytest.mark.parametrize(
    ("token", "fault"),
    [
        ("", "is empty"),
        (f"{SECRET}\nX-Other: 1", "has a line break"),
        (f"{SECRET}\n", "has a line break"),
        (f"{SECRET}\r", "has a line break"),
        (f" {SECRET}", UNFIT),
        (f"Bearer {SECRET}", UNFIT),
        (f"{SECRET}\t", UNFIT),
        (f"{SECRET}\x00", UNFIT),
        (f"{SECRET}\x7f", UNFIT),
        (f"{SECRET}é", UNFIT),
        (f"{SECRET}\u2028", UNFIT),
        (SECRET * 10_000, "is longer than 65536 characters"),
    ],
    ids=[
        "empty",
        "header",
        "newline",
        "cr",
        "blank",
        "bearer",
        "tab",
        "nul",
        "del",
        "é",
        "separator",
        "long",
    ],
)
def test_a_token_that_fits_in_no_header_is_told_without_repeating_it(token: str, fault: str) -> None:
    error = fails(GOOD | {"CIRCLECI_SCIM_TOKEN": token})

    assert (error.message, error.hint) == (
        f"the token of CIRCLECI_SCIM_TOKEN {fault}",
        TOKEN_HINT.format("CIRCLECI_SCIM_TOKEN"),
    )


def test_two_sources_of_a_token_are_an_error_that_names_both() -> None:
    error = fails(GOOD | {"CIRCLECI_SCIM_TOKEN_FILE": "/run/token"})

    assert (error.message, error.hint) == (
        "CIRCLECI_SCIM_TOKEN and CIRCLECI_SCIM_TOKEN_FILE are set, which one holds?",
        "unset all but one of them",
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "the token file that CIRCLECI_SCIM_TOKEN_FILE names can't be read: No such file or directory"),
        (b"", "the token of CIRCLECI_SCIM_TOKEN_FILE is empty"),
        (b"\n", "the token of CIRCLECI_SCIM_TOKEN_FILE is empty"),
        (b"s3cret-token\n\n", "the token of CIRCLECI_SCIM_TOKEN_FILE has a line break"),
        (b"s3cret-token\xff", f"the token of CIRCLECI_SCIM_TOKEN_FILE {UNFIT}"),
        (b"x" * 70_000, "the token of CIRCLECI_SCIM_TOKEN_FILE is longer than 65536 characters"),
    ],
    ids=["missing", "empty", "only a newline", "two newlines", "no text", "huge"],
)
def test_a_token_file_that_holds_none_is_told(content: bytes | None, message: str, tmp_path: Path) -> None:
    path = tmp_path / "token"
    if content is not None:
        path.write_bytes(content)

    error = fails({"CIRCLECI_SCIM_URL": URL, "CIRCLECI_SCIM_TOKEN_FILE": str(path)})

    assert error.message == message


def test_a_token_file_that_is_a_folder_or_no_path_is_told(tmp_path: Path) -> None:
    for path in (str(tmp_path), "a\0b", ""):
        error = fails({"CIRCLECI_SCIM_URL": URL, "CIRCLECI_SCIM_TOKEN_FILE": path})
        assert error.message.startswith("the token file that CIRCLECI_SCIM_TOKEN_FILE names can't be read: ")


COMMAND_HINT = (
    "run the command of CIRCLECI_SCIM_TOKEN_COMMAND by hand: it must print the token and nothing else"
)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("", "CIRCLECI_SCIM_TOKEN_COMMAND is empty"),
        (f"vault '{SECRET}", "CIRCLECI_SCIM_TOKEN_COMMAND has a quote that is never closed"),
        (
            f"/nowhere/vault {SECRET}",
            "the command of CIRCLECI_SCIM_TOKEN_COMMAND can't be run: No such file or directory",
        ),
        (
            f"vault \0{SECRET}",
            "the command of CIRCLECI_SCIM_TOKEN_COMMAND can't be run: "
            "it holds a character that no command can have",
        ),
        (
            command(f"import sys; print('{SECRET}'); sys.exit('{SECRET}')"),
            "the command of CIRCLECI_SCIM_TOKEN_COMMAND failed with exit status 1",
        ),
    ],
    ids=["empty", "quote", "missing", "nul", "fails"],
)
def test_a_token_command_that_gives_none_is_told(
    line: str, message: str, capfd: pytest.CaptureFixture[str]
) -> None:
    error = fails({"CIRCLECI_SCIM_URL": URL, "CIRCLECI_SCIM_TOKEN_COMMAND": line})

    assert (error.message, error.hint) == (message, COMMAND_HINT)
    assert capfd.readouterr() == ("", "")


def test_a_token_command_that_hangs_is_ended() -> None:
    line = command("import sys; sys.stdin.read(); print('unseen', flush=True); import time; time.sleep(60)")

    with pytest.raises(SettingsError) as caught:
        settings.connection(
            "acme", {"CIRCLECI_SCIM_URL": URL, "CIRCLECI_SCIM_TOKEN_COMMAND": line}, patience=0.2
        )

    assert caught.value.message == "the command of CIRCLECI_SCIM_TOKEN_COMMAND took over 0.2 s"


def test_variables_with_the_name_of_the_organization_win() -> None:
    environ = GOOD | {"ACME_EU_CIRCLECI_SCIM_URL": "https://eu.test", "ACME_EU_CIRCLECI_SCIM_TOKEN": "other"}

    assert connection("acme-eu", environ) == Connection("https://eu.test", Token("other"))
    assert connection("acme", environ) == Connection(URL, Token(SECRET))


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        ({"ACME_CIRCLECI_SCIM_URL": "https://other.test"}, "ACME_CIRCLECI_SCIM_TOKEN is not set"),
        ({"ACME_CIRCLECI_SCIM_TOKEN": "other"}, "ACME_CIRCLECI_SCIM_URL is not set"),
        ({"ACME_CIRCLECI_SCIM_TOKEN_FILE": "/run/x"}, "ACME_CIRCLECI_SCIM_URL is not set"),
    ],
    ids=["url", "token", "file"],
)
def test_the_token_of_one_server_is_never_combined_with_the_url_of_another(
    environ: dict[str, str], message: str
) -> None:
    assert fails(GOOD | environ).message == message


def test_a_token_shows_itself_to_nobody() -> None:
    token = Token(SECRET)
    shown = [
        str(token),
        repr(token),
        f"{token}",
        f"{token:>40}",
        f"{token!r}",
        repr(Connection(URL, token)),
    ]
    shown.append(repr(replace(Connection(URL, token), url="x")))

    assert [text for text in shown if SECRET in text] == []
    assert token.reveal() == SECRET


def test_tokens_equal_tokens_and_nothing_else() -> None:
    assert Token("a") == Token("a") == copy.deepcopy(Token("a"))
    assert hash(Token("a")) == hash(Token("a"))
    assert Token("a") != Token("b")
    assert Token("a") != "a"


def test_a_token_is_not_written_anywhere_by_accident() -> None:
    with pytest.raises(TypeError):
        pickle.dumps(Token(SECRET))
