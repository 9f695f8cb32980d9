"""The connection that the environment describes, and every way to describe it wrongly."""

import copy
import os
import pickle
import shlex
import stat
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from reconciler import settings
from reconciler.errors import ExitCode, SettingsError
from reconciler.settings import Connection, Token, connection, sources

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


def token_file(path: Path, content: bytes = SECRET.encode(), mode: int = 0o600) -> dict[str, str]:
    """The environment of somebody whose token is in this file."""
    path.write_bytes(content)
    path.chmod(mode)
    return {"CIRCLECI_SCIM_URL": URL, "CIRCLECI_SCIM_TOKEN_FILE": str(path)}


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
    found = connection("acme", token_file(tmp_path / "token", text.encode()))

    assert found.token.reveal() == SECRET


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o700], ids=oct)
def test_a_token_file_of_its_owner_alone_is_read(mode: int, tmp_path: Path) -> None:
    assert connection("acme", token_file(tmp_path / "token", mode=mode)).token.reveal() == SECRET


OPEN_HINT = (
    "chmod 600 {0}; where a platform hands out files that way and nobody else is there, "
    "set CIRCLECI_SCIM_TOKEN_COMMAND to 'cat {0}' instead"
)


@pytest.mark.parametrize("bit", [0o040, 0o020, 0o010, 0o004, 0o002, 0o001], ids=oct)
def test_a_token_file_that_is_open_to_anybody_else_is_refused(bit: int, tmp_path: Path) -> None:
    path = tmp_path / "token"

    error = fails(token_file(path, mode=0o600 | bit))

    assert (error.message, error.hint) == (
        f"the token file {path} is open to other users (mode {0o600 | bit:04o})",
        OPEN_HINT.format(path),
    )


