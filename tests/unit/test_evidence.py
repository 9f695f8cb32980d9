"""The evidence of an access review: each row with its role, its source, its line and what is exceptional."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from build import (
    END,
    NOW,
    SERVER,
    Entry,
    Groups,
    Server,
    at,
    binding,
    grant,
    group,
    holds,
    live,
    membership,
    organization,
    policy,
    principal,
    service_account,
)

from reconciler import evidence, overview, planning
from reconciler.evidence import About, Evidence, Line, Remark
from reconciler.finding import Kind
from reconciler.git.commits import NOT_COMMITTED, Approval, Commit, Untold, Writer
from reconciler.model import Holdings, Membership, Principal
from reconciler.policy.document import Guardrails, Organization, Review, Reviewable
from reconciler.reviews import Reviewed, Standing

DAY = timedelta(days=1)
COMMIT = Commit("c0ffee" * 7, "Ann", NOW - 50 * DAY, "the shop")
APPROVAL = Approval(("Fay",), None, "ci")
ENG = membership(group("eng", "ann"))


def told(
    *written: Entry,
    people: Mapping[str, Holdings] = {"ann": holds("viewer")},
    others: tuple[Principal, ...] = (),
    groups: Membership = ENG,
    of: Organization = organization(),  # noqa: B008
    writer: Writer = COMMIT,
    foreign: Mapping[str, tuple[str, ...]] = {},
) -> Evidence:
    """The evidence, where every line has one writer."""
    state = replace(live(people, *others), foreign=foreign)
    written_down = policy(*written, of=of)
    survey = planning.survey(written_down, Server(state), Groups(groups), NOW)
    seen = overview.of(written_down, SERVER, survey, NOW)
    writers = {(place.file, place.line): writer for place in evidence.places(seen)}
    return evidence.of(seen, writers, {COMMIT.id: APPROVAL})


def rows(found: Evidence) -> list[tuple[str, str, str | None, bool, str | None]]:
    """Who, where, which role applies, whether it is the organization's, and what gives it."""
    return [
        (
            holder.person.principal.user_name.partition("@")[0],
            str(one.scope.scope),
            None if one.applies is None else str(one.applies),
            one.inherited,
            one.source.source.entry if one.source else None,
        )
        for holder in found.holders
        for one in holder.accesses
    ]


def remarks(found: Evidence) -> list[Remark]:
    """All of them, those about people first."""
    inside = [one for holder in found.holders for access in holder.accesses for one in access.remarks]
    return [*(one for holder in found.holders for one in holder.remarks), *inside]


def reviewed(entry: Reviewable, date: datetime = NOW - 10 * DAY, by: str = "ada") -> Reviewable:
    return replace(entry, reviewed=Review(date, f"{by}@acme.example", at(9)))


# Rows


def test_there_is_a_row_for_each_person_and_scope_with_the_role_that_applies() -> None:
    found = told(
        binding("eng", "viewer", web="admin"),
        grant("bob", "contributor"),
        people={
            "bob": holds("contributor", web="viewer"),
            "ann": holds("viewer", web="admin"),
            "cid": holds(app="viewer"),
            "dan": holds(),
        },
    )
    assert rows(found) == [
        ("ann", "organization", "viewer", False, "binding"),
        ("ann", "web", "admin", False, "binding"),
        ("bob", "organization", "contributor", False, "temporary grant"),
        ("bob", "web", "contributor", True, None),
        ("cid", "app", "viewer", False, None),
    ]


def test_who_should_have_something_and_has_not_is_a_row_without_a_role() -> None:
    found = told(binding("eng", web="admin"), people={"ann": holds()})
    assert rows(found) == [("ann", "web", None, False, "binding")]
    assert remarks(found) == [Remark(About.DRIFT, "has none, should have admin")]


def test_who_has_only_what_is_not_the_policy_s_is_told_too() -> None:
    found = told(people={"ann": holds()}, foreign={"u-ann": ("project-admin:legacy",)})
    [holder] = found.holders
    assert (holder.accesses, holder.person.foreign) == ((), ("project-admin:legacy",))
    assert remarks(found) == [Remark(About.FOREIGN, "project-admin:legacy")]


def test_a_line_has_its_writer_its_approval_and_its_review() -> None:
    entry = reviewed(binding("eng", "viewer"))
    found = told(entry, of=replace(organization(), longest_review=90))
    mark = entry.reviewed
    assert mark
    due = Reviewed(Standing.GOOD, mark, mark.date + 90 * DAY)
    assert found.lines == {at(): Line(at(), COMMIT, APPROVAL, due, COMMIT)}


