"""`reconciler doctor`: everything it prints, the code it exits with, and that it never writes."""

import json
import os
from collections.abc import Callable, Mapping
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from cli.in_memory import Ran, alone
from cli.small_world import acme, write_policy
from click.testing import CliRunner
from scim.fake_server import BASE, JSON, NOW, SECRET, FakeServer, Fault, Listing, group, refusal, reset, user

from reconciler.cli import cli
from reconciler.errors import ExitCode
from reconciler.http.reach import Reach


@pytest.fixture(autouse=True)
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return alone(tmp_path, monkeypatch)


def doctor(server: FakeServer, *arguments: str, late: float | None = 0, **variables: str) -> Ran:
    """One run, checked for the token and for writes. The server's clock is so many seconds late; or None."""

    def answer(request: httpx.Request) -> httpx.Response:
        response = server.answer(request)
        if late is not None:
            response.headers["date"] = format_datetime(NOW.fromtimestamp(NOW.timestamp() - late, NOW.tzinfo))
        return response

    result = CliRunner().invoke(
        cli,
        ["doctor", *arguments],
        env={"CIRCLECI_SCIM_URL": BASE, "CIRCLECI_SCIM_TOKEN": SECRET, **variables},
        obj=Reach(httpx.MockTransport(answer), server.time.patience(), lambda: NOW),
    )
    assert SECRET not in result.output
    assert isinstance(result.exception, SystemExit | None), result.exception
    assert {request.method for request in server.requests} <= {"GET"}
    return Ran(int(result.exit_code), result.stdout, result.stderr)


FINE = """\
acme on https://scim.test/scim/v2

ok       connection    a SCIM server answers
ok       clock         within 60 s of the server's
ok       token         the server takes it
unknown  token user    the server does not tell whose token it is (GET /Me)
unknown  token age     nothing tells when it was issued
                       remedy: note when it is to be replaced where you keep it
ok       roles         3 of 4 users hold a role of the policy
ok       role storage  of 4 values of User.roles, 3 are roles by the templates; the rest is left alone
ok       attributes    of 4 users: userName 4, displayName 0, e-mail 0, externalId 0, active 4
ok       directory     2 of 2 groups that the policy names, 3 people in them
ok       matching      of 3 active people: 3 by id

    ability     announced    seen
ok  users       -            4 users, whole
ok  groups      -            2 groups, whole
ok  members     -            by group-members
ok  count       100 at most  works
ok  startIndex  yes          works
ok  cursor      no           works
ok  filter      yes          works
ok  projection  -            works
ok  ETag        yes          a user has a version
ok  PATCH       yes          not tried: it would write

2 unknown, 18 ok
"""


def test_where_all_is_well_it_says_what_was_looked_at(work: Path) -> None:
    write_policy(work / "policies/acme")
    assert doctor(acme()) == (ExitCode.DONE, FINE, "")


def changed(lines: Mapping[str, str], text: str = FINE) -> str:
    for line, instead in lines.items():
        assert line in text
        text = text.replace(line, instead)
    return text


