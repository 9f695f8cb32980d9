"""`reconciler explain`: whole answers about people, and about who has what, on a server in memory."""

import json
import os
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cli.in_memory import LEDGER, Ran, alone, generous, latest, ran
from cli.small_world import write_policy
from scim.fake_server import BASE, FakeServer, Fault, group, user

MINE = """\
version: 1
bindings:
  - group: platform
    organization: admin
  - group: eng-web
    organization: viewer
    projects: {storefront: admin}
  - group: shop
    projects: {storefront: contributor}
grants:
  - user: cleo@acme.example
    organization: contributor
    reason: INC-7
    starts: 2998-01-01T08:00:00Z
    expires: 2999-01-01
  - {user: dan@acme.example, organization: viewer, reason: INC-1, expires: 2020-01-31}
"""
HEAD = "acme on https://scim.test/scim/v2, mode enforce"
NO_GIT = "not in a git repository"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A policy in the current folder, which is in no repository."""
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    alone(tmp_path, monkeypatch)
    head = generous(tmp_path) / "organization.yaml"
    head.write_text(head.read_text(encoding="utf-8") + "  longest_grant: 1000000\n", encoding="utf-8")
    (tmp_path / "policies/acme/web.yaml").write_text(MINE, encoding="utf-8")
    return tmp_path


def world(**changes: Any) -> FakeServer:
    mail = [{"value": "cleo.w@acme.example", "primary": True}]
    people = [
        user("ada", "org-admin"),
        user("bob", "org-admin"),
        user("cleo", "org-viewer", "gadget", displayName="Cleo Wood", externalId="00u7", emails=mail),
        user("dan", "org-viewer"),
        user("eve", "org-viewer", active=False),
    ]
    groups = [
        group("platform", "ada", "bob"),
        group("eng-web", "cleo", "eve"),
        group("shop", "ada", "cleo"),
    ]
    return replace(FakeServer(people, groups), **changes)


def explain(*arguments: str, server: FakeServer | None = None, **variables: str) -> Ran:
    """One run, which must not have sent anything that writes."""
    asked = server or world()
    result = ran(asked, "explain", *arguments, **variables)
    assert {request.method for request in asked.requests} <= {"GET"}
    return result


# One person

CLEO = f"""\
{HEAD}

cleo@acme.example
  id u-cleo, externalId 00u7, Cleo Wood, e-mail cleo.w@acme.example, active on the server
  organization: viewer, as it should be
    applies    viewer       group eng-web
                            policies/acme/web.yaml:6, {NO_GIT}
    to come    contributor  temporary grant from 2998-01-01 08:00 UTC until 2999-01-01 23:59 UTC, INC-7
                            policies/acme/web.yaml:12, {NO_GIT}
  storefront: none -> admin, to be added
    applies    admin        group eng-web
                            policies/acme/web.yaml:7, {NO_GIT}
    outranked  contributor  group shop
                            below admin by group eng-web
                            policies/acme/web.yaml:9, {NO_GIT}
  not the policy's, and left alone: gadget
"""
OVER = (
    "to look at: had a temporary grant until 2020-01-31 23:59 UTC (policies/acme/web.yaml:16); "
    "delete it from the policy"
)
DAN = f"""\
{HEAD}

dan@acme.example
  id u-dan, active on the server
  organization: viewer -> none, to be taken
    ended      viewer       temporary grant ended 2020-01-31 23:59 UTC, INC-1
                            policies/acme/web.yaml:16, {NO_GIT}
    nothing in the policy gives it now
  {OVER}
"""
EVE = f"""\
{HEAD}

eve@acme.example
  id u-eve
  not active on the server, and so entitled to nothing
  organization: viewer -> none, to be taken
    nothing in the policy gives it
  groups that give them nothing here: eng-web
"""
ADA = f"""\
{HEAD}

