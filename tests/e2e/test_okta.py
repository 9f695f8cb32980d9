"""The whole program with an Okta and a SCIM server on loopback: what it plans, and what it refuses to."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from cli.small_world import BINDINGS, NEEDED, ORGANIZATION, acme, write_policy
from click.testing import CliRunner
from e2e import loopback
from e2e.test_okta_standin import by_token, company, everything, names
from scim.fake_server import SECRET, FakeServer, Time
from standins import okta
from standins.okta import CLIENT, SSWS, Fault, Group, Okta, Person

from reconciler.cli import cli
from reconciler.directories.okta import directory
from reconciler.errors import ExitCode
from reconciler.http.reach import Reach
from reconciler.model import Member
from reconciler.policy.document import DirectoryKind, DirectorySettings, GroupRef, Mode, Organization
from reconciler.problem import Location

BLOCKED = """\
import sys
sys.modules["jwt"] = None
from reconciler.cli import main
main()
"""
TOKEN = {"OKTA_CLIENT_TOKEN": SSWS}
MEMBERS = "OKTA/api/v1/groups/00g-platform/users"


@pytest.fixture(autouse=True)
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small policy in the current folder, and nothing of the environment."""
    for name in [name for name in os.environ if "SCIM" in name or "OKTA" in name]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("CIRCLE_SHA1", "0123abcd")
    monkeypatch.setenv("OKTA_TESTING_TESTINGDISABLEHTTPSCHECK", "true")
    monkeypatch.chdir(tmp_path)
    write_policy(tmp_path / "policies/acme", ORGANIZATION + "directory: {kind: okta}\n", BINDINGS)
    return tmp_path


@pytest.fixture
def world() -> Okta:
    """Those whom the SCIM server of `small_world` has, in the groups that its policy binds."""
    return Okta(
        people=[Person(name) for name in ("ada", "bob", "cleo", "dan")],
        groups=[Group("platform", ["ada", "bob"]), Group("eng-web", ["cleo"])],
        page=1,
    )


def ran(
    world: Okta, server: FakeServer, *arguments: str, credential: dict[str, str] = TOKEN
) -> tuple[int, str, str]:
    """One run, with the addresses replaced, checked for what no run may ever print; waiting takes no time."""
    with okta.serving(world) as url, loopback.serving(server) as scim:
        variables = {"OKTA_CLIENT_ORGURL": url, **loopback.environment(scim), **credential}
        reach = Reach(patience=Time().patience())
        result = CliRunner().invoke(cli, arguments, env=variables, obj=reach)
    for secret in (SECRET, SSWS, "of-the-stand-in", "PRIVATE KEY", "Traceback"):
        assert secret not in result.output
    assert isinstance(result.exception, SystemExit | None), result.exception
    out, err = (text.replace(url, "OKTA").replace(scim, "SERVER") for text in (result.stdout, result.stderr))
    return int(result.exit_code), out, err


def without_fingerprint(text: str) -> list[str]:
    """It holds the address of the server, which is another every time."""
    return [line for line in text.splitlines() if "fingerprint" not in line.casefold()]


def error(message: str, hint: str) -> str:
    return f"error: {message}\n" + (f"hint: {hint}\n" if hint else "")


def test_a_plan_by_okta_is_the_one_by_the_groups_that_okta_pushed(world: Okta) -> None:
    code, by_okta, err = ran(world, acme(), "plan")
    assert (code, err) == (ExitCode.DONE, "")
    Path("policies/acme/organization.yaml").write_text(ORGANIZATION, encoding="utf-8")
    assert without_fingerprint(by_okta) == without_fingerprint(ran(world, acme(), "plan")[1])
    assert "cleo@acme.example" in by_okta


def test_an_app_with_a_key_in_a_file_plans_the_same(world: Okta, work: Path) -> None:
    key = work / "key.pem"
    key.touch(0o600)
    key.write_text(world.pem, encoding="utf-8")
    credential = {"OKTA_CLIENT_CLIENTID": CLIENT, "OKTA_CLIENT_PRIVATEKEY_FILE": str(key)}
    code, by_key, err = ran(world, acme(), "plan", credential=credential)
    assert (code, err) == (ExitCode.DONE, "")
    assert without_fingerprint(by_key) == without_fingerprint(ran(world, acme(), "plan")[1])
    assert world.asked[0] == "POST /oauth2/v1/token"


