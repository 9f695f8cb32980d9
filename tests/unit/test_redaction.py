"""What is for the public: it tells the same, and no name of anybody is in it, in whatever format."""

import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from build import (
    END,
    NOW,
    SERVER,
    WEB,
    at,
    create_user,
    delete_user,
    holds,
    live,
    membership,
    organization,
    plan,
    policy,
    provenance,
    reactivate,
    scope_change,
    set_roles,
)

from reconciler import planfile
from reconciler.change import (
    AccountChange,
    Attribute,
    AttributeChange,
    CreateUser,
    Result,
    SetActive,
    SetAttributes,
    SetRoles,
)
from reconciler.comparison import EVERYBODY, Comparison, Source, Standing
from reconciler.drifted import (
    Admin,
    Bound,
    Cause,
    Drifted,
    DriftedAccount,
    DriftedPerson,
    DriftedScope,
    Since,
)
from reconciler.edits import THERE, Edit
from reconciler.errors import ReadError, SettingsError
from reconciler.explanation import Case
from reconciler.finding import Finding, Kind
from reconciler.guardrails import Violation
from reconciler.history import Begun, Ended, Leaver, PastRun, ScopeWrite, Skip, Write
from reconciler.model import (
    DIRECTORY,
    ORGANIZATION,
    DesiredState,
    LiveState,
    Member,
    Principal,
    Provenance,
    Role,
    Scope,
)
from reconciler.overview import Overview
from reconciler.planning import Prepared
from reconciler.policy.document import RoleEntry, TemporaryGrant
from reconciler.problem import Location, Problem
from reconciler.redaction import Redaction, fault, unread
from reconciler.report import data, difference, drift, drift_junit, text
from reconciler.report.difference import Revisions, Told
from reconciler.report.markdown import difference as difference_markdown
from reconciler.report.markdown import drift as drift_markdown
from reconciler.report.markdown import plan as markdown
from reconciler.report.markdown.dialect import Dialect

REDACTION = Redaction(b"salt")
SECRETS = ("Zelda", "zelda", "quark", "4711")
"""What every name, e-mail, key and sentence of this world has in it."""


def person(number: int, *, active: bool = True) -> Principal:
    return Principal(
        f"4711-id-{number}",
        f"zelda-{number}@quark.example",
        f"ext-4711-{number}",
        active,
        f"Zelda {number}",
        email=f"zelda.{number}@mail.quark.example",
    )


ANN, BEA, CAL, DEE, EVE = map(person, range(5))
NEW = person(9)._replace(id="new:zelda-9@quark.example")
WORDS = "of Zelda (zelda-0@quark.example, id 4711)"


def reason(entry: str, role: Role = Role.ADMIN, **given: Any) -> Provenance:
    return Provenance(entry, BEA.user_name, at(7), role, reason=WORDS, until=END, **given)


CHANGES = (
    set_roles(ANN, scope_change(ORGANIZATION, "admin", "")),
    set_roles(BEA, scope_change(ORGANIZATION, "", "admin", reason("temporary grant"))),
    set_roles(CAL, scope_change(WEB, "admin", "viewer", provenance("eng-web", "viewer", line=4))),
    set_roles(DEE, scope_change(WEB, "admin", "", reason("end", ended=True))),
    set_roles(EVE, scope_change(WEB, "admin", "", replace(reason(DIRECTORY), name=WORDS, withheld=True))),
    CreateUser(NEW, WORDS),
    SetAttributes(
        CAL,
        (
            AttributeChange(Attribute.DISPLAY_NAME, "Zelda 2", "Zelda Two"),
            AttributeChange(Attribute.EMAIL, None, "zelda@quark.example"),
            AttributeChange(Attribute.USER_NAME, CAL.user_name, "zelda-two@quark.example"),
        ),
        WORDS,
    ),
    SetActive(EVE, False, WORDS),
    delete_user(person(8, active=False), WORDS),
)
FINDINGS = tuple(Finding(kind, ANN.user_name, WORDS, WORDS, at(3), NOW) for kind in Kind)
VIOLATION = Violation("removals", 4, 1, "4 people would lose", "check", (ANN.user_name, DEE.user_name), True)
BROKEN = Violation("assertions", 1, 0, f"'{WORDS}' would be broken {WORDS}", WORDS, (BEA.user_name,))


def world() -> Prepared:
    people = (ANN, BEA, CAL, DEE, EVE, NEW, person(8, active=False))
    before = LiveState(
        {one.id: one for one in people},
        {ANN.id: holds("admin"), **{one.id: holds(web="admin") for one in (CAL, DEE, EVE)}},
        None,
        {ANN.id: {ORGANIZATION: ('{"display": "Zelda"}',)}},
        {ANN.id: ("zelda's",)},
    )
    entries = replace(scope_change(WEB, "", "viewer", reason("service account")), entries=('{"v":"Zelda"}',))
    planned = plan(
        *CHANGES,
        withheld=(set_roles(BEA, entries), reactivate(ANN, WORDS)),
        problems=(Problem(at(5), WORDS, WORDS),),
        findings=FINDINGS,
    )
    return Prepared(planned, before, (VIOLATION, BROKEN), leavers=(ANN,))


