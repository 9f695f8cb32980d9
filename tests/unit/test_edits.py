"""What two policies say differently beside roles, and which of it loosens a check."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from build import (
    NOW,
    access,
    assertion,
    at,
    binding,
    grant,
    organization,
    person,
    person_class,
    policy,
    service_account,
    whom,
)

from reconciler import edits
from reconciler.edits import Edit, Value
from reconciler.model import Role
from reconciler.policy.document import (
    AtMost,
    DirectoryKind,
    DirectorySettings,
    Guardrails,
    Lifecycle,
    Limit,
    Mode,
    Never,
    NeverTogether,
    Notice,
    Only,
    Organization,
    PersonClass,
)
from reconciler.policy.marked import Steps
from reconciler.problem import Location

PLAIN = organization(guardrails=Guardrails())


def between(before: Organization, after: Organization) -> tuple[Edit, ...]:
    return edits.between(policy(of=before), policy(of=after), NOW)


def guarded(**limits: Any) -> Organization:
    return organization(guardrails=replace(Guardrails(), **limits))


def living(**settings: Any) -> Organization:
    return replace(PLAIN, lifecycle=replace(Lifecycle(), **settings))


def classed(**settings: Any) -> Organization:
    contractors: PersonClass = replace(person_class(), **settings)
    return replace(PLAIN, classes={"contractor": contractors})


LOOSENING: list[tuple[Organization, Organization, str, Value, Value]] = [
    (guarded(minimum_admins=2), guarded(minimum_admins=1), "guardrails.minimum_admins", 2, 1),
    (
        guarded(protected=("ann", "bob")),
        guarded(protected=("BOB",)),
        "guardrails.protected",
        ("ann", "bob"),
        ("BOB",),
    ),
    (guarded(required_admins=("ann",)), guarded(), "guardrails.required_admins", ("ann",), ()),
    (guarded(), guarded(service_admins=("bot",)), "guardrails.service_admins", (), ("bot",)),
    (guarded(), guarded(removals=Limit(10, 21)), "guardrails.removals.percent", 20, 21),
    (guarded(), guarded(longest_grant=91), "guardrails.longest_grant", 90, 91),
    (guarded(), guarded(emptied_groups=1), "guardrails.emptied_groups", 0, 1),
    (replace(PLAIN, mode=Mode.REPORT), replace(PLAIN, mode=Mode.ADDITIVE), "mode", "report", "additive"),
    (replace(PLAIN, mode=Mode.ADDITIVE), PLAIN, "mode", "additive", "enforce"),
    (living(), living(creates=True), "lifecycle.joiners", "report", "create"),
    (living(), living(deactivates=True), "lifecycle.leavers", "report", "deactivate"),
    (living(), living(delete_after=9), "lifecycle.delete_after", None, 9),
    (living(delete_after=9), living(delete_after=8), "lifecycle.delete_after", 9, 8),
    (living(grace=1), living(grace=2), "lifecycle.grace", 1, 2),
    (classed(), PLAIN, "classes.contractor", "declared", None),
    (
        classed(highest_role=Role.VIEWER),
        classed(highest_role=Role.ADMIN),
        "classes.contractor.highest_role",
        "viewer",
        "admin",
    ),
    (classed(highest_role=Role.ADMIN), classed(), "classes.contractor.highest_role", "admin", None),
    (classed(only_where_named=True), classed(), "classes.contractor.bindings", "named", "all"),
    (classed(end_required=True), classed(), "classes.contractor.ends.required", True, False),
    (
        replace(PLAIN, directory=DirectorySettings(DirectoryKind.FILE)),
        replace(PLAIN, directory=DirectorySettings(DirectoryKind.FILE, oldest=25)),
        "directory.oldest",
        24,
        25,
    ),
    (replace(PLAIN, longest_review=90), replace(PLAIN, longest_review=120), "reviews.longest", 90, 120),
    (replace(PLAIN, longest_review=90), PLAIN, "reviews.longest", 90, None),
]


@pytest.mark.parametrize(
    ("tight", "loose", "name", "before", "after"), LOOSENING, ids=lambda value: str(value)[:20]
)
def test_what_lets_a_run_do_more_loosens_and_the_way_back_does_not(
    tight: Organization, loose: Organization, name: str, before: Value, after: Value
) -> None:
    [forth], [back] = between(tight, loose), between(loose, tight)
    assert (forth.name, forth.before, forth.after, forth.loosens) == (name, before, after, True)
    assert (back.name, back.before, back.after, back.loosens) == (name, after, before, False)


def test_the_same_policy_has_no_edits_nor_has_one_in_another_order_and_case() -> None:
    one, other = guarded(protected=("ann", "bob")), guarded(protected=("Bob", "ANN"))
    assert between(one, other) == ()


def test_what_loosens_comes_first_and_each_edit_tells_where_it_stands() -> None:
    places: dict[Steps, Location] = {("guardrails", "removals"): at(7), ("notice", "ending"): at(9)}
    before, after = (
        guarded(),
        replace(guarded(removals=Limit(11, 20)), notice=Notice(ending=8), places=places),
    )

    assert between(before, after) == (
        Edit(("guardrails", "removals", "count"), 10, 11, at(7), loosens=True),
        Edit(("notice", "ending"), 7, 8, at(9)),
    )


def test_a_new_project_and_a_new_class_are_one_edit_each() -> None:
    after = replace(
        PLAIN, projects={**PLAIN.projects, "ios": "7f"}, classes={"intern": person_class("intern")}
    )
    assert [(edit.name, edit.before, edit.after) for edit in between(PLAIN, after)] == [
        ("classes.intern", None, "declared"),
        ("projects.ios", None, "declared"),
    ]


def test_the_terms_of_entries_are_told_though_nobody_has_another_role_now() -> None:
    before = policy(grant("ann", "admin", line=3), person("ann"), service_account("bot", "viewer"))
    after = policy(
        grant("ann", "admin", expires=NOW + timedelta(days=400), line=5),
        grant("bob", "viewer", starts=NOW + timedelta(days=1), line=6),
        person("ann", ends=NOW + timedelta(days=2), line=8),
        service_account("bot", "viewer", owner="zoe", line=9),
        binding("eng", "viewer", classes=("contractor",), line=10),
    )
    assert [(one.name, one.before, one.after, one.at) for one in edits.between(before, after, NOW)] == [
        ("bindings.eng.classes", None, ("contractor",), at(10)),
        (
            'grants["ann@acme.example"].organization',
            ("admin until 2026-11-27 23:59 UTC",),
            ("admin until 2027-12-28 12:00 UTC",),
            at(5),
        ),
        (
            'grants["bob@acme.example"].organization',
            None,
            ("viewer from 2026-11-24 12:00 UTC until 2026-11-27 23:59 UTC",),
            at(6),
        ),
        ('people["ann@acme.example"].ends', None, "2026-11-25 12:00 UTC", at(8, "people.yaml")),
        (
            'service_accounts["bot@acme.example"].owner',
            "ann@acme.example",
            "zoe@acme.example",
            at(9, "bots.yaml"),
        ),
    ]


def test_entries_that_are_over_are_clutter_and_no_edit() -> None:
    assert edits.between(policy(grant("ann", "admin", expires=NOW - timedelta(days=1))), policy(), NOW) == ()


def test_an_assertion_is_told_by_its_sentence_with_what_it_checks_and_loosens_where_it_is_not_as_it_was() -> (
    None
):
    before = policy(
        assertion(Never(whom("kim", groups=["eng"]), access(anywhere="admin")), says="Not they"),
        assertion(Only(whom(classes=["staff"]), access("admin", web="viewer")), says="Staff alone"),
        assertion(AtMost(3, access("admin")), says="Few"),
    )
    after = policy(
        assertion(AtMost(5, access("admin")), says="Few", excepted=whom(groups=["ops"]), line=7),
        assertion(NeverTogether(access(web="admin", app="admin")), says="Apart", line=8),
    )
    told = edits.between(before, after, NOW)
    assert [(one.name, one.before, one.after, one.at, one.loosens) for one in told] == [
        (
            "assertions.Few",
            ("at most 3: admin of the organization",),
            ("at most 5: admin of the organization, except group ops",),
            at(7, "assertions.yaml"),
            True,
        ),
        (
            'assertions["Not they"]',
            ("never kim@acme.example, group eng: admin of anything",),
            None,
            None,
            True,
        ),
        (
            'assertions["Staff alone"]',
            ("only class staff: admin of the organization or viewer of project 'web'",),
            None,
            None,
            True,
        ),
        (
            "assertions.Apart",
            None,
            ("never together: admin of project 'web' and admin of project 'app'",),
            at(8, "assertions.yaml"),
            False,
        ),
    ]
    assert edits.between(before, before, NOW) == ()
