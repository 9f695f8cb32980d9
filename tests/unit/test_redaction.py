"""A plan for the public: it tells the same, and no name of anybody is in it, in whatever format."""

import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from build import (
    END,
    NOW,
    WEB,
    at,
    create_user,
    delete_user,
    holds,
    live,
    plan,
    provenance,
    reactivate,
    scope_change,
    set_roles,
)

from reconciler import planfile
from reconciler.change import Attribute, AttributeChange, CreateUser, SetActive, SetAttributes
from reconciler.errors import ReadError, SettingsError
from reconciler.finding import Finding, Kind
from reconciler.guardrails import Violation
from reconciler.model import DIRECTORY, ORGANIZATION, LiveState, Principal, Provenance, Role, Scope
from reconciler.planning import Prepared
from reconciler.problem import Location, Problem
from reconciler.redaction import Redaction, unread
from reconciler.report import data, text
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
NEW = replace(person(9), id="new:zelda-9@quark.example")
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
