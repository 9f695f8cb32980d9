"""What facts about a connection come to: verdicts, words, remedies. Unknown is never ok."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from build import group, membership, organization, principal

from reconciler import checkup
from reconciler.checkup import Ability, Check, Checkup, TokenDates, Verdict
from reconciler.errors import ExitCode, ReadError, SettingsError
from reconciler.model import DirectoryGroup, Member, Membership
from reconciler.people.identity import People
from reconciler.policy.document import DirectoryKind, GroupRef, PersonEntry, StoredAs
from reconciler.problem import Location

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
OK, FINDING, UNKNOWN = Verdict.OK, Verdict.FINDING, Verdict.UNKNOWN


def ago(**span: float) -> datetime:
    return NOW - timedelta(**span)


@pytest.mark.parametrize(
    ("theirs", "verdict", "said"),
    [
        (NOW, OK, "within 60 s of the server's"),
        (ago(seconds=60), OK, "within 60 s of the server's"),
        (ago(seconds=-60), OK, "within 60 s of the server's"),
        (ago(seconds=61), FINDING, "ours is 1 minute ahead of the server's"),
        (ago(seconds=-61), FINDING, "ours is 1 minute behind the server's"),
        (ago(hours=1), FINDING, "ours is 60 minutes ahead of the server's"),
        (ago(days=-2), FINDING, "ours is 48 hours behind the server's"),
        (None, UNKNOWN, "the server does not tell its time (header Date)"),
    ],
)
def test_clocks_may_be_a_minute_apart(theirs: datetime | None, verdict: Verdict, said: str) -> None:
    found = checkup.clock(theirs, NOW)
    assert (found.verdict, found.said, bool(found.remedy)) == (verdict, said, verdict is FINDING)


@pytest.mark.parametrize(
    ("dates", "verdict", "said"),
    [
        (TokenDates(), UNKNOWN, "nothing tells when it was issued"),
        (TokenDates(issued=ago(days=90)), OK, "issued on 2026-08-25, 90 days ago"),
        (TokenDates(issued=ago(hours=1)), OK, "issued on 2026-11-23, 0 days ago"),
        (TokenDates(issued=ago(seconds=-60)), OK, "issued on 2026-11-23, 0 days ago"),
        (
            TokenDates(issued=ago(days=1), expires=ago(days=-15)),
            OK,
            "issued on 2026-11-22, 1 day ago; it expires on 2026-12-08",
        ),
        (
            TokenDates(issued=ago(days=90, seconds=1)),
            FINDING,
            "issued on 2026-08-25, 90 days ago: the limit is 90 days",
        ),
        (
            TokenDates(issued=ago(days=100), expires=ago(days=-3)),
            FINDING,
            "issued on 2026-08-15, 100 days ago: the limit is 90 days; it expires on 2026-11-26",
        ),
        (TokenDates(issued=ago(days=1), expires=ago(days=-14)), FINDING, "it expires on 2026-12-07"),
        (TokenDates(issued=ago(days=1), expires=NOW), FINDING, "it expired on 2026-11-23, by its own words"),
        (
            TokenDates(issued=ago(minutes=-2)),
            FINDING,
            "it is of 2026-11-23 12:02 UTC by its own words, which is yet to come",
        ),
        (
            TokenDates(expires=ago(days=-60)),
            UNKNOWN,
            "nothing tells when it was issued; it expires on 2027-01-22",
        ),
        (
            TokenDates(written=ago(days=2)),
            UNKNOWN,
            "its file was written on 2026-11-21, 2 days ago, and the token in it may be older",
        ),
        (
            TokenDates(written=ago(days=91)),
            FINDING,
            "its file was written on 2026-08-24, 91 days ago: the limit is 90 days",
        ),
        (TokenDates(issued=ago(days=2), written=ago(days=99)), OK, "issued on 2026-11-21, 2 days ago"),
    ],
)
def test_a_token_should_be_young(dates: TokenDates, verdict: Verdict, said: str) -> None:
    found = checkup.token_age(dates, NOW, timedelta(days=90))
    assert (found.verdict, found.said, bool(found.remedy)) == (verdict, said, verdict is not OK)


def test_attributes_are_counted() -> None:
    ann = principal("ann", external_id="1")._replace(display_name="Ann", email="ann@x")
    found = checkup.attributes([ann, principal("bob", active=None)], DirectoryKind.OKTA)
    assert (found.verdict, found.said) == (
        OK,
        "of 2 users: userName 2, displayName 1, e-mail 1, externalId 1, active 1",
    )
    assert checkup.attributes([], DirectoryKind.OKTA).verdict is UNKNOWN


def test_without_any_external_id_nobody_is_known_again_in_a_directory_of_its_own() -> None:
    found = {kind: checkup.attributes([principal("ann")], kind) for kind in DirectoryKind}
    assert {kind: (one.verdict, bool(one.remedy)) for kind, one in found.items()} == {
        DirectoryKind.SCIM: (OK, False),
        DirectoryKind.OKTA: (FINDING, True),
        DirectoryKind.ENTRA: (FINDING, True),
        DirectoryKind.FILE: (FINDING, True),
    }


# Roles


def told(
    values: Sequence[str], groups: Sequence[str] = (), stored_as: StoredAs = StoredAs.USER_ROLES
) -> list[str]:
    found = list(checkup.storage(values, groups, organization(stored_as=stored_as)))
    assert all((one.verdict is FINDING) == bool(one.remedy) for one in found)
    return [f"{one.verdict}: {one.said}" for one in found]


def test_roles_by_the_templates_are_counted_and_others_left_alone() -> None:
    values = ["org-admin", "ORG-viewer", "project-admin:5d1f", "billing-reader", "project-viewer:other", ""]
    assert told(values, ["eng-web", "platform-admins", "admin-tools"]) == [
        "ok: of 6 values of User.roles, 3 are roles by the templates; the rest is left alone"
    ]


@pytest.mark.parametrize(
    "odd",
    [
        *("org_admin", "OrgAdmin", "Org Admin", "orgadmin", "ORG:ADMIN", "org-admins", "organization-viewer"),
        *("admin", "Viewer", "project-admin", "circleci-contributor", "Project Admin", "ｏｒｇ＿ａｄｍｉｎ"),
    ],
)
def test_a_value_that_looks_like_a_role_and_is_none_is_told(odd: str) -> None:
    assert told(["org-admin", odd, odd]) == [
        "finding: of 3 values of User.roles, some look like roles and are none by the templates: "
        f"'{odd}' (2 times)"
    ]


@pytest.mark.parametrize(
    "other", ["billing-reader", "payroll-admin", "owner", "x" * 100_000, "project-admin:x:y"]
)
def test_what_does_not_look_like_a_role_of_the_policy_is_left_alone(other: str) -> None:
    assert told(["org-admin", other]) == [
        "ok: of 2 values of User.roles, 1 is a role by the templates; the rest is left alone"
    ]


def test_no_role_at_all_is_a_finding_with_what_there_is_instead() -> None:
    values = ["OrgAdmin", "OrgAdmin", "OrgViewer", "Contributor", "contributors"]
    assert told([]) == ["finding: of 0 values of User.roles, none is a role by the templates of the policy"]
    assert told(values) == [
        "finding: of 5 values of User.roles, none is a role by the templates of the policy",
        "finding: of 5 values of User.roles, some look like roles and are none by the templates: "
        "'OrgAdmin' (2 times), 'OrgViewer', 'Contributor' and 1 more",
    ]


def test_roles_that_are_elsewhere_are_told() -> None:
    assert told(["org-admin"], ["circleci-org-admin", "eng"]) == [
        "finding: there are groups that look like roles: 'circleci-org-admin'; by the policy, roles are "
        "values of User.roles"
    ]
    assert told(["org-admin"], ["circleci-web-viewer", "eng"], StoredAs.GROUPS) == [
        "finding: there are values of User.roles that look like roles: 'org-admin'; by the policy, roles are "
        "groups"
    ]


def test_role_groups_by_the_templates_are_counted() -> None:
    assert told(["payroll"], ["circleci-org-admin", "circleci-web-viewer", "eng"], StoredAs.GROUPS) == [
        "ok: of 3 groups, 2 are roles by the templates; the rest is left alone"
    ]


def test_roles_of_the_organization_are_left_alone_where_they_are_not_managed() -> None:
    found = list(checkup.storage(["org-admin", "project-admin:web"], [], organization(managed=False)))
    assert [one.said for one in found] == [
        "of 2 values of User.roles, 1 is a role by the templates; the rest is left alone"
    ]


# The directory

ENG, OPS = GroupRef("eng"), GroupRef("ops", previously=("operations",))


def test_every_group_that_the_policy_names_is_looked_for() -> None:
    there = membership(group("eng", "ann", "bob"), group("Operations", "bob"), group("other", "cy"))
    found = checkup.groups({ENG, OPS}, there)
    assert (found.verdict, found.said) == (OK, "2 of 2 groups that the policy names, 2 people in them")
    found = checkup.groups({ENG}, replace(there, people=frozenset({Member("u-ann")})))
    assert found.said == "1 of 1 group that the policy names, 2 people in them, 1 people in all"


def test_groups_that_are_missing_empty_or_unreadable_are_told_by_name() -> None:
    there = membership(
        group("eng", id="1"), DirectoryGroup("2", "ops", None, "no right"), group("a", "x", id="3")
    )
    refs = {ENG, OPS, GroupRef("gone"), GroupRef("a", id="9"), GroupRef("a")}
    found = checkup.groups(refs, there)
    assert (found.verdict, found.said) == (
        FINDING,
        "3 of 5 groups that the policy names, 1 person in them; not found, or several: 'a', 'gone'; "
        "can't be read: 'ops'; nobody in it: 'eng'",
    )


def test_people_are_found_by_the_keys_that_a_run_takes() -> None:
    server = People.of(
        [principal("ann", external_id="1"), principal("bob"), principal("cy", external_id="3")],
        [PersonEntry("robert", Location("people.yaml"), previously=("bob@acme.example",))],
    )
    ann, bob = Member(external_id="1", user_name="changed"), Member(external_id="2", user_name="robert")
    zoe, gone = Member(user_name="zoe"), Member(user_name="gone", active=False)
    found = checkup.matching(membership(group("eng", ann), group("ops", bob)), server)
    assert (found.verdict, found.said) == (OK, "of 2 active people: 1 by externalId, 1 by userName")
    everybody = Membership(membership(group("eng", ann)).groups, people=frozenset({ann, zoe}))
    assert checkup.matching(everybody, server).said == "of 1 active person: 1 by externalId"
    found = checkup.matching(Membership((), people=frozenset({ann, zoe, gone})), server)
    assert (found.verdict, found.said) == (
        FINDING,
        "of 2 active people: 1 by externalId, 1 not at all: 'zoe'",
    )


def test_ids_that_never_meet_are_a_finding() -> None:
    server = People.of([principal("ann", external_id="upn-1")])
    ann = Member(external_id="1", user_name="ann@acme.example")
    found = checkup.matching(membership(group("eng", ann)), server)
    assert (found.verdict, found.said) == (
        FINDING,
        "of 1 active person: 1 by userName; no externalId is the server's",
    )
    assert checkup.matching(membership(group("eng", "ann")), server).said == "of 1 active person: 1 by id"


def test_a_directory_of_nobody_matches_nobody() -> None:
    assert checkup.matching(membership(group("eng")), People.of([])).verdict is UNKNOWN


# All of it


def test_only_what_failed_has_an_exit_code() -> None:
    checks = (
        Check("a", FINDING, "x"),
        Check("b", UNKNOWN, "x"),
        checkup.failed("c", SettingsError("no token", "set it")),
        checkup.failed("d", ReadError("no answer")),
    )
    assert checks[2] == Check("c", Verdict.FAILED, "no token", "set it", ExitCode.USAGE)
    assert Checkup("acme", "", checks[:2], (Ability("e", None, "x", FINDING),)).exit_codes == ()
    assert Checkup("acme", "", checks).exit_codes == (ExitCode.USAGE, ExitCode.UNREADABLE)
    lacking = (Ability("users", None, "x", Verdict.FAILED),)
    assert Checkup("acme", "", (), lacking).exit_codes == (ExitCode.UNREADABLE,)