REMEDY = "\n                       remedy: "
COMPARE = (
    f"{REMEDY}compare `roles:` in organization.yaml with what the server has; what is no role is left alone"
)
STORED = (
    "ok       role storage  of 4 values of User.roles, 3 are roles by the templates; the rest is left alone"
)
FOUND = "ok       directory     2 of 2 groups that the policy names, 3 people in them"
ODD = [
    user("ada", "org-admin"),
    user("bob", "org-admin"),
    user("cleo", "OrgViewer", "Org Admin", "circleci_viewer", "payroll"),
    user("dan", "org-viewer", "OrgViewer"),
]
FINDINGS: Mapping[str, tuple[Callable[[], FakeServer], float | None, Mapping[str, str]]] = {
    "clock an hour off": (
        acme,
        3600,
        {
            "ok       clock         within 60 s of the server's": "finding  clock         "
            "ours is 60 minutes ahead of the server's"
            + REMEDY
            + "set this machine's clock by NTP, or have the server's set: grants end by ours",
            "2 unknown, 18 ok": "1 finding, 2 unknown, 17 ok",
        },
    ),
    "no clock": (
        acme,
        None,
        {
            "ok       clock         within 60 s of the server's": "unknown  clock         "
            "the server does not tell its time (header Date)",
            "2 unknown, 18 ok": "3 unknown, 17 ok",
        },
    ),
    "role values in odd shapes": (
        lambda: acme(users=ODD),
        0,
        {
            STORED: "finding  role storage  of 8 values of User.roles, some look like roles and are none by "
            "the templates: 'OrgViewer' (2 times), 'Org Admin', 'circleci_viewer'" + COMPARE,
            "2 unknown, 18 ok": "1 finding, 2 unknown, 17 ok",
        },
    ),
    "roles in groups": (
        lambda: acme(
            users=[user(name) for name in ("ada", "bob", "cleo", "dan")],
            groups=[
                group("platform", "ada", "bob"),
                group("eng-web", "cleo"),
                group("circleci-org-admin", "ada"),
                group("circleci-org-viewer", "dan"),
            ],
        ),
        0,
        {
            "roles         3 of 4": "roles         0 of 4",
            STORED: "finding  role storage  of 0 values of User.roles, none is a role by the templates of "
            f"the policy{COMPARE}\n"
            "finding  role storage  there are groups that look like roles: 'circleci-org-admin', "
            f"'circleci-org-viewer'; by the policy, roles are values of User.roles{COMPARE}",
            "2 groups, whole": "4 groups, whole",
            "2 unknown, 18 ok": "2 findings, 2 unknown, 17 ok",
        },
    ),
    "an empty group, and one that is not there": (
        lambda: acme(groups=[group("platform"), group("eng-mobile", "cleo")]),
        0,
        {
            FOUND: "finding  directory     1 of 2 groups that the policy names, 0 people in them; "
            f"not found, or several: 'eng-web'; nobody in it: 'platform'{REMEDY}"
            "correct the names, or what the identity provider shows; `reconciler plan` says more",
            "ok       matching      of 3 active people: 3 by id": "unknown  matching      "
            "the directory tells of nobody who is active",
            "2 unknown, 18 ok": "1 finding, 3 unknown, 16 ok",
        },
    ),
}


def test_who_asks_for_bulk_where_the_server_announces_none_is_told(work: Path) -> None:
    write_policy(work / "policies/acme")
    ran = doctor(acme(), ACME_CIRCLECI_SCIM_BULK="yes")
    assert (ran.code, ran.err) == (ExitCode.DONE, "")
    assert ran.out.endswith("""
finding  Bulk        -            not tried: it would write
                                  remedy: each person is written alone here: unset CIRCLECI_SCIM_BULK

1 finding, 2 unknown, 18 ok
""")


@pytest.mark.parametrize(("server", "late", "lines"), FINDINGS.values(), ids=FINDINGS)
def test_a_finding_is_told_with_its_remedy_and_fails_nothing(
    server: Callable[[], FakeServer], late: float | None, lines: Mapping[str, str], work: Path
) -> None:
    write_policy(work / "policies/acme")
    assert doctor(server(), late=late) == (ExitCode.DONE, changed(lines), "")


def test_an_ability_that_is_announced_and_missing_is_a_finding_with_its_remedy(work: Path) -> None:
    write_policy(work / "policies/acme")
    config = {"filter": {"supported": True}, "etag": {"supported": "true"}, "patch": {"supported": False}}
    ran = doctor(acme(filters="ignored", etags="off", config=config))
    assert (ran.code, ran.out.partition("\n\n    ")[2].partition("\n")[2]) == (
        ExitCode.DONE,
        """\
ok       users       -          4 users, whole
ok       groups      -          2 groups, whole
ok       members     -          by group-members
ok       count       -          works
ok       startIndex  -          works
ok       cursor      -          works
finding  filter      yes        ignored: somebody who does not exist is answered
                                remedy: don't set directory.members_from: filter; tell whoever runs the server
ok       projection  -          works
finding  ETag        yes        a user has no version
                                remedy: a run reads back what it wrote; but don't let two run at once
ok       PATCH       no         not tried: it would write

2 findings, 2 unknown, 16 ok
""".partition("\n\n    ")[0],
    )


