"""Exactly the reviewed plan: `plan --out`, `apply PLAN`, --expect, --approve; nothing goes unrecorded."""

import json
import os
import stat
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from shutil import copytree
from typing import Any

import httpx
import pytest
from cli.in_memory import HEAD, LEDGER, Ran, alone, generous, held, latest, many, ran, records
from cli.small_world import BINDINGS, ORGANIZATION, write_policy
from full_disk import room
from jsonschema import Draft202012Validator
from scim.fake_server import BASE, FakeServer, Fault, user

from reconciler import plan
from reconciler.cli.context import moment
from reconciler.ledger import Ledger
from reconciler.policy import schema

Json = dict[str, Any]

PLAN = Path("plan.json")
VALIDATOR = Draft202012Validator(json.loads(schema.text("plan")))
NOTHING = "hint: nothing was written; look at the new plan, and have it reviewed\n"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A policy in the current folder, which lies in another."""
    (tmp_path / "here").mkdir()
    here = alone(tmp_path / "here", monkeypatch)
    generous(here)
    return here


@pytest.fixture
def server() -> FakeServer:
    return many()


def planned(server: FakeServer | Mapping[str, FakeServer], *arguments: str) -> Json:
    """The plan as it was written to a file."""
    result = ran(server, "plan", "--out", str(PLAN), *arguments)
    assert result.code == 0, result.err
    found: Json = json.loads(PLAN.read_text(encoding="utf-8"))
    return found


def fingerprint(server: FakeServer) -> str:
    found: str = ran(server, "plan", "--format", "json").data["plans"][0]["fingerprint"]
    return found


def refused(server: FakeServer, code: int, *arguments: str) -> Ran:
    """A run that ends so, and before which and after which every server is the same."""
    before = held(server)
    server.requests.clear()
    result = ran(server, *arguments)
    assert (result.code, server.writes, held(server)) == (code, [], before), result
    return result


# What is written


@pytest.mark.parametrize("former", [None, 0o644, 0o400])
def test_a_plan_is_written_for_its_owner_alone(former: int | None, server: FakeServer) -> None:
    if former is not None:
        PLAN.write_text("an old plan" * 10_000, encoding="utf-8")
        PLAN.chmod(former)
    umask = os.umask(0)
    result = ran(server, "plan", "--out", str(PLAN), "--format", "json")
    os.umask(umask)
    assert (result.code, result.err, stat.S_IMODE(PLAN.stat().st_mode)) == (0, "", 0o600)
    assert PLAN.read_text(encoding="utf-8") == result.out
    assert sorted(os.listdir()) == ["plan.json", "policies"]


def in_mode(mode: str) -> Callable[[Path], None]:
    def edit(policy: Path) -> None:
        (policy / "organization.yaml").write_text(HEAD.replace("enforce", mode), encoding="utf-8")

    return edit


def strict(policy: Path) -> None:
    (policy / "organization.yaml").write_text(ORGANIZATION, encoding="utf-8")


def with_a_grant(policy: Path) -> None:
    grants = """\
grants:
  - {user: dan@acme.example, organization: viewer, reason: INC-1, expires: 2020-01-01}
  - {user: fay@acme.example, organization: admin, reason: INC-2, expires: 2999-01-01}