ada@acme.example
  id u-ada, active on the server
  organization: admin, as it should be
    applies    admin        group platform
                            policies/acme/web.yaml:4, {NO_GIT}
  storefront: none -> contributor, to be added
    applies    contributor  group shop
                            policies/acme/web.yaml:9, {NO_GIT}
    outranked: admin in the organization is higher, and applies here, too
"""


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("cleo@acme.example", CLEO),
        ("CLEO@acme.EXAMPLE", CLEO),
        ("u-cleo", CLEO),
        ("dan@acme.example", DAN),
        ("eve@acme.example", EVE),
        ("ada@acme.example", ADA),
    ],
    ids=["userName", "folded", "id", "ended", "not active", "outranked from above"],
)
def test_a_person_is_told_with_all_that_they_have_and_should_have_and_why(name: str, told: str) -> None:
    assert explain(name) == Ran(0, told, "")


def test_somebody_who_has_nothing_is_told_so() -> None:
    server = world()
    server.data["Users"]["u-zed"] = user("zed")
    assert explain("u-zed", server=server).out.splitlines()[2:] == [
        "zed@acme.example",
        "  id u-zed, active on the server",
        "  has nothing that the policy speaks for, and is given nothing by it",
    ]


def test_what_a_problem_holds_is_told_and_is_no_failure_of_the_question() -> None:
    server = world()
    server.data["Users"]["u-dan"]["roles"] = [{"value": "project-contributor:storefront"}]
    del server.data["Groups"]["g-shop"]
    problem = (
        "policies/acme/web.yaml:8:5 bindings[2]: the directory has no group 'shop'; "
        "correct the name, or say what it was called before with `previously:`"
    )
    result = explain("u-dan", server=server)
    assert (result.code, result.err) == (0, "")
    assert result.out.splitlines()[-7:] == [
        "  storefront: contributor, held as it is",
        "    nothing in the policy gives it",
        f"    held by {problem}",
        f"  {OVER}",
        "",
        "not resolved, so nobody loses what it could have given:",
        f"  {problem}",
    ]


def test_of_a_protected_person_it_is_told_where_that_is_said(folder: Path) -> None:
    head = folder / "policies/acme/organization.yaml"
    text = head.read_text(encoding="utf-8")
    head.write_text(text + "  protected: [bob@acme.example]\n", encoding="utf-8")
    assert explain("bob@acme.example").out.splitlines()[3:] == [
        "  id u-bob, active on the server",
        "  protected: no plan touches what they hold",
        f"    policies/acme/organization.yaml:{len(text.splitlines()) + 1}, {NO_GIT}",
        "  organization: admin, protected",
        "    no effect  admin        group platform",
        f"                            policies/acme/web.yaml:4, {NO_GIT}",
    ]


@pytest.mark.parametrize(
    ("mode", "cleo", "dan"),
    [
        ("report", "to be added, but mode report never writes", "to be taken, but mode report never writes"),
        ("additive", "to be added", "to be taken, but mode additive takes nothing away"),
    ],
)
def test_what_the_mode_leaves_is_told(mode: str, cleo: str, dan: str, folder: Path) -> None:
    head = folder / "policies/acme/organization.yaml"
    head.write_text(head.read_text(encoding="utf-8").replace("enforce", mode), encoding="utf-8")
    assert f"  storefront: none -> admin, {cleo}\n" in explain("u-cleo").out
    assert f"  organization: viewer -> none, {dan}\n" in explain("u-dan").out


def test_hostile_names_are_shown_as_escapes() -> None:
    server = world()
    server.data["Users"]["u-dan"] |= {"displayName": "D\x1b[2J", "roles": [{"value": "x\ny\u202e"}]}
    out = explain("u-dan", server=server).out
    assert "id u-dan, D\\x1b[2J, active on the server\n" in out
    assert "not the policy's, and left alone: x\\ny\\u202e\n" in out


# As JSON


def test_as_json_it_is_one_document() -> None:
    result = explain("u-cleo", "--format", "json")
    assert (result.code, result.err) == (0, "")
    document = result.data
    [organization] = document.pop("organizations")
    assert document == {"format": "reconciler.explain/1", "asked": None, "failures": [], "problems": []}
    [person] = organization.pop("people")
    assert organization == {"organization": "acme", "server": BASE, "mode": "enforce", "problems": []}
    everywhere, storefront = person.pop("scopes")
    assert person == {
        "id": "u-cleo",
        "user": "cleo@acme.example",
        "external_id": "00u7",
        "email": "cleo.w@acme.example",
        "active": True,
        "directory": None,
        "protected": None,
        "classes": [],
        "end": None,
        "idle_groups": [],
        "account": [],
        "findings": [],
        "foreign": ["gadget"],
    }
    untold = {"commit": None, "unknown": NO_GIT}
    web = {
        "entry": "binding",
        "name": "eng-web",
        "role": "admin",
        "file": "policies/acme/web.yaml",
        "line": 7,
    }
    rest = {"asked": None, "class": None, "reason": None, "since": None, "until": None, "origin": untold}
    shop = {**web, "name": "shop", "role": "contributor", "line": 9}
    assert storefront == {
        "scope": {"project": "storefront"},
        "live": [],
        "desired": ["admin"],
        "verdict": "to be added",
        "above": None,
        "reasons": [
            {
                **rest,
                **web,
                "standing": "applies",
                "outranked_by": None,
                "path": "bindings[1].projects.storefront",
            },
            {
                **rest,
                **shop,
                "standing": "outranked",
                "outranked_by": web,
                "path": "bindings[2].projects.storefront",
            },
        ],
        "problems": [],
        "last_run": None,
    }
    assert everywhere["reasons"][1] == {
        **rest,
        "entry": "temporary grant",
        "name": "cleo@acme.example",
        "role": "contributor",
        "file": "policies/acme/web.yaml",
        "line": 12,
        "standing": "to come",
        "outranked_by": None,
        "path": "grants[0].organization",
        "reason": "INC-7",
        "since": "2998-01-01T08:00:00+00:00",
        "until": "2999-01-01T23:59:59.999999+00:00",
    }


def test_as_json_a_failure_is_in_the_document_too() -> None:
    result = explain("nobody", "--format", "json")
    assert result.code == 2
    assert result.data == {
        "format": "reconciler.explain/1",
        "asked": None,
        "organizations": [],
        "failures": [
            {
                "organization": "acme",
                "message": "there is no person 'nobody' on the server of acme",
                "hint": "people are asked for by userName, id or e-mail",
                "exit_code": 2,
            }
        ],
        "problems": [],
    }


# Who wrote the line, and which run wrote the role


def git(*arguments: str) -> str:
    alone = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    who = {
        "GIT_AUTHOR_NAME": "Ann\x1b[2J",
        "GIT_AUTHOR_EMAIL": "a@x",
        "GIT_AUTHOR_DATE": "2026-11-02T08:00:00Z",
    }
    done = subprocess.run(
        ["git", *arguments],
        env={**os.environ, **alone, **who, "GIT_COMMITTER_NAME": "ci", "GIT_COMMITTER_EMAIL": "c@x"},
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.strip()


def test_the_commit_that_wrote_a_line_is_told_harmlessly(folder: Path) -> None:
    git("init", "--quiet")
    git("add", ".")
    git("commit", "--quiet", "--message", "Access for the shop\x07")
    id_ = git("rev-parse", "HEAD")
    (folder / "policies/acme/web.yaml").write_text(MINE.replace("contributor}", "viewer}"), encoding="utf-8")
    lines = explain("u-cleo").out.splitlines()
    committed = f"commit {id_[:10]} of 2026-11-02 by Ann\\x1b[2J: Access for the shop\\x07"
    assert lines[6].strip() == f"policies/acme/web.yaml:6, {committed}"
    assert lines[14].strip() == "policies/acme/web.yaml:9, not committed yet"
    [person] = explain("u-cleo", "--format", "json").data["organizations"][0]["people"]
    assert person["scopes"][0]["reasons"][0]["origin"] == {
        "commit": id_,
        "author": "Ann\x1b[2J",
        "at": "2026-11-02T08:00:00+00:00",
        "subject": "Access for the shop\x07",
        "or_earlier": False,
    }


def applied() -> tuple[FakeServer, str]:
    """A server that the policy was applied to, and the name of that run."""
    server = world()
    assert ran(server, "apply").code == 0
    server.requests.clear()
    return server, latest()


def test_the_run_that_wrote_a_role_is_told() -> None:
    server, run = applied()
    lines = explain("u-cleo", server=server).out.splitlines()
    began = json.loads(LEDGER.read_text(encoding="ascii").splitlines()[0])["at"][:19]
    assert lines[-2] == f"    so on the server since {began}Z, by run {run} of ann, commit unknown"
    assert "run" not in "".join(lines[:8])


def test_what_somebody_else_changed_since_is_told_so() -> None:
    server, run = applied()
    server.data["Users"]["u-dan"]["roles"] = [{"value": "org-admin"}]
    last = explain("u-dan", server=server).out.splitlines()[-2]
    assert last.startswith(f"    run {run} of ann, commit unknown, left none here at 2")
    assert last.endswith("Z; somebody else changed it since")


def test_as_json_the_run_that_wrote_a_role_is_told() -> None:
    server, run = applied()
    [person] = explain("u-dan", "--format", "json", server=server).data["organizations"][0]["people"]
    told = person["scopes"][0]["last_run"]
    assert told.pop("at").startswith("2")
    assert told == {"run": run, "who": "ann", "commit": None, "after": [], "stands": True}


def test_a_ledger_that_was_edited_tells_nothing_and_stops_nothing() -> None:
    server, _ = applied()
    LEDGER.write_text(LEDGER.read_text(encoding="ascii").replace("cleo", "dora"), encoding="ascii")
    result = explain("u-cleo", server=server)
    assert (result.code, "run" in result.out) == (0, False)
    assert result.err.startswith("no run is told: line 3 of the ledger .reconciler/ledger.jsonl can't be ")


def test_a_ledger_that_is_asked_for_must_be_there() -> None:
    result = explain("u-cleo", "--ledger", "other.jsonl")
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith("error: the ledger other.jsonl can't be read: no such file or directory\n")


# Who is not there


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("clea@acme.example", "there is no person 'clea@acme.example' on the server of acme, did you mean "),
        ("Dann@acme.example", "there is no person 'Dann@acme.example' on the server of acme, did you mean "),
        ("u-zed", "there is no person 'u-zed' on the server of acme\n"),
    ],
)
def test_a_person_who_is_not_there_is_told_with_a_suggestion(name: str, message: str) -> None:
    result = explain(name)
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith(f"error: {message}")
    assert result.err.endswith("\nhint: people are asked for by userName, id or e-mail\n")


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ([], "Error: name a USER, or ask with --role, --project or --organization\n"),
        (["a", "b", "c"], "Error: 'c' is one word too many\n"),
        (
            ["--role", "admin", "a", "b"],
            "Error: with --role, --project or --organization, no USER is named\n",
        ),
        (
            ["--project", "storefront", "ada"],
            "error: 'ada' is no folder of policies, and with these options no person is named\n"
            "hint: leave --role, --project and --organization out to ask about one person\n",
        ),
        (
            ["--project", "storefront", "--organization"],
            "error: --project and --organization are two questions\nhint: ask one after the other\n",
        ),
        (
            ["--project", "storefrnt"],
            "error: the policy of acme has no project 'storefrnt', did you mean 'storefront'?\n"
            "hint: its projects are storefront\n",
        ),
        (
            ["--role", "owner"],
            "Error: Invalid value for '--role': 'owner' is not one of 'viewer', 'contributor', 'admin'.\n",
        ),
    ],
    ids=[
        "nothing",
        "too many",
        "two paths",
        "person and project",
        "two scopes",
        "unknown project",
        "unknown role",
    ],
)
def test_a_question_that_makes_no_sense_is_told_so(arguments: list[str], error: str) -> None:
    result = explain(*arguments)
    assert (result.code, result.out) == (2, "")
    assert result.err.endswith(error)


def test_an_invalid_policy_is_told_before_any_server_is_asked(folder: Path) -> None:
    (folder / "policies/acme/web.yaml").write_text("version: 2\n", encoding="utf-8")
    server = world()
    result = explain("u-cleo", server=server)
    assert (result.code, result.out, server.requests) == (6, "", [])


def test_a_server_that_can_not_be_read_whole_is_told() -> None:
    result = explain("u-cleo", server=world(faults=[Fault("GET", 403, path="/Users")]))
    assert (result.code, result.out) == (7, "")
    assert "403 Forbidden" in result.err


# The other way round


def test_who_has_a_role_in_a_project_is_told_with_why() -> None:
    result = explain("--project", "storefront", "--role", "admin")
    assert result == Ran(
        0,
        f"""\
{HEAD}
who is admin in storefront: 3 people