def test_what_is_applied_is_what_okta_says(world: Okta) -> None:
    server = acme()
    assert ran(world, server, "apply")[0] == ExitCode.DONE
    assert server.writes == NEEDED
    assert ran(world, server, "plan")[1].endswith("everybody has what the policy gives them\n")


def test_our_directory_reads_the_same_as_the_sdk() -> None:
    world = company()
    organization = Organization(
        "acme", Mode.ENFORCE, Location("o.yaml", 1, 1), directory=DirectorySettings(DirectoryKind.OKTA)
    )
    with okta.serving(world) as url:
        client = by_token(url)
        groups = everything(client.list_groups, limit=2)
        by_sdk = {
            (group.id, name): {user.id for user in everything(client.list_group_users, group.id, limit=2)}
            for group, name in zip(groups, names(groups), strict=True)
        }
        left = everything(client.list_users, filter='status eq "DEPROVISIONED"')
        people = {
            Member(
                external_id=user.id,
                user_name=user.profile.login,
                active=user.status.value not in ("SUSPENDED", "DEPROVISIONED", "STAGED"),
                status=user.status.value,
                since=user.status_changed,
                display_name=user.profile.display_name
                or f"{user.profile.first_name} {user.profile.last_name}",
                email=user.profile.email,
            )
            for user in [*everything(client.list_users, limit=2), *left]
        }
        environ = {"OKTA_CLIENT_ORGURL": url, **TOKEN}
        with directory.opened(organization, environ, Reach()) as ours:
            membership = ours.read({GroupRef(name) for _, name in by_sdk}, everybody=True)
    assert {
        (group.id, group.name): {member.external_id for member in group.members or ()}
        for group in membership.groups
    } == by_sdk
    assert membership.people == frozenset(people)


WRONG_TOKEN = "the token is wrong, was revoked, or was not used for 30 days; check OKTA_CLIENT_TOKEN"
WRONG_URL = "is OKTA_CLIENT_ORGURL right? It is an address such as https://acme.okta.com"
NO_RIGHT = (
    "it takes the scope okta.groups.read, and an administrator role that sees all of it, such as "
    "Read-Only Administrator"
)
UNSEEN = (
    "the scope okta.users.read, and an administrator role that sees people whole, such as Read-Only "
    "Administrator, may be missing"
)
WHOLE = "nothing was changed; a plan needs a listing that is whole"
LATER = "Okta limits how much is asked of it; try again later, or raise the limit of the token"