def texts(prepared: Iterable[Prepared]) -> dict[str, str]:
    shown = list(prepared)
    failures = [("acme", unread())]
    return {
        "text": "\n".join(text.plans(shown, failures, ())),
        "markdown": markdown.plans(shown, failures, (), Dialect()),
        "json": json.dumps(data.plans("policies", shown, failures)),
    }


def test_the_names_of_this_world_would_be_told() -> None:
    for told in texts([world()]).values():
        assert [secret for secret in SECRETS if secret in told] == [*SECRETS]


@pytest.mark.parametrize("output", ["text", "markdown", "json"])
def test_nobody_is_named_in_any_format(output: str) -> None:
    told = texts([REDACTION.prepared(world())])[output]
    assert [secret for secret in SECRETS if secret in told] == []
    assert "policy" in told
    assert "eng-web" in told, "groups stay: they are the policy's"


def test_nothing_but_the_real_fingerprint_is_in_a_redacted_value_that_names_anybody() -> None:
    told = repr(REDACTION.prepared(world()))
    assert [secret for secret in SECRETS if secret in told] == []


def test_the_verdict_is_that_of_the_real_plan_under_its_fingerprint() -> None:
    real, shown = world(), REDACTION.prepared(world())
    assert shown.plan.fingerprint == real.plan.fingerprint
    assert text.verdict(shown).split("\n")[:2] == text.verdict(real).split("\n")[:2]
    assert (
        text.verdict(shown).split("\n")[2].startswith("organization admins: 1 before, 1 after; new: person-")
    )
    assert [type(change) for change in shown.plan.changes] == [
        type(change) for change in sorted(real.plan.changes, key=lambda change: change.stage)
    ]


def test_one_person_has_one_pseudonym_in_one_comment_whatever_the_case_of_the_name() -> None:
    prepared = REDACTION.prepared(world())
    (loser,) = (change for change in prepared.plan.people if change.scopes[0].unseats)
    name = loser.principal.user_name
    assert name == REDACTION.name("ZELDA-0@Quark.example")
    assert name in prepared.violations[0].people
    assert {finding.subject for finding in prepared.plan.findings} == {name}
    grant = next(change for change in prepared.plan.people if change.scopes[0].after == {Role.ADMIN})
    assert grant.scopes[0].why[0].name == grant.principal.user_name


def test_another_salt_gives_other_pseudonyms() -> None:
    one, other = REDACTION.prepared(world()), Redaction(b"other").prepared(world())
    names = [{person.user_name for person in prepared.live.people.values()} for prepared in (one, other)]
    assert len(names[0]) == len(names[1]) == 7
    assert not names[0] & names[1]


def test_ten_thousand_people_have_ten_thousand_pseudonyms() -> None:
    assert len({REDACTION.name(f"person-{index}") for index in range(10_000)}) == 10_000


def test_the_order_of_people_tells_nothing_of_their_names() -> None:
    names = [f"{letter}nn" for letter in "abcdefgh"]
    planned = plan(*(set_roles(name, scope_change(WEB, "", "viewer")) for name in names))
    findings = tuple(Finding(Kind.LEAVER, name, "left") for name in names)
    prepared = Prepared(replace(planned, findings=findings), live(), ())
    shown = REDACTION.prepared(prepared).plan
    users = [change.principal.user_name for change in shown.people]
    assert users == sorted(users)
    assert [c.principal.user_name for c in shown.changes if isinstance(c, type(planned.people[0]))] == users
    subjects = [finding.subject for finding in shown.findings]
    assert subjects == sorted(subjects)


def test_what_a_reviewer_goes_by_is_left() -> None:
    prepared = REDACTION.prepared(world())
    change = next(one for one in prepared.plan.people if one.scopes[0].why[:1] and one.scopes[0].scope == WEB)
    assert change.scopes[0].scope == Scope("web")
    (problem,) = prepared.plan.problems
    assert problem == Problem(
        Location("team.yaml", 5, 1),
        "something that this names could not be resolved",
        "run it without `--redact` where only those read along who may, for what is withheld here",
    )
    assert [(one.kind, one.at, one.since) for one in prepared.plan.findings] == [
        (kind, at(3), NOW) for kind in sorted(Kind)
    ]


