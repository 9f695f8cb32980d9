"""Plan files: what is none, what was edited, what differs from the plan that would run now."""

import json
import os
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import build
import pytest
from build import END, NOW, SERVER, WEB, holds, live, organization, provenance
from jsonschema import Draft202012Validator
from recording import planned

from reconciler import drift, guardrails, plan, planfile
from reconciler.change import AccountChange
from reconciler.change import data as change_data
from reconciler.errors import ReadError, SettingsError
from reconciler.finding import Finding
from reconciler.finding import Kind as FindingKind
from reconciler.model import ORGANIZATION, DesiredState, Holdings
from reconciler.plan import Plan
from reconciler.planfile import Reviewed
from reconciler.planning import Prepared
from reconciler.policy import schema
from reconciler.policy.document import Guardrails, Limit, Mode, StoredAs
from reconciler.problem import Problem
from reconciler.report import data

Json = dict[str, Any]

BEFORE = {"ann": holds("admin"), "bob": holds("viewer")}
WANTED = {"ann": holds("admin"), "bob": holds("contributor", web="admin")}
VALIDATOR = Draft202012Validator(json.loads(schema.text("plan")))


def prepared(
    before: Mapping[str, Holdings] = BEFORE,
    wanted: DesiredState | Mapping[str, Holdings] = WANTED,
    *,
    mode: Mode = Mode.ENFORCE,
    stored_as: StoredAs = StoredAs.USER_ROLES,
    problems: tuple[Problem, ...] = (),
    limits: Guardrails = build.UNLIMITED,
    name: str = "acme",
    accounts: Sequence[AccountChange] = (),
    findings: tuple[Finding, ...] = (),
) -> Prepared:
    people = [change.principal for change in accounts]
    state = live(before, *people, role_groups=frozenset() if stored_as is StoredAs.GROUPS else None)
    asked = wanted if isinstance(wanted, DesiredState) else build.desired(wanted)
    of = organization(mode, stored_as=stored_as, name=name)
    todo = plan.build(
        drift.detect(asked, state),
        of,
        SERVER,
        state.role_groups,
        problems,
        "7" * 32,
        accounts,
        findings,
    )
    return Prepared(todo, state, guardrails.check(todo, asked, state, limits, token_user=None, now=NOW))


