"""Assertions in files: what is built of them, and which entries break them whoever is in the groups."""

from dataclasses import replace
from datetime import timedelta

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

from reconciler.model import ORGANIZATION, Role, Scope
from reconciler.policy import rules
from reconciler.policy.build import Builder
from reconciler.policy.document import (
    Access,
    Assertion,
    AtMost,
    Binding,
    Claim,
    GroupRef,
    Never,
    NeverTogether,
    Only,
    PersonClass,
    PersonEntry,
    RoleEntry,
    ServiceAccount,
    StoredAs,
    TemporaryGrant,
    Whom,
)
from reconciler.policy.reader import parse
from reconciler.policy.schema import check
from reconciler.problem import Location

DAY = timedelta(days=1)
FILE = """\
version: 1
assertions:
  - says: Kim does not
    never: {users: [kim], groups: [eng, {name: ops, id: 00g1}], classes: [temp], organization: viewer}
  - says: Only they
    only: {users: [ann], projects: {web: admin, app: viewer}}
  - says: Few
    at_most: {count: 3, anywhere: admin}
    except: {groups: [ops]}
  - says: Apart
    never_together: {organization: contributor, projects: {web: admin}}
"""

Entry = Binding | TemporaryGrant | PersonEntry | ServiceAccount | PersonClass


def test_every_kind_is_built_with_its_places() -> None:
    document = parse(FILE, "f.yaml")
    assert check(document, "policy") == []

    def place(line: int, column: int, path: str) -> Location:
        return Location("f.yaml", line, column, f"assertions[{path}")

    def entry(scope: Scope, role: Role, line: int, column: int, path: str) -> RoleEntry:
        return RoleEntry(scope, role, place(line, column, path))

    web, app = Scope("web"), Scope("app")
    built = Builder(document).assertions()
    assert built == (
        Assertion(
            "Kim does not",
            Never(
                Whom(("kim",), (GroupRef("eng"), GroupRef("ops", "00g1")), ("temp",)),
                Access((entry(ORGANIZATION, Role.VIEWER, 4, 82, "0].never.organization"),)),
            ),
            place(3, 5, "0]"),
        ),
        Assertion(
            "Only they",
            Only(
                Whom(("ann",)),
                Access(
                    (
                        entry(web, Role.ADMIN, 6, 37, "1].only.projects.web"),
                        entry(app, Role.VIEWER, 6, 49, "1].only.projects.app"),
                    )
                ),
            ),
            place(5, 5, "1]"),
        ),
        Assertion("Few", AtMost(3, Access((), Role.ADMIN)), place(7, 5, "2]"), Whom((), (GroupRef("ops"),))),
        Assertion(
            "Apart",
            NeverTogether(
                Access(
                    (
                        entry(ORGANIZATION, Role.CONTRIBUTOR, 11, 22, "3].never_together.organization"),
                        entry(web, Role.ADMIN, 11, 60, "3].never_together.projects.web"),
                    )
                )
            ),
            place(10, 5, "3]"),
        ),
    )
    named = built[0].whoms[0]
    assert named.groups_at == (
        place(4, 36, "0].never.groups[0]"),
        place(4, 41, "0].never.groups[1]"),
    )
    assert named.classes_at == (place(4, 75, "0].never.classes[0]"),)


def lines(claim: Claim, *entries: Entry, excepted: Whom = Whom(), clock: bool = True) -> list[int]:  # noqa: B008
    """The lines of the entries that break an assertion, told by the files alone."""
    asks = policy(*entries, assertion(claim, excepted=excepted))
    problems = rules.of_assertions(asks, NOW if clock else None)
    return [problem.at.line for problem in problems if "So it is" in problem.message]


KIM = Never(whom("kim"), access(web="admin"))


@pytest.mark.parametrize(
    ("entry", "found"),
    [
        (grant("kim", web="admin", line=4), True),
        (grant("KIM", web="admin", line=4), True),
        (grant("kim", "admin", line=4), True),
        (grant("kim", web="contributor", line=4), False),
        (grant("kim", app="admin", line=4), False),
        (grant("lee", web="admin", line=4), False),
        (grant("kim", web="admin", line=4, expires=NOW - DAY), False),  # history, no mistake
        (grant("kim", web="admin", line=4, expires=NOW), True),
        (grant("kim", web="admin", line=4, starts=NOW + DAY, expires=NOW + 2 * DAY), True),
        (service_account("kim", web="admin", line=4), True),
    ],
)
def test_what_is_given_by_name_to_somebody_who_never_has_it_is_a_problem_of_that_line(
    entry: Entry, found: bool
) -> None:
    assert lines(KIM, entry) == ([4] if found else [])
    assert lines(KIM, entry, excepted=whom("kim")) == []
    assert lines(KIM, entry, excepted=whom(groups=["ops"])) == []  # nobody knows whether Kim is one


def test_without_a_clock_no_temporary_grant_is_held_against_anything() -> None:
    assert lines(KIM, grant("kim", web="admin"), clock=False) == []
    assert lines(KIM, service_account("kim", web="admin", line=4), clock=False) == [4]


def test_who_the_policy_puts_in_a_class_is_meant_by_it() -> None:
    claim = Never(whom(classes=["contractor"]), access(web="admin"))
    given = (grant("kim", web="admin", line=4), grant("lee", web="admin", line=5), person_class())
    assert lines(claim, *given, person("kim", "contractor")) == [4]