"""
    (policy / "web.yaml").write_text(BINDINGS + grants, encoding="utf-8")


def with_an_unknown_group(policy: Path) -> None:
    more = "  - {group: eng-wbe, organization: viewer}\n"
    (policy / "web.yaml").write_text(BINDINGS + more, encoding="utf-8")


def invalid(policy: Path) -> None:
    (policy / "web.yaml").write_text(BINDINGS + "more: {}\n", encoding="utf-8")


@pytest.mark.parametrize(
    ("edit", "code", "holds"),
    [
        pytest.param(in_mode("enforce"), 0, '"changes": [\n', id="enforce"),
        pytest.param(in_mode("additive"), 0, '"withheld": [\n', id="additive"),
        pytest.param(in_mode("report"), 0, '"changes": []', id="report"),
        pytest.param(strict, 4, '"approvable": true', id="guardrails"),
        pytest.param(with_a_grant, 4, '"ended": true', id="grants"),
        pytest.param(with_an_unknown_group, 6, "eng-wbe", id="problems"),
    ],
)
def test_whatever_is_planned_fits_the_schema_and_is_written(
    edit: Callable[[Path], None], code: int, holds: str, folder: Path, server: FakeServer
) -> None:
    edit(folder / "policies/acme")
    result = ran(server, "plan", "--out", str(PLAN), "--format", "json")
    VALIDATOR.validate(result.data)
    assert (result.code, PLAN.read_text(encoding="utf-8")) == (code, result.out)
    assert holds in result.out


def test_a_plan_for_role_groups_fits_the_schema_and_is_carried_out(folder: Path) -> None:
    generous(folder / "in-groups", in_groups=True)
    server = many(in_groups=True)
    document = planned(server, "in-groups")
    VALIDATOR.validate(document)
    assert "create-group" in json.dumps(document)
    assert ran(server, "apply", str(PLAN)).code == 0


def test_what_could_not_be_planned_fits_the_schema_too(folder: Path, server: FakeServer) -> None:
    server.faults.append(Fault("GET", 403, path="/Users"))
    unread = ran(server, "plan", "--format", "json")
    VALIDATOR.validate(unread.data)
    invalid(folder / "policies/acme")
    misspelt = ran(server, "plan", "--format", "json")
    VALIDATOR.validate(misspelt.data)
    assert (unread.code, misspelt.code) == (7, 6)


@pytest.mark.parametrize("former", [None, "the plan of yesterday"])
@pytest.mark.parametrize(("make", "code"), [(invalid, 6), (None, 7)], ids=["invalid", "unread"])
def test_no_plan_is_written_that_is_not_of_everybody(
    make: Callable[[Path], None] | None, code: int, former: str | None, folder: Path, server: FakeServer
) -> None:
    other = many()
    write_policy(folder / "policies/globex", HEAD.replace("acme", "globex"))
    if former is not None:
        PLAN.write_text(former, encoding="utf-8")
    if make is None:
        other.faults.append(Fault("GET", 403, path="/Users"))
    else:
        make(folder / "policies/acme")
    result = ran({"acme": server, "globex": other}, "plan", "--out", str(PLAN))
    assert (result.code, result.err.splitlines()[-1]) == (code, "no plan was written to plan.json")
    assert (PLAN.read_text(encoding="utf-8") if PLAN.exists() else None) == former


@pytest.mark.parametrize("name", ["nowhere/plan.json", "policies", "/dev/null", "n" * 300])
def test_where_no_plan_can_be_written_that_is_told(name: str, server: FakeServer) -> None:
    result = ran(server, "plan", "--out", name)
    assert (result.code, result.err.startswith(f"error: the plan can't be written to {name}: ")) == (2, True)
    assert stat.S_ISCHR(os.lstat("/dev/null").st_mode)


def test_a_plan_for_which_there_is_no_room_is_not_written_in_part(server: FakeServer) -> None:
    PLAN.write_text("old", encoding="utf-8")
    with room(1000):
        result = ran(server, "plan", "--out", str(PLAN))
    assert (result.code, PLAN.read_text(encoding="utf-8")) == (2, "old")
    assert result.err.splitlines()[0] == "error: the plan can't be written to plan.json: file too large"


@pytest.mark.parametrize("path", ["..", "../elsewhere"])
def test_a_plan_file_is_not_made_for_a_policy_elsewhere(path: str, server: FakeServer) -> None:
    copytree("policies", "../elsewhere")
    result = ran(server, "plan", path, "--out", str(PLAN))
    assert (result.code, result.out, server.requests, PLAN.exists()) == (2, "", [], False)


# The same plan


def test_the_plan_that_was_written_is_carried_out(server: FakeServer) -> None:
    document = planned(server)
    result = ran(server, "apply", str(PLAN))
    assert (result.code, result.out.splitlines()[-1]) == (0, "applied 5 of 5 changes")
    [run] = [record for record in records() if record["event"] == "run"]
    [reviewed] = document["plans"]
    assert (run["fingerprint"], run["tree"]) == (reviewed["fingerprint"], reviewed["tree"])
    assert [record["change"]["id"] for record in records() if record["event"] == "write"] == [
        change["id"] for change in reviewed["changes"]
    ]


def test_the_plan_is_the_same_wherever_the_policy_lies_and_whatever_commit_it_is_of(
    server: FakeServer,
) -> None:
    copytree("policies", "elsewhere/renamed")
    Path("link").symlink_to("policies/acme")
    plans = [
        ran(server, "plan", path, "--format", "json", CIRCLE_SHA1=commit).data["plans"][0]
        for path, commit in [
            ("policies", "c0ffee"),
            ("policies/acme", "squashed"),
            ("elsewhere", ""),
            (str(Path("elsewhere/renamed/acme").absolute()), ""),
            ("./elsewhere/../elsewhere/renamed/", ""),
        ]
    ]
    assert len({(one["tree"], one["fingerprint"]) for one in plans}) == 1


def test_a_server_that_spells_and_orders_otherwise_gets_the_same_plan(server: FakeServer) -> None:
    planned(server)
    server.data["Users"] = dict(reversed(server.data["Users"].items()))
    server.page = 2
    server.etags = "off"
    assert ran(server, "apply", str(PLAN)).code == 0


# Another plan


def edited(name: str, old: str, new: str) -> Callable[[FakeServer], None]:
    def edit(_: FakeServer) -> None:
        file = Path("policies/acme", name)
        text = file.read_text(encoding="utf-8")
        assert old in text
        file.write_text(text.replace(old, new, 1), encoding="utf-8")

    return edit


def a_file_more(_: FakeServer) -> None:
    Path("policies/acme/more.yaml").write_text("version: 1\n", encoding="utf-8")


def a_file_renamed(_: FakeServer) -> None:
    Path("policies/acme/web.yaml").rename("policies/acme/app.yaml")


FILES = "the policy files are not those that the plan was made from"


@pytest.mark.parametrize(
    "edit",
    [
        edited("web.yaml", "version: 1\n", "version: 1\n#\n"),
        edited("web.yaml", "version: 1\n", "version:  1\n"),
        edited("organization.yaml", "count: 100}", "count: 101}"),
        a_file_more,
        a_file_renamed,
    ],
    ids=["comment", "blank", "limit", "file more", "file renamed"],
)
def test_a_policy_of_which_a_byte_has_changed_is_not_the_one_that_was_reviewed(
    edit: Callable[[FakeServer], None], server: FakeServer
) -> None:
    planned(server)
    edit(server)
    result = refused(server, 5, "apply", str(PLAN))
    assert result.err == (
        f"{FILES}\nerror: the plan of acme is not the one in the plan file any more\n{NOTHING}"
    )


def set_roles(name: str, *values: str) -> Callable[[FakeServer], None]:
    def edit(server: FakeServer) -> None:
        server.data["Users"][f"u-{name}"]["roles"] = [{"value": value} for value in values]

    return edit


def renamed(server: FakeServer) -> None:
    server.data["Users"]["u-cleo"]["userName"] = "cleo.new@acme.example"


def gone(server: FakeServer) -> None:
    del server.data["Users"]["u-dan"]


def joined(server: FakeServer) -> None:
    server.data["Groups"]["g-eng-web"]["members"].append({"value": "u-dan"})


def somebody_new(server: FakeServer) -> None:
    server.data["Users"]["u-zoe"] = user("zoe", "org-viewer")


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (
            set_roles("dan", "org-contributor"),
            "dan@acme.example (id u-dan): was organization viewer -> none; "
            "is organization contributor -> none",
        ),
        (set_roles("dan"), "dan@acme.example (id u-dan): was organization viewer -> none; is no change"),
        (
            set_roles("bob", "org-admin", "project-viewer:storefront"),
            "bob@acme.example (id u-bob): was no change; is storefront viewer -> none",
        ),
        (
            renamed,
            "cleo.new@acme.example (id u-cleo): was no change; "
            "is organization none -> viewer, storefront none -> admin",
        ),
        (gone, "dan@acme.example (id u-dan): was organization viewer -> none; is no change"),
        (
            joined,
            "dan@acme.example (id u-dan): was organization viewer -> none; is storefront none -> admin",
        ),
        (
            somebody_new,
            "zoe@acme.example (id u-zoe): was no change; is organization viewer -> none",
        ),
    ],
    ids=["in the plan", "done already", "not in the plan", "renamed", "gone", "joined a group", "new"],
)
def test_a_server_on_which_one_person_has_changed_gets_another_plan(
    change: Callable[[FakeServer], None], line: str, server: FakeServer
) -> None:
    planned(server)
    change(server)
    result = refused(server, 5, "apply", str(PLAN))
    assert line in result.err.splitlines()
    assert result.err.endswith(f"error: the plan of acme is not the one in the plan file any more\n{NOTHING}")
    assert [record["event"] for record in records()] == ["run", "refused"]
    again = refused(server, 5, "apply", str(PLAN), "--format", "json").data
    assert [failure["exit_code"] for failure in again["failures"]] == [5]
    assert [run["outcomes"] for run in again["runs"]] == [[]]


def test_a_plan_is_for_the_server_that_it_was_made_with(server: FakeServer) -> None:
    planned(server)
    result = ran(server, "apply", str(PLAN), CIRCLECI_SCIM_URL="https://other.test/scim/v2")
    assert (result.code, server.writes) == (5, [])
    assert result.err.splitlines()[0] == f"the server was {BASE}, it is https://other.test/scim/v2"


def test_a_plan_is_carried_out_once(server: FakeServer) -> None:
    planned(server)
    assert ran(server, "apply", str(PLAN)).code == 0
    refused(server, 5, "apply", str(PLAN))


def test_a_plan_for_nothing_stays_one(server: FakeServer) -> None:
    assert ran(server, "apply").code == 0
    assert planned(server)["plans"][0]["changes"] == []
    result = refused(server, 0, "apply", str(PLAN))
    assert result.out.splitlines()[-1] == "nothing to write"


# A plan that was edited


def other(value: object) -> object:
    """Another value that could stand in the same place."""
    match value:
        case str() if len(value) == 32:
            return "0" * 32
        case []:
            return ["viewer"]
        case list():
            return []
        case _:
            return {"enforce": "report", None: "storefront"}.get(value, f"{value}x")  # type: ignore[call-overload]


@pytest.mark.parametrize(
    "place",
    [
        ["organization"],
        ["server"],
        ["tree"],
        ["mode"],
        ["fingerprint"],
        ["changes"],
        ["changes", 0, "kind"],
        ["changes", 0, "id"],
        ["changes", 0, "user"],
        ["changes", 0, "scopes"],
        ["changes", 0, "scopes", 0, "scope", "project"],
        ["changes", 0, "scopes", 0, "before"],
        ["changes", 0, "scopes", 0, "after"],
    ],
    ids=lambda place: ".".join(map(str, place)),
)
def test_a_plan_that_was_edited_by_hand_is_none(place: Sequence[str | int], server: FakeServer) -> None:
    document = planned(server)
    part: Any = document["plans"][0]
    for step in place[:-1]:
        part = part[step]
    part[place[-1]] = other(part[place[-1]])
    PLAN.write_text(json.dumps(document), encoding="utf-8")
    result = refused(server, 2, "apply", str(PLAN))
    assert (result.out, server.requests, LEDGER.exists()) == ("", [], False)
    assert result.err.startswith("error: plan.json is no plan that can be applied: ")
    assert result.err.endswith("hint: make one with `plan --out`\n")


def forged_fingerprint(entry: Json) -> str:
    """The fingerprint that fits a plan, whatever was edited in it."""
    changes = deepcopy(entry["changes"])
    for scope in [scope for change in changes for scope in change["scopes"]]:
        del scope["why"]
    return plan.fingerprint(entry["organization"], entry["server"], entry["tree"], entry["mode"], changes)


def test_a_plan_whose_fingerprint_was_forged_to_fit_is_another_plan(server: FakeServer) -> None:
    document = planned(server)
    entry = document["plans"][0]
    entry["changes"][0]["scopes"][0]["after"] = ["admin"]
    entry["fingerprint"] = forged_fingerprint(entry)
    PLAN.write_text(json.dumps(document), encoding="utf-8")
    result = refused(server, 5, "apply", str(PLAN))
    assert result.err.splitlines()[0] == (
        "cleo@acme.example (id u-cleo): was organization none -> admin, storefront none -> admin; "
        "is organization none -> viewer, storefront none -> admin"
    )


@pytest.mark.parametrize("place", ["..", "/", "/etc", "policies/../..", "link"])
def test_a_plan_that_names_a_policy_elsewhere_is_none(place: str, server: FakeServer) -> None:
    copytree("policies", "../policies-elsewhere")
    Path("link").symlink_to("../policies-elsewhere")
    document = planned(server)
    PLAN.write_text(json.dumps({**document, "policy": place}), encoding="utf-8")
    result = refused(server, 2, "apply", str(PLAN))
    assert (result.out, server.requests) == ("", [])
    assert result.err.splitlines()[0] == (
        "error: plan.json is no plan that can be applied: "
        f"the folder {place} that it names is not in the current one"
    )


def test_a_plan_may_name_another_folder_that_holds_the_same(server: FakeServer) -> None:
    document = planned(server)
    Path("policies").rename("access")
    refused(server, 6, "apply", str(PLAN))
    PLAN.write_text(json.dumps({**document, "policy": "access"}), encoding="utf-8")
    assert ran(server, "apply", str(PLAN)).code == 0


def huge(path: Path) -> None:
    path.touch()
    os.truncate(path, 2**40)


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda: PLAN.write_text("", encoding="utf-8"), id="empty"),
        pytest.param(lambda: PLAN.write_text("version: 1\n", encoding="utf-8"), id="no JSON"),
        pytest.param(lambda: PLAN.write_text("[" * 100_000, encoding="utf-8"), id="deep"),
        pytest.param(lambda: PLAN.write_text('{"a":1,"a":1}', encoding="utf-8"), id="keys twice"),
        pytest.param(lambda: PLAN.write_text('{"format":NaN}', encoding="utf-8"), id="NaN"),
        pytest.param(lambda: PLAN.write_bytes(b"\xff\xfe\x00"), id="no text"),
        pytest.param(lambda: huge(PLAN), id="huge"),
        pytest.param(lambda: os.mkfifo(PLAN), id="pipe"),
        pytest.param(lambda: PLAN.symlink_to("/dev/zero"), id="device"),
        pytest.param(lambda: PLAN.symlink_to("plan.json"), id="link to itself"),
    ],
)
def test_what_is_no_plan_is_told_and_not_waited_for(make: Callable[[], object], server: FakeServer) -> None:
    make()
    result = ran(server, "apply", str(PLAN))
    assert (result.code, result.out, server.requests) == (2, "", [])
    assert result.err.startswith("error: ")
    assert len(result.err.splitlines()) == 2


# Several organizations


@pytest.fixture
def both(folder: Path) -> dict[str, FakeServer]:
    """Another organization with a server of its own."""
    write_policy(folder / "policies/globex", HEAD.replace("acme", "globex"))
    return {"acme": many(), "globex": many()}


def written(servers: Mapping[str, FakeServer]) -> dict[str, int]:
    return {name: len(server.writes) for name, server in servers.items()}


def test_a_plan_for_two_organizations_is_carried_out_for_both(both: dict[str, FakeServer]) -> None:
    planned(both)
    assert ran(both, "apply", str(PLAN)).code == 0
    assert written(both) == {"acme": 5, "globex": 5}


@pytest.mark.parametrize("stale", ["acme", "globex"])
def test_a_plan_for_two_organizations_of_which_one_has_changed_is_carried_out_for_none(
    stale: str, both: dict[str, FakeServer]
) -> None:
    planned(both)
    set_roles("dan")(both[stale])
    result = ran(both, "apply", str(PLAN))
    assert (result.code, written(both)) == (5, {"acme": 0, "globex": 0})
    assert f"error: the plan of {stale} is not the one in the plan file any more\n" in result.err
    assert sorted(record["event"] for record in records()) == ["refused", "refused", "run", "run"]


def test_an_organization_that_is_new_since_stops_all(folder: Path, server: FakeServer) -> None:
    planned(server)
    write_policy(folder / "policies/globex", HEAD.replace("acme", "globex"))
    servers = {"acme": server, "globex": many()}
    result = ran(servers, "apply", str(PLAN), ACME_CIRCLECI_SCIM_URL=BASE)
    assert (result.code, written(servers)) == (5, {"acme": 0, "globex": 0})
    assert "error: the plan file has no plan for globex\n" in result.err


def test_an_organization_that_is_gone_since_stops_all(folder: Path, both: dict[str, FakeServer]) -> None:
    planned(both)
    (folder / "policies/globex").rename(folder / "globex")
    result = ran(both, "apply", str(PLAN))
    assert (result.code, written(both)) == (5, {"acme": 0, "globex": 0})
    assert "error: the policy has no organization globex any more\n" in result.err


# Expected


def test_the_plan_that_is_expected_is_carried_out(server: FakeServer) -> None:
    assert ran(server, "apply", "--expect", fingerprint(server)).code == 0
    assert len(server.writes) == 5


def test_a_plan_that_is_not_expected_is_refused(server: FakeServer) -> None:
    now = fingerprint(server)
    result = refused(server, 5, "apply", "--expect", "0" * 32)
    assert result.err == f"error: the plan of acme is {now}, which is not expected\n{NOTHING}"
    assert [record["event"] for record in records()] == ["run", "refused"]


@pytest.mark.parametrize("option", ["--expect", "--approve"])
@pytest.mark.parametrize("value", ["", "abc", "0" * 31, "0" * 33, "A" * 32, f"{'0' * 32}\n", "\x1b[31m"])
def test_what_is_no_fingerprint_is_a_mistake(value: str, option: str, server: FakeServer) -> None:
    result = refused(server, 2, "apply", option, value)
    shown = value.replace("\n", "\\n").replace("\x1b", "\\x1b")
    assert (result.out, server.requests, LEDGER.exists()) == ("", [], False)
    assert result.err == (
        f"error: '{shown}' is no fingerprint: 32 hexadecimal digits, as `plan` shows them\n"
    )


def test_of_several_organizations_each_plan_that_changes_anything_must_be_expected(
    both: dict[str, FakeServer],
) -> None:
    prints = [one["fingerprint"] for one in planned(both)["plans"]]
    only_one = ran(both, "apply", "--expect", prints[0])
    assert (only_one.code, written(both)) == (5, {"acme": 0, "globex": 0})
    one_more = ran(both, "apply", *expecting(*prints, "0" * 32))
    assert (one_more.code, written(both)) == (5, {"acme": 0, "globex": 0})
    assert one_more.err.startswith(f"error: there is no plan {'0' * 32} any more\n")
    assert ran(both, "apply", *expecting(*reversed(prints))).code == 0
    assert written(both) == {"acme": 5, "globex": 5}


def expecting(*prints: str) -> list[str]:
    return [word for one in prints for word in ("--expect", one)]


def test_an_organization_without_changes_needs_no_expectation(both: dict[str, FakeServer]) -> None:
    prints = [one["fingerprint"] for one in planned(both)["plans"]]
    assert ran(both, "apply", "policies/globex").code == 0
    assert ran(both, "apply", *expecting(*prints)).code == 5
    assert written(both) == {"acme": 0, "globex": 5}
    assert ran(both, "apply", *expecting(prints[0])).code == 0
    assert written(both) == {"acme": 5, "globex": 5}


def test_a_plan_for_nothing_may_be_expected(server: FakeServer) -> None:
    assert ran(server, "apply").code == 0
    assert ran(server, "apply", "--expect", fingerprint(server)).code == 0


@pytest.mark.parametrize("option", ["--expect", "--approve"])
def test_a_plan_file_and_another_fingerprint_contradict_each_other(option: str, server: FakeServer) -> None:
    own = planned(server)["plans"][0]["fingerprint"]
    result = refused(server, 2, "apply", str(PLAN), option, "0" * 32)
    assert (result.out, server.requests) == ("", [])
    assert result.err == f"error: the plan file has no plan with the fingerprint {'0' * 32}\n"
    assert ran(server, "apply", str(PLAN), option, own).code == 0


# Approved


def test_what_guardrails_refuse_can_be_approved_for_one_plan(folder: Path, server: FakeServer) -> None:
    strict(folder / "policies/acme")
    result = refused(server, 4, "apply")
    now = fingerprint(server)
    assert f"approve this one plan with `apply --approve {now}`" in result.out
    assert ran(server, "apply", "--approve", now).code == 0
    runs = [record for record in records() if record["event"] == "run"]
    assert [record.get("approved") for record in runs] == [None, ["last_roles"]]
    assert "  approved in spite of last_roles\n" in ran(server, "history", latest()).out


def test_an_approval_ends_when_the_plan_changes(folder: Path, server: FakeServer) -> None:
    strict(folder / "policies/acme")
    now = fingerprint(server)
    set_roles("dan")(server)
    result = refused(server, 5, "apply", "--approve", now)
    assert result.err == f"error: there is no plan {now} any more\n{NOTHING}"


def test_an_approval_of_what_nothing_refuses_is_not_kept(server: FakeServer) -> None:
    assert ran(server, "apply", "--approve", fingerprint(server)).code == 0
    assert not any("approved" in record for record in records())


@pytest.mark.parametrize(
    ("guardrail", "limits"),
    [
        ("minimum_admins", "{minimum_admins: 2}"),
        ("required_admins", "{minimum_admins: 1, required_admins: [bob@acme.example]}"),
        ("protected", "{minimum_admins: 1, protected: [ghost@acme.example]}"),
    ],
)
def test_some_guardrails_can_t_be_overruled(
    guardrail: str, limits: str, folder: Path, server: FakeServer
) -> None:
    head = HEAD.partition("guardrails:")[0] + f"guardrails: {limits}\n"
    (folder / "policies/acme/organization.yaml").write_text(head, encoding="utf-8")
    server.data["Groups"]["g-platform"]["members"] = [{"value": "u-ada"}]
    now = ran(server, "plan", "--format", "json").data["plans"][0]["fingerprint"]
    result = refused(server, 4, "apply", "--approve", now)
    assert result.err.splitlines()[0] == (
        f"error: nothing was written to acme: refused by {guardrail}, which no approval covers"
    )
    assert ran(server, "plan", "--out", str(PLAN)).code == 4
    refused(server, 4, "apply", str(PLAN), "--approve", now)


def test_an_approval_is_for_one_organization(folder: Path, both: dict[str, FakeServer]) -> None:
    for name in both:
        (folder / f"policies/{name}/organization.yaml").write_text(
            ORGANIZATION.replace("acme", name), encoding="utf-8"
        )
    now = ran(both, "plan", "--format", "json").data["plans"][0]["fingerprint"]
    result = ran(both, "apply", "--approve", now)
    assert (result.code, written(both)) == (4, {"acme": 5, "globex": 0})


# Nothing that is not recorded


def test_a_ledger_that_another_run_writes_is_not_written_to(server: FakeServer) -> None:
    with Ledger(LEDGER, moment):
        result = refused(server, 2, "apply")
        assert (result.out, server.requests, LEDGER.read_bytes()) == ("", [], b"")
    assert result.err == (
        "error: another run is writing the ledger .reconciler/ledger.jsonl\n"
        "hint: wait until it is over, or use --ledger\n"
    )
    assert ran(server, "apply").code == 0


def test_a_run_that_another_one_keeps_from_its_ledger_says_so_as_json_too(server: FakeServer) -> None:
    with Ledger(LEDGER, moment):
        result = ran(server, "apply", "--format", "json")
    assert (result.code, result.data["runs"]) == (2, [])
    assert result.data["failures"] == [
        {
            "organization": "",
            "message": "another run is writing the ledger .reconciler/ledger.jsonl",
            "hint": "wait until it is over, or use --ledger",
            "exit_code": 2,
        }
    ]


def test_a_ledger_whose_last_record_was_edited_stops_the_run_before_it_asks(server: FakeServer) -> None:
    assert ran(server, "apply").code == 0
    content = LEDGER.read_bytes().replace(b'"applied":5', b'"applied":4')
    LEDGER.write_bytes(content)
    result = refused(server, 1, "apply")
    assert (result.out, server.requests, LEDGER.read_bytes()) == ("", [], content)
    assert result.err == (
        "error: the ledger .reconciler/ledger.jsonl can't be continued: "
        "its last record is not as it was written\n"
        "hint: keep it as evidence, and name another with --ledger\n"
    )
    assert ran(server, "apply", "--ledger", "other.jsonl").code == 0


def test_a_link_in_the_place_of_the_ledger_is_not_followed(server: FakeServer) -> None:
    LEDGER.parent.mkdir()
    LEDGER.symlink_to("../target")
    result = refused(server, 2, "apply")
    assert (result.out, server.requests, Path("target").exists()) == ("", [], False)
    assert "can't be opened: links are not followed\n" in result.err


def test_on_a_full_disk_nothing_is_written_that_is_not_recorded(server: FakeServer) -> None:
    assert ran(server, "apply").code == 0
    size = LEDGER.stat().st_size
    seen = set()
    for limit in range(0, size, 61):
        server, path = many(), f"{limit}.jsonl"
        with room(limit):
            result = ran(server, "apply", "--ledger", path, CIRCLECI_SCIM_AT_ONCE="1")
        announced = [one["change"]["id"] for one in in_file(path) if one["event"] == "write"]
        assert [request.rpartition("/")[2] for request in server.writes] == announced
        assert (result.code, "can't be written: file too large" in result.err + result.out) in (
            (1, True),
            (8, True),
        )
        seen.add((len(announced), result.code))
        if announced:
            assert f"applied {len(announced)} of 5 changes" in result.out
    assert {number for number, _ in seen} == {0, 1, 2, 3, 4, 5}


def test_on_a_full_disk_nothing_is_written_that_is_not_recorded_where_writes_overlap(
    server: FakeServer,
) -> None:
    assert ran(server, "apply").code == 0
    for limit in range(0, LEDGER.stat().st_size, 487):
        server, path = many(), f"{limit}.jsonl"
        with room(limit):
            result = ran(server, "apply", "--ledger", path)
        announced = {one["change"]["id"] for one in in_file(path) if one["event"] == "write"}
        assert {request.rpartition("/")[2] for request in server.writes} <= announced
        assert result.code in (1, 8)


def in_file(path: str) -> list[Json]:
    return [json.loads(line) for line in Path(path).read_text(encoding="ascii").splitlines()]


@pytest.mark.parametrize("at_once", [1, 8])
def test_every_record_is_on_the_disk_before_its_request_arrives(server: FakeServer, at_once: int) -> None:
    class Looking(FakeServer):
        def answer(self, request: httpx.Request) -> httpx.Response:
            if request.method != "GET":
                recorded = [one["change"]["id"] for one in records() if one["event"] == "write"]
                ours = recorded[-1:] if at_once == 1 else recorded
                assert request.url.path.rpartition("/")[2] in ours
                assert at_once > 1 or records()[-1]["event"] == "write"
            return super().answer(request)

    looking = Looking(server.users, server.groups)
    assert ran(looking, "apply", CIRCLECI_SCIM_AT_ONCE=str(at_once)).code == 0
    assert len(LEDGER.read_bytes().splitlines()) == 12