LEFT = """\
unknown  token user    not looked at: the server can't be read
unknown  token age     nothing tells when it was issued
                       remedy: note when it is to be replaced where you keep it
unknown  roles         not looked at: the server can't be read
unknown  role storage  not looked at: the server can't be read
unknown  attributes    not looked at: the server can't be read
unknown  directory     not looked at: the server can't be read
unknown  matching      not looked at: the server can't be read

"""
UNHEARD = "unknown  clock         not looked at: the server can't be read\n"
UNSEEN = "unknown  token         not looked at: the server can't be read\n"
READ = f"could not read {BASE}"
PAGE = Fault("GET", 200, {"content-type": "text/html"}, "<html>\x1b[2J\u202eSign in</html>")
FAILURES: Mapping[str, tuple[tuple[Fault, ...], str]] = {
    "wrong token": (
        (refusal("GET", 401, detail=f"unknown token {SECRET}"),) * 9,
        "ok       connection    a server answers; it says nothing of its abilities (401 Unauthorized)\n"
        "ok       clock         within 60 s of the server's\n"
        f"failed   token         {READ}/Users: the server answered 401 Unauthorized: 'unknown token ***'\n"
        "                       remedy: the token is wrong or has expired; check CIRCLECI_SCIM_TOKEN\n"
        f"{LEFT}1 failed, 7 unknown, 2 ok\n",
    ),
    "wrong URL": (
        (refusal("GET", 404),) * 9,
        f"failed   connection    {READ}/Users: the server answered 404 Not Found\n"
        "                       remedy: is the base URL right? It usually ends in /scim/v2\n"
        f"{UNHEARD}{UNSEEN}{LEFT}1 failed, 9 unknown\n",
    ),
    "a page": (
        (PAGE,) * 9,
        f"failed   connection    {READ}/Users: the server answered 200 OK with 27 bytes that are no JSON "
        "object (text/html), beginning '<html>\\x1b[2J\\u202eSign in</html>'\n"
        "                       remedy: is the base URL right? It usually ends in /scim/v2\n"
        f"{UNHEARD}{UNSEEN}{LEFT}1 failed, 9 unknown\n",
    ),
    "a connection that breaks": (
        (reset(),) * 99,
        f"failed   connection    {READ}/ServiceProviderConfig: the connection broke before the answer was "
        "whole: connection reset by peer\n"
        "                       remedy: run it again; `reconciler --debug doctor` tells each request\n"
        f"{UNHEARD}{UNSEEN}{LEFT}1 failed, 9 unknown\n",
    ),
    "another host": (
        (Fault("GET", 307, {"location": f"https://evil.test/?{SECRET}"}),) * 9,
        f"failed   connection    {READ}/ServiceProviderConfig: the server redirects to evil.test, where the "
        "token must not go\n"
        "                       remedy: if that is the right server, make it the base URL\n"
        f"{UNHEARD}{UNSEEN}{LEFT}1 failed, 9 unknown\n",
    ),
}


@pytest.mark.parametrize(("faults", "out"), FAILURES.values(), ids=FAILURES)
def test_what_fails_is_told_and_what_makes_no_sense_then_is_not_looked_at(
    faults: tuple[Fault, ...], out: str, work: Path
) -> None:
    write_policy(work / "policies/acme")
    assert doctor(acme(faults=list(faults))) == (ExitCode.UNREADABLE, f"acme on {BASE}\n\n{out}", "")


def test_what_is_announced_is_told_where_the_token_lacks_the_right(work: Path) -> None:
    write_policy(work / "policies/acme")
    ran = doctor(acme(faults=[Fault("GET", 403, path="/Users")] * 9))
    assert (ran.code, ran.out.partition("\n\n    ")[2]) == (
        ExitCode.UNREADABLE,
        """\
     ability     announced  seen
unknown  startIndex  yes        not looked at
unknown  cursor      no         not looked at
unknown  filter      yes        not looked at
unknown  ETag        yes        not looked at
unknown  PATCH       yes        not looked at

1 failed, 12 unknown, 2 ok
""",
    )


def test_one_failure_does_not_hide_what_comes_after_it(work: Path) -> None:
    write_policy(work / "policies/acme")
    fault = Fault("GET", 200, JSON, json.dumps({"totalResults": 9, "Resources": []}), path="/Groups")
    ran = doctor(acme(faults=[fault] * 99), "--format", "json")
    [found] = ran.data["organizations"]
    verdicts = {one["name"]: one["verdict"] for one in (*found["checks"], *found["abilities"])}
    assert (ran.code, verdicts) == (
        ExitCode.UNREADABLE,
        {
            **dict.fromkeys(verdicts, "ok"),
            **dict.fromkeys(("token user", "token age", "members"), "unknown"),
            **dict.fromkeys(("role storage", "attributes"), "unknown"),
            **dict.fromkeys(("directory", "groups"), "failed"),
        },
    )