ENG = Never(whom(groups=["eng"]), access(web="admin"))
CONTRACTORS = Never(whom(classes=["contractor"]), access(web="admin"))


@pytest.mark.parametrize(
    ("claim", "entries", "found"),
    [
        (ENG, [binding("eng", web="admin", line=4)], [4]),
        (ENG, [binding("Eng", "admin", line=4)], [4]),
        (ENG, [binding("eng", web="viewer", line=4), binding("eng", web="admin", line=5)], [5]),
        (ENG, [binding("ops", web="admin", line=4)], []),
        (ENG, [binding("eng", web="admin"), person_class(groups=["eng"], highest="viewer")], []),
        (ENG, [binding("eng", web="admin"), person_class(groups=["eng"], named=True)], []),
        (ENG, [binding("eng", web="admin", line=4), person_class(groups=["ops"], named=True)], [4]),
        (CONTRACTORS, [binding("eng", web="admin"), person_class()], []),
        (CONTRACTORS, [binding("eng", web="admin", classes=("contractor",), line=4), person_class()], [4]),
        (
            CONTRACTORS,
            [binding("eng", web="admin", classes=("contractor",)), person_class(highest="contributor")],
            [],
        ),
        (CONTRACTORS, [binding("eng", web="admin", line=4), person_class(groups=["eng"])], [4]),
    ],
)
def test_what_a_binding_gives_to_the_very_group_that_never_has_it_is_a_problem_of_that_line(
    claim: Claim, entries: list[Entry], found: list[int]
) -> None:
    assert lines(claim, *entries) == found
    assert lines(claim, *entries, excepted=whom("kim")) == []


def test_groups_of_one_name_and_two_ids_are_two_groups() -> None:
    claim = Never(Whom(groups=(GroupRef("eng", "1"),)), access(web="admin"))
    assert lines(claim, binding("eng", group_id="2", web="admin")) == []
    assert lines(claim, binding("other", group_id="1", web="admin", line=4)) == [4]


@pytest.mark.parametrize(
    ("claim", "found"),
    [
        (Only(whom("ann"), access(web="admin")), [4]),
        (Only(whom("KIM"), access(web="admin")), []),
        (Only(whom("ann", groups=["eng"]), access(web="admin")), []),  # Kim may be in it
        (Only(whom("ann", classes=["contractor"]), access(web="admin")), []),
        (NeverTogether(access(web="admin", app="viewer")), [5]),
        (NeverTogether(access(web="admin", app="admin")), []),
        (AtMost(0, access(web="admin")), [4]),
        (AtMost(1, access(web="admin")), []),
        (AtMost(1, access(anywhere="viewer")), [6]),
        (AtMost(2, access(anywhere="viewer")), []),
    ],
)
def test_what_files_tell_of_other_claims(claim: Claim, found: list[int]) -> None:
    entries = (
        grant("kim", web="admin", line=4),
        grant("kim", app="viewer", line=5),
        service_account("bot", app="contributor", line=6),
    )
    assert lines(claim, *entries) == found


def test_only_those_count_together_who_have_it_at_one_moment() -> None:
    first = grant("kim", web="admin", line=4, expires=NOW + DAY)
    later = grant("lee", web="admin", line=5, starts=NOW + 2 * DAY)
    meanwhile = grant("max", web="admin", line=6, starts=NOW + DAY)
    one = AtMost(1, access(web="admin"))
    assert lines(one, first, later) == []
    assert lines(one, first, meanwhile) == [6]
    apart = NeverTogether(access(web="admin", app="admin"))
    assert lines(apart, first, grant("kim", app="admin", line=7, starts=NOW + 2 * DAY)) == []
    assert lines(apart, first, grant("kim", app="admin", line=7, starts=NOW + DAY)) == [7]


def test_a_group_that_is_given_both_of_what_is_never_together_is_a_problem() -> None:
    apart = NeverTogether(access(web="admin", app="admin"))
    both = (binding("eng", web="admin", line=4), binding("eng", app="admin", line=5))
    assert lines(apart, *both) == [5]
    assert lines(apart, *both, excepted=whom("kim")) == []
    assert lines(apart, binding("eng", "admin", line=4)) == [4]
    assert lines(apart, *both, person_class(groups=["eng"], highest="viewer")) == []


def test_an_assertion_of_a_group_that_stands_for_a_role_is_a_problem() -> None:
    place = at(91, "assertions.yaml")
    named = replace(whom(groups=["circleci-org-admin"]), groups_at=(place,))
    of = organization(stored_as=StoredAs.GROUPS)
    asks = policy(assertion(Never(named, access(web="admin"))), of=of)
    assert [(one.at, one.message) for one in rules.check(asks)] == [
        (place, "the group 'circleci-org-admin' stands for the role admin in the organization")
    ]
    assert rules.check(policy(assertion(Never(named, access(web="admin"))))) == []


def test_an_organization_role_that_the_policy_leaves_alone_cannot_be_asserted() -> None:
    asks = policy(assertion(AtMost(2, access("admin"))), of=organization(managed=False))
    assert [problem.message.partition(",")[0] for problem in rules.check(asks)] == ["an organization role"]