@pytest.mark.parametrize(
    ("fault", "message", "hint"),
    [
        (
            okta.status(401, "E0000011"),
            f"could not read {MEMBERS}: the server answered 401 Unauthorized (E0000011): 'because of the "
            "test'",
            WRONG_TOKEN,
        ),
        (
            okta.status(403, "E0000006"),
            f"could not read {MEMBERS}: the server answered 403 Forbidden (E0000006): 'because of the test'",
            NO_RIGHT,
        ),
        (
            okta.status(404, "E0000007"),
            f"could not read {MEMBERS}: the server answered 404 Not Found (E0000007): 'because of the test'",
            WRONG_URL,
        ),
        (
            okta.limited(600),
            f"could not read {MEMBERS}: the server answered 429 Too Many Requests (E0000047): 'API call "
            "exceeded rate limit due to too many requests.'; waiting another 601 s would exceed the 120 s a "
            "request may take",
            LATER,
        ),
        (
            okta.status(503),
            f"could not read {MEMBERS}: the server answered 503 Service Unavailable (E0000009): 'because of "
            "the test'",
            "",
        ),
        (
            okta.body(b'[{"id": "00u-ada", "status"'),
            f"could not read {MEMBERS}: the server answered 200 OK with 27 bytes that are no JSON list "
            """(application/json), beginning '[{"id": "00u-ada", "status"'""",
            WRONG_URL,
        ),
        (
            okta.cut(),
            f"could not read {MEMBERS}: the connection broke before the answer was whole: peer closed "
            "connection without sending complete message body (received 187 bytes, expected 375)",
            "",
        ),
        (
            okta.nothing(),
            f"could not read {MEMBERS}: the server answered 200 OK with nothing in it (application/json)",
            WRONG_URL,
        ),
        (
            okta.body(b"[]"),
            "could not read the members of the group 'platform' of OKTA: Okta counted 2 before and 2 after, "
            "and listed 0; it did not come out even in 3 readings",
            WHOLE,
        ),
        (
            okta.without("profile", "login"),
            "Okta answered user '00u-ada' whose profile.login is missing",
            UNSEEN,
        ),
        (
            okta.elsewhere(),
            f"could not list {MEMBERS}: the next page is at 'okta.evil.example', where the token must not go",
            WHOLE,
        ),
    ],
    ids=[
        "401",
        "403",
        "404",
        "429",
        "503",
        "half",
        "cut",
        "nothing",
        "an empty list",
        "null",
        "another host",
    ],
)
def test_what_okta_does_not_tell_whole_ends_the_run_in_words(
    fault: Fault, message: str, hint: str, world: Okta
) -> None:
    for command in ("plan", "apply"):
        world.faults = [Fault(fault.spoils, "00g-platform/users", times=None)]
        server = acme()
        assert ran(world, server, command) == (ExitCode.UNREADABLE, "", error(message, hint))
        assert server.writes == []


def test_a_group_that_okta_does_not_have_is_a_problem_and_takes_nothing(world: Okta) -> None:
    world.groups = [Group("platfrom", ["ada"], id="00g-typo"), world.group("eng-web")]
    server = acme()
    code, out, err = ran(world, server, "plan")
    assert code == ExitCode.INVALID
    assert "the directory has no group 'platform', did you mean 'platfrom'?" in out + err
    assert server.writes == []


@pytest.mark.parametrize(
    ("credential", "message", "hint"),
    [
        (
            {},
            "OKTA_CLIENT_TOKEN is not set",
            "set OKTA_CLIENT_TOKEN, OKTA_CLIENT_TOKEN_FILE, OKTA_CLIENT_TOKEN_COMMAND or "
            "OKTA_CLIENT_TOKEN_VAULT to the server's token, a file that holds it, a command that prints it, "
            "or its place in Vault",
        ),
        (
            {"OKTA_CLIENT_CLIENTID": CLIENT, "OKTA_CLIENT_PRIVATEKEY": "c2VjcmV0"},
            "the key of OKTA_CLIENT_PRIVATEKEY is neither PEM nor a JWK",
            "OKTA_CLIENT_PRIVATEKEY must give a private key: PEM (-----BEGIN …) or a JWK ({…}), without a "
            "passphrase",
        ),
    ],
    ids=["no token", "no key"],
)
def test_what_the_environment_lacks_is_told_before_okta_is_asked(
    credential: dict[str, str], message: str, hint: str, world: Okta
) -> None:
    ended = ran(world, acme(), "plan", credential=credential)
    assert ended == (ExitCode.USAGE, "", error(message, hint))
    assert world.requests == []


def test_without_the_library_that_signs_it_is_told_how_to_install_it(world: Okta) -> None:
    server = acme()
    with okta.serving(world) as url, loopback.serving(server) as scim:
        variables = {
            "PATH": os.environ["PATH"],
            "OKTA_CLIENT_ORGURL": url,
            "OKTA_CLIENT_CLIENTID": CLIENT,
            "OKTA_CLIENT_PRIVATEKEY": world.pem,
            **loopback.environment(scim),
        }
        done = subprocess.run(
            [sys.executable, "-c", BLOCKED, "plan"],
            env=variables,
            capture_output=True,
            text=True,
            check=False,
        )
    assert (done.returncode, done.stdout, done.stderr) == (
        ExitCode.USAGE,
        "",
        "error: the key of OKTA_CLIENT_PRIVATEKEY can't sign: the module jwt is not installed\n"
        "hint: pip install 'reconciler[jwt]'\n",
    )