@pytest.mark.parametrize("why", [NOT_COMMITTED, Untold("not in a git repository")])
def test_of_a_line_that_git_does_not_know_nobody_is_known_to_have_let_it_in(why: Untold) -> None:
    found = told(binding("eng", "viewer"), writer=why)
    assert found.lines == {at(): Line(at(), why, why, Reviewed(Standing.UNASKED, None, None))}
    expected = [Remark(About.UNCOMMITTED, "team.yaml:1 is not committed")] if why == NOT_COMMITTED else []
    assert remarks(found) == expected


def test_what_nobody_asked_git_about_is_told_so() -> None:
    state = Server(live({"ann": holds("viewer")}))
    written = policy(binding("eng", "viewer"))
    seen = overview.of(written, SERVER, planning.survey(written, state, Groups(ENG), NOW), NOW)
    [line] = evidence.of(seen, {}, {}).lines.values()
    assert (line.writer, line.approval) == (evidence.NOBODY_ASKED, evidence.NOBODY_ASKED)


# What is exceptional


def test_ordinary_access_has_no_remark() -> None:
    assert remarks(told(reviewed(binding("eng", "viewer")))) == []


def test_temporary_grants_and_service_accounts_are_exceptional() -> None:
    found = told(
        grant("ann", "admin", expires=END + 30 * DAY),
        service_account("bot", web="viewer", owner="ann", review=END + 30 * DAY),
        people={"ann": holds("admin"), "bot": holds(web="viewer")},
    )
    assert remarks(found) == [
        Remark(About.TEMPORARY, "admin until 2026-12-27, INC-1"),
        Remark(
            About.SERVICE_ACCOUNT,
            "releases, ann@acme.example answers for it, to be looked at by 2026-12-27",
        ),
    ]


def test_protected_and_inactive_people_and_drift_are_exceptional() -> None:
    found = told(
        people={"ann": holds("admin"), "bob": holds("viewer")},
        others=(principal("bob", active=False),),
        groups=membership(),
        of=organization(guardrails=Guardrails(protected=("ann@acme.example",))),
    )
    assert remarks(found) == [
        Remark(About.PROTECTED, "no plan touches what they hold"),
        Remark(About.INACTIVE, "the account is not active, and entitled to nothing"),
        Remark(About.DRIFT, "has viewer, should have none"),
    ]


def test_who_is_held_is_exceptional_with_the_first_problem() -> None:
    several = [binding(name, "viewer", line=line) for line, name in enumerate(("gone", "lost"), start=1)]
    [remark] = remarks(told(*several, groups=membership()))
    assert remark.about is About.HELD
    assert remark.words.startswith("team.yaml:1:1: ")
    assert remark.words.endswith("; and 1 more")


def test_findings_about_somebody_are_exceptional_and_others_are_told_by_themselves() -> None:
    found = told(
        binding("eng", "viewer"),
        grant("ann", "admin"),
        people={"ann": holds("admin")},
        of=replace(organization(), longest_review=90),
    )
    assert Remark(About.FINDING, "has a temporary grant until 2026-11-27 23:59 UTC, INC-1") in remarks(found)
    assert [one.kind for one in found.findings] == [Kind.REVIEW]


@pytest.mark.parametrize(
    ("date", "by", "longest", "words"),
    [
        (NOW - 10 * DAY, "ada", 90, []),
        (NOW - 91 * DAY, "ada", None, ["was written after its review of 2026-08-24"]),
        (
            NOW - 91 * DAY,
            "ada",
            90,
            ["was due for review by 2026-11-22", "was written after its review of 2026-08-24"],
        ),
        (NOW - 10 * DAY, "ANN", None, ["was reviewed by ANN@acme.example, whom it gives this"]),
        (NOW + 10 * DAY, "ada", None, ["has a review of a day that is yet to come"]),
    ],
    ids=["reviewed", "written later", "overdue", "by themselves", "ahead"],
)
def test_a_review_that_proves_nothing_is_exceptional(
    date: datetime, by: str, longest: int | None, words: list[str]
) -> None:
    found = told(
        reviewed(binding("eng", "viewer"), date, by), of=replace(organization(), longest_review=longest)
    )
    assert remarks(found) == [Remark(About.REVIEW, f"team.yaml:1 {one}") for one in words]


def test_what_was_never_reviewed_is_exceptional_where_reviews_are_asked_for() -> None:
    asked = replace(organization(), longest_review=90)
    assert remarks(told(binding("eng", "viewer"), of=asked)) == [
        Remark(About.REVIEW, "team.yaml:1 was never reviewed")
    ]
    assert remarks(told(binding("eng", "viewer"))) == []


# The digest


def test_the_digest_is_of_everything_but_itself_in_whatever_order() -> None:
    document = {"a": 1, "b": [{"c": None}]}
    digest = evidence.digest(document)
    assert evidence.digest({"digest": digest, "b": [{"c": None}], "a": 1}) == digest
    assert evidence.digest({"a": 1, "b": [{"c": 0}]}) != digest