def test_a_redacted_plan_is_none_that_could_be_applied(tmp_path: Path) -> None:
    planned = replace(plan(create_user(), *CHANGES[:3]), tree="0" * 32)
    prepared = REDACTION.prepared(Prepared(planned, live({}, BEA), ()))
    document = {**data.plans("policies", [prepared], []), "problems": []}
    planfile.write(tmp_path / "plan.json", document)
    with pytest.raises(SettingsError, match="does not fit its fingerprint"):
        planfile.read(tmp_path / "plan.json")


def test_what_could_not_be_read_is_not_said_in_the_words_of_a_server() -> None:
    assert isinstance(unread(), ReadError)
    assert (
        unread().message == "the server or the directory could not be read whole, so nothing follows from it"
    )


# Drift


PAST = PastRun(
    "1f2e3d4c5b6a",
    replace(
        Begun(
            NOW.isoformat(), "acme", SERVER, "enforce", "", "f" * 32, 1, "zelda", "c0ffee", "zelda", None, ()
        ),
        leavers=(Leaver("4711", "zelda-1@quark.example"),),
        approved=("removals",),
    ),
    (
        Write(
            1,
            ANN.user_name,
            ANN.id,
            True,
            (ScopeWrite(ORGANIZATION, frozenset(), frozenset({Role.ADMIN}), ("Zelda",)),),
            Result.FAILED,
            WORDS,
        ),
    ),
    (Skip(BEA.user_name, WORDS),),
    Ended(NOW.isoformat(), WORDS),
)


def drifted() -> Drifted:
    """Everything that a report of drift may tell, each with names in it."""
    prepared = world()
    grant = TemporaryGrant(BEA.user_name, (RoleEntry(WEB, Role.ADMIN, at(9)),), WORDS, END, at(9))
    case = Case(
        policy(grant, of=organization()),
        SERVER,
        prepared.live,
        replace(membership(), people=frozenset({Member(ANN.id, user_name=ANN.user_name)})),
        DesiredState(prepared.live.roles, {}, problems=(Problem(at(5), WORDS),), findings=FINDINGS),
        NOW,
        (PAST,),
    )
    evidences = (PAST, reason("temporary grant"), None)
    people = [
        DriftedPerson(
            change.principal,
            tuple(
                DriftedScope(
                    one,
                    Cause.CHANGED,
                    Since(NOW, Bound.AFTER, evidences[n % 3]),
                    PAST,
                    tried=PAST,
                    contested=True,
                )
                for one in change.scopes
            ),
            findings=FINDINGS,
        )
        for n, change in enumerate(c for c in CHANGES if isinstance(c, SetRoles))
    ]
    people += [
        DriftedPerson(change.principal, accounts=(DriftedAccount(change, Cause.LEAVER, tried=PAST),))
        for change in CHANGES
        if isinstance(change, AccountChange)
    ]
    return Drifted(
        Overview(case, prepared),
        tuple(people),
        admins=(Admin(ANN), Admin(BEA, END)),
        grants=(grant,),
        last=PAST,
    )


def drift_texts(found: Drifted) -> dict[str, str]:
    failures = [("acme", unread())]
    return {
        "text": "\n".join(drift.lines([found], failures)),
        "markdown": drift_markdown.document([found], failures, (), Dialect()),
        "json": json.dumps(drift.data("policies", [found], failures)),
        "junit": drift_junit.document([found], failures),
    }


def test_the_names_of_what_drifted_would_be_told() -> None:
    for told in drift_texts(drifted()).values():
        assert [secret for secret in SECRETS if secret in told] == [*SECRETS]


@pytest.mark.parametrize("output", ["text", "markdown", "json", "junit"])
def test_drift_names_nobody_in_any_format(output: str) -> None:
    told = drift_texts(REDACTION.drifted(drifted()))[output]
    assert [secret for secret in SECRETS if secret in told] == []
    assert "eng-web" in told, "groups stay: they are the policy's"


def test_no_value_of_redacted_drift_names_anybody() -> None:
    told = repr(REDACTION.drifted(drifted()))
    assert [secret for secret in SECRETS if secret in told] == []


def test_redacted_drift_tells_the_same_of_how_and_since_when() -> None:
    real, shown = drifted(), REDACTION.drifted(drifted())
    assert (drift.verdict([shown]), shown.causes) == (drift.verdict([real]), real.causes)
    assert (drift.last(shown), drift.trend(shown.trend)) == (drift.last(real), drift.trend(real.trend))
    names = [one.principal.user_name for one in shown.people]
    assert names == sorted(names)
    ann = next(one for one in shown.people if one.principal.user_name == REDACTION.name(ANN.user_name))
    assert drift.notes(ann.scopes[0], "enforce") == drift.notes(real.people[0].scopes[0], "enforce")
    assert ann.principal in [admin.principal for admin in shown.admins]
    assert [(one.user, one.reason, one.expires) for one in shown.grants] == [
        (REDACTION.name(BEA.user_name), "reason withheld", END)
    ]