def document(*plans: Prepared, policy: str = "policies") -> Json:
    made = {**data.plans(policy, plans or [prepared()], []), "problems": []}
    found: Json = json.loads(json.dumps(made))
    return found


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a plan file would be, in the current folder."""
    monkeypatch.chdir(tmp_path)
    return Path("plan.json")


def refusal(path: Path, content: Json | str | bytes | None = None) -> str:
    """Why a file with this content is no plan."""
    if content is not None:
        text = content if isinstance(content, str | bytes) else json.dumps(content)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(SettingsError) as caught:
        planfile.read(path)
    assert caught.value.hint == "make one with `plan --out`"
    start, _, reason = caught.value.message.partition(" is no plan that can be applied: ")
    assert start == str(path)
    return reason


# What is written


WHY = provenance("eng", "admin", reason="INC-1", until=END)
ACCOUNTS: list[AccountChange] = [
    build.create_user("joe"),
    build.correct("max", display_name="Max", email="max@acme.example", user_name="m@acme.example"),
    build.reactivate("rex"),
    build.deactivate("lea"),
    build.delete_user(
        build.principal("old", active=False)._replace(display_name="Old", email="o@acme.example")
    ),
]
FINDINGS = (
    *(Finding(kind, "ann@acme.example", "is odd") for kind in FindingKind),
    Finding(FindingKind.GRANT, "bob@acme.example", "ends", "renew it", build.at(3), END),
)
KINDS = {
    "changes": prepared(),
    "nothing to do": prepared(BEFORE, BEFORE),
    "role groups": prepared(stored_as=StoredAs.GROUPS),
    "mode additive": prepared(WANTED, BEFORE, mode=Mode.ADDITIVE),
    "mode report": prepared(mode=Mode.REPORT),
    "reasons": prepared(
        wanted=build.desired(
            WANTED, why={"bob": {WEB: (WHY, replace(WHY, ended=True)), ORGANIZATION: (provenance(),)}}
        )
    ),
    "problems": prepared(
        problems=(Problem(build.at(), "no group 'eng'", "name one"), Problem(build.at(0), "no"))
    ),
    "violations": prepared(
        {"ann": holds("admin"), "bob": holds("admin")},
        {},
        limits=Guardrails(removals=Limit(0, 0), protected=("ann@acme.example",)),
    ),
    "accounts": prepared(accounts=ACCOUNTS, findings=FINDINGS),
    "accounts that are withheld": prepared(accounts=ACCOUNTS, mode=Mode.REPORT),
    "undo": prepared(
        wanted=replace(
            build.desired(WANTED, why={"bob": {WEB: (replace(provenance(), entry="undo", name="a1b2c3"),)}}),
            entries={"u-bob": {WEB: ('{"value": "WEB-admin"}',)}},
        )
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_plan_fits_its_schema_and_can_be_read(kind: str, path: Path) -> None:
    content = document(KINDS[kind])
    VALIDATOR.validate(content)
    planfile.write(path, content)
    found = planfile.read(path)
    [expected] = content["plans"]
    assert found.policy == Path("policies")
    assert found.plans["acme"].fingerprint == expected["fingerprint"] == KINDS[kind].plan.fingerprint
    assert [*found.plans["acme"].changes] == [change_data(change) for change in KINDS[kind].plan.changes]
    assert planfile.differences(found.plans["acme"], KINDS[kind].plan) == []


def test_these_kinds_have_everything_in_them_that_a_plan_can_have() -> None:
    has = [json.dumps(document(kind)) for kind in KINDS.values()]
    for words in (
        '"create-group"',
        '"create-user"',
        '"set-attributes"',
        '"set-active"',
        '"delete-user"',
        '"findings": [{',
        '"withheld": [{',
        '"temporary grant"',
        '"ended": true',
        '"entry": "undo"',
        '"entries": ["',
        '"violations": [{"',
        '"approvable": false',
        '"approvable": true',
        '"problems": [{',
        '"line": null',
    ):
        assert any(words in text for text in has), words


def test_failures_and_problems_of_files_fit_the_schema_too() -> None:
    failed = data.plans("policies", [], [("acme", ReadError("could not read", "try again"))])
    VALIDATOR.validate(json.loads(json.dumps({**failed, "problems": []})))


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(VALIDATOR.schema)


@pytest.mark.usefixtures("path")
@pytest.mark.parametrize("name", ["nowhere/plan.json", "folder", "pipe", "n" * 300, "nul\0"])
def test_where_no_file_can_be_no_plan_is_written(name: str) -> None:
    Path("folder").mkdir()
    os.mkfifo("pipe")
    before = sorted(os.listdir())
    with pytest.raises(SettingsError, match="the plan can't be written to "):
        planfile.write(Path(name), document())
    assert sorted(os.listdir()) == before


# What was edited


def test_what_was_not_edited_is_read(path: Path) -> None:
    planfile.write(path, document())
    assert planfile.read(path).plans["acme"].organization == "acme"


def leaves(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a document that holds a single value or nothing."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    found = [place for key, part in inside for place in leaves(part, (*at, key))]
    return found or [at]


def inside(document: Any, place: tuple[Any, ...]) -> Any:
    for step in place:
        document = document[step]
    return document


BOUND = ("organization", "server", "tree", "mode", "changes", "fingerprint")


def edits() -> list[tuple[str, Json]]:
    """Each value that the fingerprint binds, edited so that it still looks like a plan."""
    found: list[tuple[str, Json]] = []
    other: dict[object, object] = {
        "enforce": "additive",
        "viewer": "admin",
        "contributor": "viewer",
        "admin": "viewer",
        None: "web",
        "set-roles": "create-group",
        "create-group": "set-roles",
    }
    for kind in ("changes", "role groups", "undo"):
        sound = document(KINDS[kind])
        for place in leaves(sound["plans"][0], ("plans", 0)):
            if place[2] not in BOUND or "why" in place:
                continue
            value = inside(sound, place)
            edited = deepcopy(sound)
            if isinstance(value, list):
                new: Any = ["viewer"]
            elif place[-1] in ("tree", "fingerprint"):
                new = "0" + value[1:] if value[0] != "0" else "1" + value[1:]
            else:
                new = other.get(value, f"{value}x")
            inside(edited, place[:-1])[place[-1]] = new
            found.append((f"{kind}: {'.'.join(map(str, place[2:]))}", edited))
    return found


@pytest.mark.parametrize(("edited"), [pytest.param(one, id=name) for name, one in edits()])
def test_an_edit_of_anything_that_is_written_or_overwritten_is_found(edited: Json, path: Path) -> None:
    refusal(path, edited)


def swapped(plans: Json) -> None:
    plans["changes"].reverse()


def without_the_last(plans: Json) -> None:
    plans["changes"].pop()


def twice(plans: Json) -> None:
    plans["changes"].append(plans["changes"][0])


def another_order_of_scopes(plans: Json) -> None:
    next(change for change in plans["changes"] if len(change.get("scopes", ())) > 1)["scopes"].reverse()


@pytest.mark.parametrize("edit", [swapped, without_the_last, twice, another_order_of_scopes])
def test_changes_that_are_moved_added_or_taken_away_are_found(
    edit: Callable[[Json], None], path: Path
) -> None:
    edited = document(KINDS["role groups"])
    edit(edited["plans"][0])
    assert refusal(path, edited) == "the plan of acme does not fit its fingerprint"


def test_an_edit_of_one_of_two_plans_is_found(path: Path) -> None:
    edited = document(prepared(), prepared(name="globex"))
    edited["plans"][1]["server"] += "x"
    assert refusal(path, edited) == "the plan of globex does not fit its fingerprint"


def test_two_plans_for_one_organization_are_none(path: Path) -> None:
    assert refusal(path, document(prepared(), prepared(BEFORE, BEFORE))) == (
        "it has two plans for one organization"
    )


def test_what_the_fingerprint_does_not_bind_is_for_people_alone(path: Path) -> None:
    edited = document(KINDS["reasons"])
    edited["plans"][0]["changes"][0]["scopes"][0]["why"] = []
    edited["plans"][0] |= {"violations": [], "problems": [], "withheld": [], "drift": False}
    planfile.write(path, edited)
    assert planfile.read(path).plans == {"acme": read_back(KINDS["reasons"].plan)}


def read_back(of: Plan) -> Reviewed:
    changes = tuple(map(change_data, of.changes))
    return Reviewed(of.organization, of.server, of.tree, of.mode, of.fingerprint, changes)


# What is no plan


ODD: Sequence[Any] = (None, 7, 1.5, True, "", "odd", [], [[]], {}, {"a": 1})


def nested(depth: int) -> str:
    return "[" * depth + "]" * depth


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        pytest.param("", "it is no JSON", id="empty"),
        pytest.param("plan", "it is no JSON", id="text"),
        pytest.param(b"\xff\xfe\xff", "it is no JSON", id="no UTF-8"),
        pytest.param("{}{}", "it is no JSON", id="two documents"),
        pytest.param("null", "the document: None is not of type 'object'", id="null"),
        pytest.param("[]", "the document: [] is not of type 'object'", id="list"),
        pytest.param("7", "the document: 7 is not of type 'object'", id="number"),
        pytest.param(
            '{"format": "reconciler.plan/1", "format": "reconciler.plan/1"}', "it is no JSON", id="twice"
        ),
        pytest.param('{"format": NaN}', "it is no JSON", id="NaN"),
        pytest.param('{"format": -Infinity}', "it is no JSON", id="infinity"),
        pytest.param("9" * 5000, "it is no JSON", id="too long a number"),
        pytest.param(nested(200_000), "it is nested too deeply", id="deep"),
    ],
)
def test_what_is_no_plan_is_told(content: str | bytes, reason: str, path: Path) -> None:
    assert refusal(path, content) == reason


def test_a_plan_that_was_cut_anywhere_is_none(path: Path) -> None:
    text = json.dumps(document())
    for length in range(len(text)):
        assert refusal(path, text[:length]) == "it is no JSON"


def test_keys_that_stand_there_twice_are_found_at_any_depth(path: Path) -> None:
    text = json.dumps(document())
    for key in ('"mode": "enforce", ', '"kind": "set-roles", ', '"project": null'):
        assert text.count(key)
        more = f"{key.rstrip(', ')}, "
        assert refusal(path, text.replace(key, more + key, 1)) == "it is no JSON"


@pytest.mark.parametrize("depth", [*range(2, 400, 13), *range(400, 3000, 97), 10_000, 100_000])
def test_however_deep_it_is_nested_it_is_told(depth: int, path: Path) -> None:
    text = json.dumps(document()).replace('"why": []', f'"why": {nested(depth)}', 1)
    assert nested(depth) in text
    assert refusal(path, text)
    assert refusal(path, json.dumps(document()).replace('"plans": ', f'"more": {nested(depth)}, "plans": '))


def test_wherever_something_of_another_type_stands_it_is_told(path: Path) -> None:
    sound = document(
        KINDS["reasons"],
    )
    tried = 0
    for place in leaves(sound):
        for odd in ODD:
            if inside(sound, place) == odd or (place[-1] in ("line", "measured", "limit") and odd == 7):
                continue
            if "summary" in place and type(inside(sound, place)) is type(odd):
                continue
            if place[:3] != ("plans", 0, "changes") and place[:3] != ("plans", 0, "server"):
                free = place[-1] in ("policy", "failures", "problems", "withheld", "violations", "drift")
            else:
                free = "why" in place
            if free:
                continue
            edited = deepcopy(sound)
            inside(edited, place[:-1])[place[-1]] = odd
            assert refusal(path, edited), (place, odd)
            tried += 1
    assert tried > 100


@pytest.mark.parametrize(("key", "value"), [("user", 5), ("id", "")], ids=["user", "id"])
def test_of_many_changes_that_are_alike_the_one_with_a_fault_is_told(
    key: str, value: object, path: Path
) -> None:
    names = [f"p{number}" for number in range(9)]
    edited = document(
        prepared(dict.fromkeys(names, holds("viewer")), dict.fromkeys(names, holds("contributor")))
    )
    edited["plans"][0]["changes"][6][key] = value
    assert refusal(path, edited).startswith("plans[0].changes[6]: ")


def test_a_key_that_is_missing_or_unknown_is_told(path: Path) -> None:
    sound = document(KINDS["reasons"])
    for place in leaves(sound):
        edited = deepcopy(sound)
        mapping = inside(edited, place[:-1])
        if not isinstance(mapping, dict):
            continue
        del mapping[place[-1]]
        assert refusal(path, edited), place
        mapping[place[-1]] = inside(sound, place)
        mapping["more"] = 1
        assert refusal(path, edited), place


def test_a_version_that_is_unknown_is_told(path: Path) -> None:
    assert "'reconciler.plan/1' was expected" in refusal(path, {**document(), "format": "reconciler.plan/2"})


def test_a_huge_file_is_not_read(path: Path) -> None:
    path.touch()
    os.truncate(path, planfile.LARGEST + 1)
    assert refusal(path) == "it has more than 268435456 bytes"


def test_a_file_that_is_not_there_is_told(path: Path) -> None:
    assert refusal(path) == "it can't be read: no such file or directory"


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo], ids=["folder", "pipe"])
def test_what_is_no_file_is_told_and_not_waited_for(make: Callable[[Path], None], path: Path) -> None:
    make(path)
    assert refusal(path) == "it can't be read: it is no regular file"


@pytest.fixture
def theirs(tmp_path: Path) -> None:
    """A plan that nobody may read."""
    (tmp_path / "plan.json").touch(mode=0)


@pytest.mark.usefixtures("theirs", "without_privileges")
def test_a_file_that_may_not_be_read_is_told() -> None:
    assert refusal(Path("plan.json")) == "it can't be read: permission denied"


# Where its policy is


@pytest.mark.parametrize(
    "folder",
    [
        "..",
        "../elsewhere",
        "policies/../..",
        "/",
        "/etc",
        "link",
        "link/acme",
        "policies/link/acme",
        "~/../..",
        "\0",
        "\ud800",
    ],
    ids=[
        "above",
        "beside",
        "up again",
        "root",
        "absolute",
        "link",
        "below a link",
        "link in the middle",
        "up",
        "NUL",
        "surrogate",
    ],
)
def test_a_folder_outside_of_the_current_one_is_refused(folder: str, path: Path) -> None:
    Path("policies").mkdir()
    Path("link").symlink_to("/etc")
    Path("policies/link").symlink_to("../..")
    reason = refusal(path, document(policy=folder))
    assert reason == f"the folder {folder} that it names is not in the current one"


@pytest.mark.parametrize("folder", [".", "policies", "policies/acme", "a/../policies", "link", "..policies"])
def test_a_folder_in_the_current_one_is_taken(folder: str, path: Path) -> None:
    Path("link").symlink_to("policies")
    path.write_text(json.dumps(document(policy=folder)), encoding="utf-8")
    assert planfile.read(path).policy == Path(folder)


@pytest.mark.parametrize(
    ("folder", "place"),
    [
        ("policies", "policies"),
        ("./policies/", "policies"),
        (".", "."),
        ("link", "policies"),
        ("a/../policies", "policies"),
    ],
)
def test_a_plan_names_the_folder_of_its_policy_by_where_it_is(folder: str, place: str, path: Path) -> None:
    Path("link").symlink_to("policies")
    assert planfile.place(Path(folder)) == place
    assert planfile.place(Path.cwd() / folder) == place
    assert path.parent == Path()


@pytest.mark.parametrize("folder", ["..", "/etc", "../policies", "link"])
def test_a_plan_is_not_written_for_a_policy_elsewhere(folder: str, path: Path) -> None:
    path.with_name("link").symlink_to("/etc")
    with pytest.raises(SettingsError) as caught:
        planfile.place(Path(folder))
    assert caught.value.message == (
        f"a plan file can't be written for {folder}: it is not in the current folder"
    )


# What differs


def told(now: Plan, then: Plan | None = None) -> list[str]:
    return planfile.differences(read_back(then or prepared().plan), now)


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"tree": "8" * 32}, "the policy files are not those that the plan was made from"),
        ({"server": "https://other.example"}, f"the server was {SERVER}, it is https://other.example"),
        ({"mode": Mode.REPORT}, "the mode was enforce, it is report"),
    ],
    ids=["tree", "server", "mode"],
)
def test_what_is_not_about_people_is_told_in_a_line(change: dict[str, Any], line: str) -> None:
    assert told(replace(prepared().plan, **change)) == [line]


@pytest.mark.parametrize(
    ("before", "wanted", "lines"),
    [
        (BEFORE, WANTED, []),
        (
            {**BEFORE, "bob": holds()},
            WANTED,
            [
                "bob@acme.example (id u-bob): was organization viewer -> contributor, web none -> admin; "
                "is organization none -> contributor, web none -> admin"
            ],
        ),
        (
            WANTED,
            WANTED,
            [
                "bob@acme.example (id u-bob): was organization viewer -> contributor, web none -> admin; "
                "is no change"
            ],
        ),
        (
            {**BEFORE, "cat": holds("viewer", app="admin viewer")},
            WANTED,
            [
                "cat@acme.example (id u-cat): was no change; "
                "is organization viewer -> none, app admin + viewer -> none"
            ],
        ),
    ],
    ids=["nothing", "another before", "done already", "somebody else"],
)
def test_each_person_who_would_change_otherwise_is_told(
    before: Mapping[str, Holdings], wanted: Mapping[str, Holdings], lines: list[str]
) -> None:
    assert told(prepared(before, wanted).plan) == lines


def test_a_group_that_is_to_be_created_is_told() -> None:
    then = prepared(BEFORE, BEFORE, stored_as=StoredAs.GROUPS).plan
    now = prepared(BEFORE, {**BEFORE, "bob": holds("viewer", web="admin")}, stored_as=StoredAs.GROUPS).plan
    assert told(now, then) == [
        "bob@acme.example (id u-bob): was no change; is web none -> admin",
        "group circleci-web-admin: was no change; is created",
    ]


def test_accounts_to_which_something_else_would_happen_are_told() -> None:
    lines = told(prepared(accounts=ACCOUNTS).plan)
    assert lines == [
        "joe@acme.example (id new:joe@acme.example): was no change; is created with 00u-joe, Joe",
        "lea@acme.example (id u-lea): was no change; is deactivated",
        "max@acme.example (id u-max): was no change; is displayName none -> Max, "
        "emails none -> max@acme.example, userName max@acme.example -> m@acme.example",
        "old@acme.example (id u-old): was no change; is deleted with Old, o@acme.example",
        "rex@acme.example (id u-rex): was no change; is reactivated",
    ]


def test_roles_and_account_of_one_person_are_told_together() -> None:
    nothing = prepared(BEFORE, BEFORE).plan
    lines = told(prepared(wanted={"ann": holds("admin")}, accounts=[build.deactivate("bob")]).plan, nothing)
    assert lines == [
        "bob@acme.example (id u-bob): was no change; is organization viewer -> none, deactivated"
    ]


def test_an_account_of_which_only_the_name_is_known_is_told() -> None:
    bare = build.delete_user("old")
    assert told(prepared(accounts=[bare]).plan) == [
        "old@acme.example (id u-old): was no change; is deleted with nothing but the name"
    ]


def test_many_differences_are_counted() -> None:
    crowd = {f"p{number:02}": holds("viewer") for number in range(25)}
    lines = told(planned(live(crowd), {}), planned(live({}), {}))
    assert len(lines) == planfile.TOLD + 1
    assert lines[-1] == "and 5 more"