def test_a_token_file_that_a_link_leads_to_is_judged_itself(tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to("token")
    environ = token_file(tmp_path / "token", mode=0o644) | {"CIRCLECI_SCIM_TOKEN_FILE": str(link)}

    assert fails(environ).message == f"the token file {link} is open to other users (mode 0644)"
    (tmp_path / "token").chmod(0o600)
    assert connection("acme", environ).token.reveal() == SECRET


def test_a_hint_can_be_pasted_into_a_shell_whatever_the_file_is_called(tmp_path: Path) -> None:
    path = tmp_path / "my token; date"

    assert fails(token_file(path, mode=0o640)).hint.startswith(f"chmod 600 '{path}'; where ")


def status(mode: int, owner: int) -> os.stat_result:
    """What the system would say of a file: only root can really give one away."""
    return os.stat_result((mode, 1, 1, 1, owner, 0, 12, 0, 0, 0))


def test_a_token_file_of_another_user_is_refused() -> None:
    owner = os.geteuid() + 1

    with pytest.raises(SettingsError) as caught:
        sources.refuse_shared("TOKEN_FILE", "/run/token", status(stat.S_IFREG | 0o600, owner))

    assert (caught.value.message, caught.value.hint) == (
        f"the token file /run/token belongs to another user (uid {owner})",
        f"they can change and read it: chown {os.geteuid()} /run/token, and issue a new token",
    )


@pytest.mark.parametrize("owner", [0, os.geteuid()], ids=["root", "ours"])
def test_a_token_file_of_ours_or_of_root_is_taken(owner: int) -> None:
    sources.refuse_shared("TOKEN_FILE", "/run/token", status(stat.S_IFREG | 0o400, owner))


def test_a_token_may_come_from_a_pipe_as_a_shell_makes_one() -> None:
    reading, writing = os.pipe()
    os.write(writing, f"{SECRET}\n".encode())
    os.close(writing)
    environ = {"CIRCLECI_SCIM_URL": URL, "CIRCLECI_SCIM_TOKEN_FILE": f"/dev/fd/{reading}"}
    try:
        assert connection("acme", environ).token.reveal() == SECRET
    finally:
        os.close(reading)


def test_a_named_pipe_is_open_to_others_as_any_file_is(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    path.chmod(0o644)
    environ = {"CIRCLECI_SCIM_URL": URL, "CIRCLECI_SCIM_TOKEN_FILE": str(path)}
    both = os.open(path, os.O_RDWR)  # or opening it would wait for somebody who writes
    try:
        assert fails(environ).message == f"the token file {path} is open to other users (mode 0644)"
    finally:
        os.close(both)


def test_a_device_is_no_token_file() -> None:
    error = fails({"CIRCLECI_SCIM_URL": URL, "CIRCLECI_SCIM_TOKEN_FILE": "/dev/zero"})

    assert (error.message, error.hint) == (
        "/dev/zero, which CIRCLECI_SCIM_TOKEN_FILE names, is neither a file nor a pipe",
        "set CIRCLECI_SCIM_TOKEN_FILE to a file that holds the token and nothing else",
    )


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


def test_without_a_token_the_four_ways_to_give_one_are_named() -> None:
    error = fails({"CIRCLECI_SCIM_URL": URL})

    assert (error.message, error.hint) == (
        "CIRCLECI_SCIM_TOKEN is not set",
        "set CIRCLECI_SCIM_TOKEN, CIRCLECI_SCIM_TOKEN_FILE, CIRCLECI_SCIM_TOKEN_COMMAND "
        "or CIRCLECI_SCIM_TOKEN_VAULT to the server's token, a file that holds it, a command that prints it, "
        "or its place in Vault",
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
    environ = token_file(path, content or b"")
    if content is None:
        path.unlink()

    assert fails(environ).message == message


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
    ("variables", "authorities"),
    [
        ({}, ""),
        ({"SSL_CERT_FILE": "/etc/ca.pem"}, "/etc/ca.pem"),
        ({"SSL_CERT_DIR": "/etc/ca"}, "/etc/ca"),
        ({"SSL_CERT_FILE": "/etc/ca.pem", "SSL_CERT_DIR": "/etc/ca"}, "/etc/ca.pem"),
        ({"SSL_CERT_FILE": "", "SSL_CERT_DIR": ""}, ""),
    ],
    ids=["none", "file", "folder", "both", "empty"],
)
def test_whose_certificates_count_is_told_by_the_variables_of_openssl(
    variables: dict[str, str], authorities: str
) -> None:
    assert connection("acme", GOOD | variables).authorities == authorities


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        ({"ACME_CIRCLECI_SCIM_URL": "https://other.test"}, "ACME_CIRCLECI_SCIM_TOKEN is not set"),
        ({"ACME_CIRCLECI_SCIM_TOKEN": "other"}, "ACME_CIRCLECI_SCIM_URL is not set"),
        ({"ACME_CIRCLECI_SCIM_TOKEN_FILE": "/run/x"}, "ACME_CIRCLECI_SCIM_URL is not set"),
        ({"ACME_CIRCLECI_SCIM_TOKEN_VAULT": "a/b#c"}, "ACME_CIRCLECI_SCIM_URL is not set"),
    ],
    ids=["url", "token", "file", "vault"],
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


# -- how many at once ------------------------------------------------------------------------------

AT_ONCE = "CIRCLECI_SCIM_AT_ONCE"


@pytest.mark.parametrize(
    ("given", "number"),
    [
        ({}, 8),
        ({AT_ONCE: "1"}, 1),
        ({AT_ONCE: "32"}, 32),
        ({AT_ONCE: "4", "ACME_CIRCLECI_SCIM_AT_ONCE": "2"}, 2),
        ({AT_ONCE: "4", "OTHER_CIRCLECI_SCIM_AT_ONCE": "2"}, 4),
    ],
    ids=["by default", "one", "most", "the organization's own", "another organization's"],
)
def test_so_many_requests_may_be_under_way_as_the_environment_says(
    given: dict[str, str], number: int
) -> None:
    """Without a URL of the organization's own, too: it is part of no set."""
    assert connection("acme", GOOD | given) == Connection(URL, Token(SECRET), at_once=number)


@pytest.mark.parametrize("text", ["", "0", "33", "-1", "+4", "4.0", " 4", "eight", "008", "٨", "9" * 9999])
@pytest.mark.parametrize("front", ["", "ACME_"])
def test_any_other_number_at_once_is_refused_before_a_token_is_asked_for(front: str, text: str) -> None:
    environ = {"CIRCLECI_SCIM_URL": URL, "CIRCLECI_SCIM_TOKEN_COMMAND": "false", front + AT_ONCE: text}
    error = fails(environ)

    assert error.message == (
        f"{front}CIRCLECI_SCIM_AT_ONCE does not say how many requests may be under way at the same time"
    )
    assert error.hint == "set it to a whole number from 1 to 32, or unset it for 8"


# -- several people in one request -----------------------------------------------------------------

BULK = "CIRCLECI_SCIM_BULK"


@pytest.mark.parametrize(
    ("given", "bulk"),
    [
        ({}, False),
        ({BULK: "yes"}, True),
        ({BULK: "no"}, False),
        ({BULK: "yes", "ACME_CIRCLECI_SCIM_BULK": "no"}, False),
        ({BULK: "no", "OTHER_CIRCLECI_SCIM_BULK": "yes"}, False),
    ],
    ids=["by default", "yes", "no", "the organization's own", "another organization's"],
)
def test_people_are_written_together_where_the_environment_says_so(given: dict[str, str], bulk: bool) -> None:
    assert connection("acme", GOOD | given) == Connection(URL, Token(SECRET), bulk=bulk)


@pytest.mark.parametrize("text", ["", "Yes", "true", "1", " yes", "100"])
@pytest.mark.parametrize("front", ["", "ACME_"])
def test_anything_but_yes_and_no_is_refused_before_a_token_is_asked_for(front: str, text: str) -> None:
    environ = {"CIRCLECI_SCIM_URL": URL, "CIRCLECI_SCIM_TOKEN_COMMAND": "false", front + BULK: text}
    error = fails(environ)

    assert error.message == (
        f"{front}CIRCLECI_SCIM_BULK does not say whether to write several people in one request"
    )
    assert error.hint == "set it to yes or no, or unset it for no"