def test_without_a_token_the_check_says_how_to_set_one(work: Path) -> None:
    write_policy(work / "policies/acme")
    ran = doctor(acme(), CIRCLECI_SCIM_TOKEN="")
    assert ran == (
        ExitCode.USAGE,
        "acme\n\n"
        "failed  settings  the token of CIRCLECI_SCIM_TOKEN is empty\n"
        "                  remedy: CIRCLECI_SCIM_TOKEN must give the token as the server issued it, in one "
        "line and without quotes\n\n"
        "1 failed\n",
        "",
    )


def test_an_invalid_policy_is_told_and_no_server_asked(work: Path) -> None:
    write_policy(work / "policies/acme", "version: 1\norganization: acme\nmode: enfroce\n")
    it = acme()
    ran = doctor(it)
    assert (ran.code, ran.out, it.requests) == (ExitCode.INVALID, "", [])
    assert "unknown mode 'enfroce', did you mean 'enforce'?" in ran.err


def test_whose_token_it_is(work: Path) -> None:
    write_policy(work / "policies/acme")
    fault = Fault("GET", 200, JSON, json.dumps(user("ada")), path="/Me")
    assert "ok       token user    it is that of 'ada@acme.example'\n" in doctor(acme(faults=[fault])).out


def test_a_token_in_a_file_that_is_older_than_the_limit(work: Path) -> None:
    write_policy(work / "policies/acme")
    file = work.parent / "token"
    file.write_text(SECRET)
    file.chmod(0o600)
    os.utime(file, (0, NOW.timestamp() - 40 * 86400))
    arguments: dict[str, Any] = {"CIRCLECI_SCIM_TOKEN_FILE": str(file)}
    unset = {"CIRCLECI_SCIM_TOKEN": None}
    young = doctor(acme(), **arguments, **unset)  # type: ignore[arg-type]
    old = doctor(acme(), "--rotation-days", "30", **arguments, **unset)  # type: ignore[arg-type]
    written = "its file was written on 2026-10-11, 40 days ago"
    assert f"unknown  token age     {written}, and the token in it may be older\n" in young.out
    assert f"finding  token age     {written}: the limit is 30 days\n" in old.out
    assert (young.code, old.code) == (ExitCode.DONE, ExitCode.DONE)


def test_a_directory_in_a_file_is_looked_at_even_where_the_server_is_not_there(work: Path) -> None:
    head = (
        "version: 1\norganization: acme\nmode: report\nprojects: {storefront: {}}\ndirectory: {kind: file}\n"
    )
    write_policy(work / "policies/acme", head)
    members = [
        {"user_name": "cleo@acme.example", "external_id": "00c"},
        {"user_name": "zoe", "active": True},
        {"user_name": "old", "active": False},
    ]
    groups = [{"name": "platform", "members": ["ADA@acme.example"]}, {"name": "eng-web", "members": members}]
    export = {"format": "reconciler.directory/1", "exported": "2026-11-20T11:00:00Z", "groups": groups}
    Path("idp.json").write_text(json.dumps(export))
    it = acme(
        users=[user("ada", externalId="00a"), user("cleo", "org-viewer", externalId="00c"), user("dan")]
    )
    lines = doctor(it, DIRECTORY_FILE="idp.json").out.splitlines()
    assert [line for line in lines if line.split()[1:2] in (["directory"], ["matching"], ["attributes"])][
        :3
    ] == [
        "ok       attributes    of 3 users: userName 3, displayName 0, e-mail 0, externalId 2, active 3",
        "ok       directory     2 of 2 groups that the policy names, 4 people in them",
        "finding  matching      of 3 active people: 1 by externalId, 1 by userName, 1 not at all: 'zoe'",
    ]
    assert "ability  members" not in "".join(lines)
    away = doctor(acme(faults=[refusal("GET", 401)] * 9), DIRECTORY_FILE="idp.json")
    assert "ok       directory     2 of 2 groups that the policy names, 4 people in them\n" in away.out
    assert "unknown  matching      not looked at: the server can't be read\n" in away.out
    missing = doctor(it, DIRECTORY_FILE="gone.json")
    assert missing.code == ExitCode.UNREADABLE
    assert (
        "failed   directory     the directory's export gone.json can't be read: no such file or dir"
        in missing.out
    )
    unset = doctor(it)
    assert (unset.code, "failed   directory     DIRECTORY_FILE is not set\n" in unset.out) == (
        ExitCode.USAGE,
        True,
    )