ada@acme.example
  organization: admin, as it should be
    applies    admin        group platform
                            policies/acme/web.yaml:4, {NO_GIT}

bob@acme.example
  organization: admin, as it should be
    applies    admin        group platform
                            policies/acme/web.yaml:4, {NO_GIT}

cleo@acme.example
  storefront: none -> admin, to be added
    applies    admin        group eng-web
                            policies/acme/web.yaml:7, {NO_GIT}
    outranked  contributor  group shop
                            below admin by group eng-web
                            policies/acme/web.yaml:9, {NO_GIT}
""",
        "",
    )


@pytest.mark.parametrize(
    ("arguments", "asked", "names"),
    [
        (["--role", "contributor"], "who is contributor anywhere: 1 person", ["ada"]),
        (
            ["--organization"],
            "who has a role in the organization: 5 people",
            ["ada", "bob", "cleo", "dan", "eve"],
        ),
        (
            ["--organization", "--role", "contributor"],
            "who is contributor in the organization: no people",
            [],
        ),
        (["--role", "admin", "policies/acme"], "who is admin anywhere: 3 people", ["ada", "bob", "cleo"]),
    ],
    ids=["role", "organization", "nobody", "with a path"],
)
def test_who_is_asked_for_is_told(arguments: list[str], asked: str, names: list[str]) -> None:
    result = explain(*arguments)
    lines = result.out.splitlines()
    assert (result.code, lines[:2]) == (0, [HEAD, asked])
    assert [line for line in lines[2:] if line.endswith("@acme.example")] == [
        f"{name}@acme.example" for name in names
    ]


def test_as_json_the_question_is_told() -> None:
    document = explain("--project", "storefront", "--format", "json").data
    assert document["asked"] == {"role": None, "scope": {"project": "storefront"}}
    document = explain("--organization", "--role", "viewer", "--format", "json").data
    assert document["asked"] == {"role": "viewer", "scope": {"project": None}}
    assert [one["user"] for one in document["organizations"][0]["people"]] == [
        f"{name}@acme.example" for name in ("cleo", "dan", "eve")
    ]


# Several organizations


def test_an_organization_that_does_not_know_the_person_is_passed_over(folder: Path) -> None:
    globex = (folder / "policies/acme/organization.yaml").read_text(encoding="utf-8")
    write_policy(folder / "policies/globex", globex.replace("acme", "globex"), "version: 1\n")
    servers = {"acme": world(), "globex": FakeServer([user("zed")])}
    result = ran(servers, "explain", "u-zed")
    assert (result.code, result.err) == (0, "passed over: there is no person 'u-zed' on the server of acme\n")
    assert result.out.startswith("globex on https://globex.test/scim/v2, mode enforce\n\nzed@acme.example\n")
    assert ran(servers, "explain", "u-nobody").err.count("error: there is no person 'u-nobody'") == 2