# Edits of policy


PLACE = at(3)
EDITS = (
    Edit(("guardrails", "minimum_admins"), 2, 1, PLACE, loosens=True),
    Edit(("guardrails", "protected"), (ANN.user_name,), (), PLACE, loosens=True),
    Edit(("assertions", WORDS), (WORDS,), None, PLACE, loosens=True),
    Edit(("mode",), "report", "enforce", PLACE, loosens=True),
    Edit(("grants", BEA.user_name, "organization"), None, ("admin until 2026-11-27 23:59 UTC",), PLACE),
    Edit(("people", CAL.user_name), None, THERE, PLACE),
    Edit(("people", DEE.user_name, "previously"), ("zelda-old@quark.example",), (), PLACE),
    Edit(("service_accounts", "zelda-bot@quark.example", "owner"), ANN.user_name, BEA.user_name, PLACE),
    Edit(("classes", "contractor", "match", "attributes", "manager"), ("Zelda",), ("zelda-4711",), PLACE),
    Edit(("something", "new"), "Zelda", "of quark", PLACE),
)


def comparison() -> Comparison:
    prepared = world()
    group = Principal("group:eng-web", f"{EVERYBODY}eng-web")
    people = {**prepared.live.people, group.id: group}
    whole = set_roles(group, scope_change(WEB, "", "viewer", provenance("eng-web", "viewer", line=4)))
    planned = replace(prepared.plan, changes=(*prepared.plan.changes, whole))
    return Comparison(
        "acme",
        Standing.BOTH,
        Source.SAVED,
        NOW,
        EDITS,
        replace(prepared, plan=planned, live=replace(prepared.live, people=people)),
        frozenset({group.id}),
        faults=(Problem(at(5), WORDS, WORDS),),
        but_for=(VIOLATION, BROKEN),
        problems=(Problem(Location("team.yaml", 5, 1, f'bindings[0]["{ANN.user_name}"]'), WORDS, WORDS),),
    )


def diff_texts(found: Comparison) -> dict[str, str]:
    told = [Told(found, "people are those of a file")]
    given = (Revisions("main", "c0ffee"), told, [("acme", unread())])
    return {
        "text": "\n".join(difference.whole(*given, ())),
        "markdown": difference_markdown.document(*given, (), Dialect()),
        "json": json.dumps(difference.document("policies", *given, ())),
    }


def test_the_names_of_an_edit_would_be_told() -> None:
    for told in diff_texts(comparison()).values():
        assert [secret for secret in SECRETS if secret in told] == [*SECRETS]


@pytest.mark.parametrize("output", ["text", "markdown", "json"])
def test_an_edit_names_nobody_in_any_format(output: str) -> None:
    told = diff_texts(REDACTION.comparison(comparison()))[output]
    assert [secret for secret in SECRETS if secret in told] == []
    assert "everybody in eng-web" in told, "groups stay: they are the policy's"


def test_no_value_of_a_redacted_comparison_names_anybody() -> None:
    told = repr(REDACTION.comparison(comparison()))
    assert [secret for secret in SECRETS if secret in told] == []


def test_what_an_edit_does_is_told_without_whom_it_names() -> None:
    edits = REDACTION.comparison(comparison()).edits
    name = REDACTION.name
    assert [edit.rank for edit in edits] == sorted(edit.rank for edit in edits)
    assert {edit.steps: (edit.before, edit.after) for edit in edits if "assertions" not in edit.steps} == {
        ("guardrails", "minimum_admins"): (2, 1),
        ("guardrails", "protected"): ((name(ANN.user_name),), ()),
        ("mode",): ("report", "enforce"),
        ("grants", name(BEA.user_name), "organization"): (None, ("admin until 2026-11-27 23:59 UTC",)),
        ("people", name(CAL.user_name)): (None, THERE),
        ("people", name(DEE.user_name), "previously"): ((name("zelda-old@quark.example"),), ()),
        ("service_accounts", name("zelda-bot@quark.example"), "owner"): (
            name(ANN.user_name),
            name(BEA.user_name),
        ),
        ("classes", "contractor", "match", "attributes", "manager"): (
            (REDACTION.withheld("Zelda"),),
            (REDACTION.withheld("zelda-4711"),),
        ),
        ("something", "new"): (REDACTION.withheld("Zelda"), REDACTION.withheld("of quark")),
    }
    assert all(edit.at == PLACE for edit in edits)


def test_a_fault_of_a_policy_file_is_its_line_and_no_key_that_could_be_a_name() -> None:
    shown = fault(Problem(Location("team.yaml", 5, 1, f'bindings[0]["{ANN.user_name}"]'), WORDS, WORDS))
    assert (shown.at, shown.message) == (Location("team.yaml", 5, 1), "something is wrong here")