def test_json_is_one_document_with_everything_in_it(work: Path) -> None:
    write_policy(work / "policies/acme")
    ran = doctor(acme(filters="ignored"), "--format", "json")
    [found] = ran.data["organizations"]
    assert (ran.code, ran.err) == (ExitCode.DONE, "")
    rest = {"format": "reconciler.doctor/1", "failures": [], "problems": []}
    assert {key: value for key, value in ran.data.items() if key != "organizations"} == rest
    assert (found["organization"], found["server"]) == ("acme", BASE)
    assert [one["name"] for one in found["checks"]] == [
        *("connection", "clock", "token", "token user", "token age"),
        *("roles", "role storage", "attributes", "directory", "matching"),
    ]
    assert found["checks"][4] == {
        "name": "token age",
        "verdict": "unknown",
        "message": "nothing tells when it was issued",
        "remedy": "note when it is to be replaced where you keep it",
    }
    assert found["abilities"][6] == {
        "name": "filter",
        "announced": "yes",
        "seen": "ignored: somebody who does not exist is answered",
        "verdict": "finding",
        "remedy": "don't set directory.members_from: filter; tell whoever runs the server",
    }
    assert found["abilities"][0]["announced"] is None


def test_text_of_a_server_is_printed_harmlessly(work: Path) -> None:
    write_policy(work / "policies/acme")
    hostile = "org_admin\x1b[2J\u202e\nok       token"
    names = [user("ada", "org-admin"), user("bob", hostile, "Org\r\nAdmin"), user("cleo")]
    me = Fault("GET", 200, JSON, json.dumps(user("x", id="u-ada")), path="/Me")
    it = acme(users=[*names, user("dan", userName="d\x1b]0;x\x07")], faults=[me])
    it.data["Users"]["u-ada"]["userName"] = "ada\n\x1b[31m"
    ran = doctor(it)
    assert all(char.isprintable() or char == "\n" for char in ran.out)
    assert "'Org\\r\\nAdmin'" in ran.out
    assert ran.out.count("\nok       token ") == FINE.count("\nok       token ") + 1  # token user is ok, too


def test_several_organizations_are_examined_one_after_the_other(work: Path) -> None:
    write_policy(work / "policies/acme")
    write_policy(
        work / "policies/zeta", "version: 1\norganization: zeta\nmode: report\nprojects: {storefront: {}}\n"
    )
    ran = doctor(acme(), ZETA_CIRCLECI_SCIM_URL="nonsense", ZETA_CIRCLECI_SCIM_TOKEN="x")
    assert (ran.code, ran.err) == (ExitCode.USAGE, "")
    assert ran.out.startswith(f"{FINE}\nzeta\n\nfailed  settings  ZETA_CIRCLECI_SCIM_URL has no scheme\n")


def test_webhooks_are_looked_at_where_there_are_any_and_sent_nothing(work: Path) -> None:
    write_policy(work / "policies/acme")
    hook, other = "https://slack.test/s3cret", "https://siem.test/s3cret"
    ran = doctor(acme(), RECONCILER_SLACK_WEBHOOK_URL=hook)
    assert ran.code == 0
    assert (
        "ok       notifications  to slack.test (RECONCILER_SLACK_WEBHOOK_URL); nothing was sent\n" in ran.out
    )
    wrong = doctor(acme(), RECONCILER_SLACK_WEBHOOK_URL=hook, RECONCILER_WEBHOOK_URL=other)
    assert wrong.code == 2
    assert "RECONCILER_WEBHOOK_SECRET is not set, and RECONCILER_WEBHOOK_URL is\n" in wrong.out
    assert "s3cret" not in ran.out + wrong.out


def test_a_listing_that_is_never_whole_is_told_of_once(work: Path) -> None:
    write_policy(work / "policies/acme")
    server = acme(listing=Listing.TOTAL_TOO_HIGH)
    done = doctor(server)
    assert done.code == ExitCode.UNREADABLE
    assert done.out.count("could not list") == 2, "of users, and of groups"
    assert "failed   roles         could not list" in done.out
    assert "failed   users       -            the same as roles\n" in done.out
    assert "failed   groups      -            the same as directory\n" in done.out
    again = doctor(acme(listing=Listing.TOTAL_TOO_HIGH), "--format", "json").data["organizations"][0]
    [users] = [one["seen"] for one in again["abilities"] if one["name"] == "users"]
    assert users.startswith("could not list"), "each entry of JSON says all"
