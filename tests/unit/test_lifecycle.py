"""Who joins, leaves, returns and is renamed, and what a run does about each; by lying directories, too."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from random import Random
from types import MappingProxyType
from typing import Any

import pytest
from build import (
    NOW,
    UNLIMITED,
    WEB,
    at,
    binding,
    grant,
    group,
    holds,
    person_class,
    policy,
    provenance,
)
from build import organization as plain_organization
from hypothesis import given
from hypothesis import strategies as st
from properties.population import Sides, lifecycles, sides

from reconciler import desired
from reconciler.change import Attribute, AttributeChange, CreateUser, DeleteUser, SetActive, SetAttributes
from reconciler.errors import ReadError
from reconciler.finding import Finding, Kind
from reconciler.model import (
    ORGANIZATION,
    DesiredState,
    DirectoryGroup,
    Holdings,
    LiveState,
    Member,
    Membership,
    Principal,
    Provenance,
    fold,
)
from reconciler.people import identity, lifecycle, population
from reconciler.people.lifecycle import Course
from reconciler.people.population import UNSET, Past, Population
from reconciler.policy.document import (
    Binding,
    DirectoryKind,
    DirectorySettings,
    Lifecycle,
    PersonClass,
    PersonEntry,
    ServiceAccount,
    TemporaryGrant,
)
from reconciler.problem import Problem

DAY = timedelta(days=1)
EVERYTHING = Lifecycle(creates=True, deactivates=True, reactivates=True, repairs=True)
DELETING = replace(EVERYTHING, delete_after=90)
JOINING = Lifecycle(creates=True)
REPORT = Lifecycle()
PLACE = at(40, "organization.yaml")
"""Where the directory stands in the policy."""
VIEWERS = binding("eng", "viewer", line=5)


def person(name: str = "ann", **changes: Any) -> Member:
    """Somebody in the directory, told by both keys and active."""
    known = Member(
        external_id=f"x-{name}", user_name=f"{name}@acme.example", active=True, display_name=name.title()
    )
    return known._replace(**changes)


def account(name: str = "ann", **changes: Any) -> Principal:
    """The account of the same person on the server."""
    known = Principal(
        f"u-{name}", f"{name}@acme.example", f"x-{name}", active=True, display_name=name.title()
    )
    return known._replace(**changes)


def inactive(name: str = "ann", **changes: Any) -> Principal:
    return account(name, active=False, **changes)


def left(name: str = "ann", *, since: datetime | None = None) -> Member:
    return person(name, active=False, status="DEPROVISIONED", since=since)


def server(*accounts: Principal, **roles: Holdings) -> LiveState:
    """These accounts; roles are by short name."""
    return LiveState({one.id: one for one in accounts}, {f"u-{name}": held for name, held in roles.items()})


@dataclass(frozen=True)
class Life:
    """What is decided about everybody."""

    population: Population
    asked: DesiredState
    course: Course

    @property
    def changes(self) -> tuple[object, ...]:
        return self.course.changes

    @property
    def told(self) -> list[tuple[Kind, str, str]]:
        return [(finding.kind, finding.subject, finding.message) for finding in self.course.findings]

    @property
    def problems(self) -> list[tuple[str, str]]:
        assert {problem.at for problem in self.population.problems} <= {PLACE}
        return [(problem.message, problem.remedy) for problem in self.population.problems]


def life(
    directory: Iterable[Member] | None,
    live: LiveState,
    *entries: Binding | TemporaryGrant,
    eng: Iterable[Member] = (),
    rules: Lifecycle = EVERYTHING,
    past: Past | None = None,
    own: str | None = None,
    protected: tuple[str, ...] = (),
    people: tuple[PersonEntry, ...] = (),
    machines: tuple[ServiceAccount, ...] = (),
    kind: DirectoryKind = DirectoryKind.OKTA,
    now: datetime = NOW,
    groups: tuple[DirectoryGroup, ...] = (),
    classes: tuple[PersonClass, ...] = (),
    required: tuple[str, ...] = (),
) -> Life:
    """Decide about everybody: `directory` is who is listed, `eng` who is in the one group that is bound."""
    of = replace(
        plain_organization(
            guardrails=replace(UNLIMITED, protected=protected, required_admins=required), classes=classes
        ),
        directory=DirectorySettings(kind),
        lifecycle=rules,
        places={("directory",): PLACE},
    )
    asks = replace(policy(*(entries or (VIEWERS,)), of=of), people=people, service_accounts=machines)
    listed = None if directory is None else frozenset(directory)
    told = Membership((group("eng", *eng), *groups), frozenset({"eng"}), listed)
    membership = identity.together(told)
    who = population.of(asks, membership, live, now, past, own)
    state = desired.expand(asks, membership, who.joined(live), now, who)
    return Life(who, state, lifecycle.decide(of.lifecycle, who, state, live, now, past))


BOB, BOBS = person("bob"), account("bob")
"""Somebody who stays, and whose externalId shows that it is the same on both sides."""


PASSED_ON = Finding(
    Kind.ATTRIBUTE,
    "ann@acme.example",
    "externalId is 'x-ann' here, and 'x-other' in the directory",
    "is it another person by this name, or `directory.attributes.external_id` another one?",
)
"""What is told of Ann's account where the directory has another person by her name."""


# Joiners.


def test_a_joiner_is_created_as_the_directory_has_them_and_given_what_their_group_gives() -> None:
    ann = person(email="ann@acme.example")
    seen = life([ann, BOB], server(BOBS), eng=[ann])
    new = Principal(
        "new:ann@acme.example", "ann@acme.example", "x-ann", True, "Ann", email="ann@acme.example"
    )
    assert seen.changes == (CreateUser(new, "in the group eng"),)
    assert seen.asked.roles == {new.id: holds("viewer")}
    assert seen.asked.problems == ()
    assert seen.course.live == server(BOBS, new)
    assert (seen.told, seen.problems) == ([], [])


def test_a_joiner_in_several_groups_is_created_once() -> None:
    ann = person()
    seen = life(
        [ann],
        server(),
        VIEWERS,
        binding("ops", web="admin"),
        binding("all", app="viewer"),
        eng=[ann],
        groups=(group("ops", ann), group("all", ann)),
    )
    assert [(change.principal.id, change.why) for change in seen.course.changes] == [
        ("new:ann@acme.example", "in the groups all, eng and ops")
    ]
    assert seen.asked.roles == {"new:ann@acme.example": holds("viewer", web="admin", app="viewer")}


def test_who_is_in_no_group_of_a_binding_is_not_created_whatever_else_names_them() -> None:
    ann = person()
    seen = life([ann, BOB], server(BOBS), VIEWERS, grant("ann", "admin"), eng=[BOB])
    assert seen.changes == ()
    assert [problem.message for problem in seen.asked.problems] == [
        "there is no person 'ann@acme.example' on the server"
    ]


def test_a_joiner_can_be_on_a_temporary_grant_from_the_first_day() -> None:
    ann = person()
    seen = life([ann], server(), VIEWERS, grant("ann", "admin"), eng=[ann])
    assert seen.asked.roles == {"new:ann@acme.example": holds("admin")}
    assert seen.asked.problems == ()


def test_without_the_policys_leave_a_joiner_is_a_problem_as_ever_and_nobody_is_created() -> None:
    ann = person()
    seen = life([ann, BOB], server(BOBS), eng=[ann], rules=REPORT)
    assert seen.changes == ()
    assert [problem.message for problem in seen.asked.problems] == [
        "members of the group 'eng' are not on the server: ann@acme.example"
    ]
    assert seen.population.strangers == (ann,)


@pytest.mark.parametrize(
    "ann",
    [left(), person(user_name=None)],
    ids=["inactive in the directory", "without a userName"],
)
def test_who_can_not_be_entitled_or_named_is_not_created(ann: Member) -> None:
    assert life([ann, BOB], server(BOBS), eng=[ann, BOB]).changes == ()


def test_an_inactive_stranger_is_no_problem() -> None:
    seen = life([left(), BOB], server(BOBS), eng=[left(), BOB], rules=REPORT)
    assert (seen.asked.problems, seen.population.strangers) == ((), ())


def test_strangers_are_sorted_by_what_they_are_called() -> None:
    ann, cid, nameless = person(external_id="x-z"), person("Cid"), Member(external_id="x-bea", active=True)
    seen = life([cid, nameless, ann, BOB], server(BOBS), eng=[cid, nameless, ann], rules=REPORT)
    assert seen.population.strangers == (ann, cid, nameless)


def test_nobody_is_passed_over_for_who_is_inactive_or_a_stranger_in_the_same_group() -> None:
    names = [f"p{number}" for number in range(30)]
    gone, here = [left(f"gone-{name}") for name in names], [person(name) for name in names]
    accounts = [account(name) for name in names]
    seen = life([*gone, *here, person()], server(*accounts), eng=[*gone, *here, person()], rules=REPORT)
    assert seen.asked.roles == {one.id: holds("viewer") for one in accounts}
    several = life([*gone, *here], server(), eng=[*gone, *here], rules=REPORT)
    assert [problem.message for problem in several.asked.problems] == [
        "members of the group 'eng' are not on the server: "
        "p0@acme.example, p10@acme.example, p11@acme.example and 27 more"
    ]


def test_a_status_that_nobody_knows_does_not_keep_a_joiner_out() -> None:
    ann = person(active=None, status="ACTIVATING")
    assert len(life([ann], server(), eng=[ann]).changes) == 1


def test_a_protected_name_is_not_created() -> None:
    ann = person()
    seen = life([ann], server(), eng=[ann], protected=("ann@acme.example",))
    assert (seen.changes, seen.course.live) == ((), server())


def test_an_account_of_that_name_is_the_joiners_own_and_no_second_is_made() -> None:
    ann = person(external_id="x-other")
    seen = life([ann, BOB], server(account(), BOBS), eng=[ann, BOB])
    assert seen.changes == ()
    assert seen.asked.roles["u-ann"] == holds("viewer")
    assert seen.course.findings == (PASSED_ON,)


CONTRACTORS = PersonEntry("ann@acme.example", at(), ("contractor",))


@pytest.mark.parametrize(
    ("rule", "entry"),
    [
        (person_class(named=True), CONTRACTORS),
        (person_class(groups=("contractors",)), CONTRACTORS),
        (person_class(), replace(CONTRACTORS, ends=NOW - DAY)),
        (person_class(end_required=True), CONTRACTORS),
    ],
    ids=["a class that has to be named", "a class of unknown people", "past their end", "without an end"],
)
def test_who_is_given_nothing_is_neither_created_nor_brought_back(
    rule: PersonClass, entry: PersonEntry
) -> None:
    ann = person()
    rules: dict[str, Any] = {"eng": [ann], "classes": (rule,), "people": (entry,)}
    joins = life([ann, BOB], server(BOBS), **rules)
    assert (joins.changes, joins.course.live, joins.asked.roles) == ((), server(BOBS), {})
    returns = life([ann, BOB], server(inactive(), BOBS), **rules)
    assert (returns.changes, returns.asked.roles) == ((), {})


def test_what_a_lost_group_holds_for_somebody_is_no_reason_to_bring_them_back() -> None:
    seen = life(
        [person(), BOB],
        server(inactive(), BOBS, ann=holds("admin")),
        VIEWERS,
        binding("lost", "admin"),
        eng=[person()],
        classes=(person_class(named=True),),
        people=(CONTRACTORS,),
    )
    assert (seen.changes, seen.asked.roles) == ((), {"u-ann": holds("admin")})


# Possible renames.


RENAMED = (
    "if so, write `people: [{user: lee@acme.example, previously: [ann@acme.example]}]`; if not, "
    "let somebody take the roles of the other account, or deactivate it"
)


@pytest.mark.parametrize("rules", [EVERYTHING, REPORT], ids=["all allowed", "report"])
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ({}, {"display_name": "ANN"}),
        ({"display_name": None}, {"email": "Ann@acme.example"}),
        ({"display_name": None, "email": "a@acme.example"}, {"email": "A@acme.example"}),
        ({"display_name": None, "email": "lee@acme.example"}, {}),
    ],
    ids=["by name", "e-mail is the old userName", "by e-mail", "userName is the old e-mail"],
)
def test_a_stranger_who_may_be_somebody_renamed_is_not_created_and_the_other_loses_nothing(
    old: Mapping[str, Any], new: Mapping[str, Any], rules: Lifecycle
) -> None:
    lee = person("lee", **new)
    seen = life(
        [lee, BOB],
        server(account(external_id=None, **old), BOBS, ann=holds("admin", web="viewer")),
        eng=[lee],
        rules=rules,
    )
    assert seen.changes == ()
    assert seen.asked.roles["u-ann"] == holds("admin", web="viewer")
    assert seen.population.problems == (
        Problem(
            PLACE,
            "possible rename: 'lee@acme.example' (x-lee) of the directory may be ann@acme.example "
            "on the server",
            RENAMED,
        ),
    )


def test_a_stranger_who_may_be_one_of_several_is_asked_of_all_of_them() -> None:
    lee = Member(user_name="lee@acme.example", active=True, display_name="Ann")
    twins = account("cid", external_id=None, display_name="Ann"), account(external_id=None)
    seen = life([lee, BOB], server(*twins, BOBS, ann=holds("admin"), cid=holds("viewer")), eng=[lee])
    assert seen.changes == ()
    assert seen.asked.roles == {"u-ann": holds("admin"), "u-cid": holds("viewer")}
    assert seen.population.problems == (
        Problem(
            PLACE,
            "possible rename: 'lee@acme.example' of the directory may be ann@acme.example, cid@acme.example "
            "on the server",
            RENAMED,
        ),
    )


def test_a_stranger_without_a_username_is_asked_about_by_the_id() -> None:
    lee = Member(external_id="x-lee", active=True, display_name="Ann")
    seen = life([lee, BOB], server(account(external_id=None), BOBS), eng=[lee])
    assert seen.problems == [
        (
            "possible rename: 'x-lee' of the directory may be ann@acme.example on the server",
            "if so, have the directory tell their userName; if not, let somebody take the roles of the other "
            "account, or deactivate it",
        )
    ]


def test_an_externalid_that_counts_proves_that_it_is_no_rename() -> None:
    lee = person("lee", display_name="Ann")
    seen = life([lee, BOB], server(account(), BOBS, ann=holds("admin")), eng=[lee, BOB])
    assert [type(change).__name__ for change in seen.changes] == ["CreateUser", "SetActive"]
    assert seen.asked.roles == {"u-bob": holds("viewer"), "new:lee@acme.example": holds("viewer")}


def test_externalids_that_are_another_attribute_here_than_there_prove_nothing_and_create_nobody() -> None:
    lee, cid = person("lee", display_name="Ann"), person("cid")
    bob, ann = account("bob", external_id="bob.nick"), account(external_id="ann.nick")
    seen = life([lee, cid, BOB], server(ann, bob, ann=holds("admin")), eng=[lee, cid, BOB])
    assert seen.changes == ()
    assert seen.asked.roles == {"u-ann": holds("admin"), "u-bob": holds("viewer")}
    assert seen.problems == [
        (
            "nobody is created: the externalId of 1 of the people on the server is not the directory's, and "
            "of 0 it is",
            "say which attribute of the directory it should be: `directory.attributes.external_id`",
        ),
        (
            "possible rename: 'lee@acme.example' (x-lee) of the directory may be ann@acme.example on the "
            "server",
            RENAMED,
        ),
    ]


def test_externalids_that_prove_nothing_are_no_problem_where_nobody_joins() -> None:
    seen = life([BOB], server(account("bob", external_id="bob.nick")), eng=[BOB])
    assert (seen.problems, seen.asked.roles) == ([], {"u-bob": holds("viewer")})


@pytest.mark.parametrize(
    ("listed", "account_of_bob", "created"),
    [
        pytest.param([BOB], account("bob", external_id="bob.nick"), False, id="somebody's are not the same"),
        pytest.param([left("bob")], account("bob", external_id="bob.nick"), True, id="but they left"),
        pytest.param([BOB], account("bob", external_id=None), True, id="the server tells none"),
        pytest.param([person("bob", external_id=None)], BOBS, True, id="the directory tells none"),
        pytest.param(
            [BOB, person("bob", external_id="x-2")],
            account("bob", external_id="bob.nick"),
            True,
            id="nobody can tell whose account it is",
        ),
    ],
)
def test_whether_externalids_are_the_same_is_told_by_those_who_are_here_for_certain(
    listed: list[Member], account_of_bob: Principal, created: bool
) -> None:
    lee = person("lee")
    seen = life([lee, *listed], server(account_of_bob), eng=[lee], rules=JOINING)
    assert ("new:lee@acme.example" in seen.asked.roles) is created


def test_an_id_of_the_server_goes_before_all_other_keys() -> None:
    ann, mixed_up = person(), person(principal_id="u-bob")
    assert life([ann], server(account(), BOBS)).population.matches.keys() == {"u-ann"}
    assert life([mixed_up], server(account(), BOBS)).population.matches.keys() == {"u-bob"}


def test_who_has_no_externalid_is_created_where_those_prove_nothing() -> None:
    lee = person("lee", external_id=None)
    bob = account("bob", external_id="bob.nick")
    seen = life([lee, BOB], server(bob), eng=[lee], rules=JOINING)
    assert seen.asked.roles == {"new:lee@acme.example": holds("viewer")}


def test_externalids_that_prove_nothing_tell_nobody_apart_from_a_stranger() -> None:
    bob, live = account("bob", external_id="bob.nick"), {"ann": holds("viewer")}
    seen = life([person("lee"), BOB], server(account(), bob, **live), eng=[person("lee")])
    assert (seen.changes, seen.asked.roles) == ((), {"u-ann": holds("viewer")})
    agreed = life([person("lee"), BOB], server(account(), BOBS, **live), eng=[person("lee")], rules=JOINING)
    assert agreed.asked.roles == {"new:lee@acme.example": holds("viewer")}


@pytest.mark.parametrize(
    ("other", "machines"),
    [
        (account("cid", external_id=None, display_name="Lee"), ()),
        (inactive(external_id=None, display_name="Lee"), ()),
        (account(external_id=None, display_name="Lee"), (True,)),
    ],
    ids=["somebody whom the directory lists", "somebody inactive", "a service account"],
)
def test_a_stranger_who_is_called_like_somebody_who_is_not_missing_is_created(
    other: Principal, machines: tuple[bool, ...]
) -> None:
    lee, cid = person("lee"), person("cid", display_name="Lee")
    bots = (machine(),) if machines else ()
    seen = life([lee, cid, BOB], server(other, BOBS), eng=[lee, BOB], rules=JOINING, machines=bots)
    assert [change.principal.user_name for change in seen.course.changes] == ["lee@acme.example"]
    assert seen.problems == []


def test_one_account_that_was_passed_on_by_name_does_not_make_all_externalids_doubtful() -> None:
    ann, cid = person(external_id="x-new"), person("cid")
    seen = life([ann, cid, BOB], server(account(), BOBS), eng=[ann, cid])
    assert [change.principal.user_name for change in seen.course.changes] == ["cid@acme.example"]


def test_a_rename_that_the_policy_declares_is_none_to_be_guessed() -> None:
    lee = person("lee", external_id=None, display_name="Ann")
    entry = PersonEntry("lee@acme.example", at(), previously=("ann@acme.example",))
    seen = life(
        [lee, BOB], server(account(external_id=None), BOBS, ann=holds("viewer")), eng=[lee], people=(entry,)
    )
    assert seen.problems == []
    assert seen.changes == (
        SetAttributes(
            account(external_id=None),
            (AttributeChange(Attribute.USER_NAME, "ann@acme.example", "lee@acme.example"),),
            "as in the directory, by userName",
        ),
    )
    assert seen.asked.roles == {"u-ann": holds("viewer")}


def test_of_people_in_no_bound_group_a_name_alone_is_no_trace_and_an_e_mail_is() -> None:
    lee = person("lee", display_name="Ann")
    gone = server(account(external_id=None), BOBS)
    assert life([lee, BOB], gone, eng=[BOB]).problems == []
    by_mail = life([lee._replace(email="ann@acme.example"), BOB], gone, eng=[BOB])
    assert (len(by_mail.problems), by_mail.changes) == (1, ())


# Leavers.


def test_who_is_listed_as_inactive_loses_everything_and_the_account() -> None:
    since = NOW - 2 * DAY
    seen = life(
        [left(since=since), BOB],
        server(account(), BOBS, ann=holds("admin", web="viewer")),
        VIEWERS,
        grant("ann", "admin"),
        eng=[left(since=since)],
    )
    assert seen.asked.roles == {}
    assert seen.changes == (
        SetActive(account(), False, "DEPROVISIONED in the directory since 2026-11-21 12:00 UTC"),
    )
    assert seen.told == []


def test_who_left_at_this_very_moment_has_left_and_is_told_in_words_where_the_directory_has_none() -> None:
    ann = person(active=False, since=NOW)
    seen = life([ann, BOB], server(account(), BOBS))
    assert seen.changes == (
        SetActive(account(), False, "inactive in the directory since 2026-11-23 12:00 UTC"),
    )


@pytest.mark.usefixtures("far_from_utc")
def test_moments_are_told_in_utc_wherever_the_program_runs() -> None:
    seen = life([left(since=NOW), BOB], server(account(), BOBS))
    assert [change.why for change in seen.course.changes] == [
        "DEPROVISIONED in the directory since 2026-11-23 12:00 UTC"
    ]


def test_who_is_listed_no_more_loses_everything_and_the_account() -> None:
    seen = life([BOB], server(account(), BOBS, ann=holds("admin")), eng=[BOB])
    assert seen.asked.roles == {"u-bob": holds("viewer")}
    assert seen.changes == (SetActive(account(), False, "not in the directory"),)


def test_without_the_policys_leave_a_leaver_is_told_and_loses_the_roles_alone() -> None:
    since = NOW - 2 * DAY
    live = server(account(), account("cid"), BOBS, ann=holds("admin"), cid=holds("admin"))
    seen = life([left(since=since), BOB], live, eng=[BOB], rules=REPORT)
    assert (seen.changes, seen.asked.roles) == ((), {"u-bob": holds("viewer")})
    remedy = "deactivate the account, or write `lifecycle: {leavers: deactivate}`"
    assert seen.course.findings == (
        Finding(
            Kind.LEAVER,
            "ann@acme.example",
            "is active here, and DEPROVISIONED in the directory",
            remedy,
            since=since,
        ),
        Finding(Kind.LEAVER, "cid@acme.example", "is active here, and not in the directory", remedy),
    )


@pytest.mark.parametrize("status", ["NEW_IN_2027", ""])
def test_a_status_that_nobody_knows_makes_nobody_a_leaver(status: str) -> None:
    ann = person(active=None, status=status)
    seen = life([ann], server(account(), ann=holds("viewer")), eng=[ann])
    assert (seen.changes, seen.told, seen.asked.roles) == ((), [], {"u-ann": holds("viewer")})


def test_who_is_in_a_group_is_no_leaver_though_the_listing_of_everybody_lacks_them() -> None:
    seen = life([BOB], server(account(), BOBS), eng=[person()])
    assert seen.changes == ()
    assert seen.asked.roles == {"u-ann": holds("viewer")}


def test_a_directory_that_does_not_list_everybody_makes_nobody_a_leaver_but_whom_it_calls_inactive() -> None:
    live = server(account(), account("cid"), ann=holds("admin"), cid=holds("admin"))
    for groups in {"eng": [left("cid")]}, {"groups": (group("ops", left("cid")),)}:
        seen = life(None, live, **groups)
        assert [change.principal.id for change in seen.course.changes] == ["u-cid"]


def test_a_directory_that_lists_nobody_is_no_answer() -> None:
    with pytest.raises(ReadError) as raised:
        life([], server(account()))
    assert (raised.value.message, raised.value.hint) == (
        "the directory lists not a single person, so nobody can be told to have left",
        "check the rights that it is read with",
    )


def test_people_in_groups_are_no_listing_of_everybody() -> None:
    with pytest.raises(ReadError, match="lists not a single person"):
        life([], server(account(), BOBS), eng=[BOB])


def test_a_directory_on_the_same_server_knows_nothing_of_lives() -> None:
    seen = life([], server(account(), BOBS, ann=holds("admin")), kind=DirectoryKind.SCIM)
    assert (seen.population, seen.changes, seen.told) == (Population(), (), [])


# Grace.

THREE_DAYS = replace(EVERYTHING, grace=3)


@pytest.mark.parametrize(
    ("told", "changes", "remedy"),
    [
        (None, 0, "roles and account are left alone until 2026-11-26 12:00 UTC"),
        (NOW - 2 * DAY, 0, "roles and account are left alone until 2026-11-24 12:00 UTC"),
        (NOW - 3 * DAY, 1, ""),
        (NOW + DAY, 0, "roles and account are left alone until 2026-11-26 12:00 UTC"),
        (UNSET, 0, "roles and account are left alone until 2026-11-26 12:00 UTC"),
    ],
    ids=[
        "never told",
        "told two days ago",
        "told three days ago",
        "told by a clock that is ahead",
        "no time",
    ],
)
def test_who_is_listed_no_more_keeps_roles_and_account_until_the_grace_is_over(
    told: datetime | None, changes: int, remedy: str
) -> None:
    past = Past(told={"u-ann": told} if told else {})
    seen = life([BOB], server(account(), BOBS, ann=holds("admin")), rules=THREE_DAYS, past=past)
    assert len(seen.changes) == changes
    assert seen.asked.roles == ({} if changes else {"u-ann": holds("admin")})
    assert [finding.remedy for finding in seen.course.findings] == ([remedy] if remedy else [])
    assert seen.course.told == (account(),)


@pytest.mark.parametrize(("days", "changes"), [(2, 0), (3, 1)])
def test_who_is_listed_as_inactive_loses_the_roles_at_once_and_the_account_after_the_grace(
    days: int, changes: int
) -> None:
    ann = left(since=NOW - days * DAY)
    past = Past(told={"u-ann": NOW - 9 * DAY})  # the directory's own word goes before the ledger's
    seen = life(
        [ann, BOB], server(account(), BOBS, ann=holds("admin")), eng=[ann], rules=THREE_DAYS, past=past
    )
    assert seen.asked.roles == {}
    assert len(seen.changes) == changes
    assert [finding.remedy for finding in seen.course.findings] == (
        [] if changes else ["the account is left alone until 2026-11-24 12:00 UTC"]
    )


@pytest.mark.parametrize("year", [1, 1601, 1969])
def test_a_time_that_means_not_set_begins_no_grace(year: int) -> None:
    gone = left(since=datetime(year, 1, 1, tzinfo=UTC))
    seen = life([gone, BOB], server(account(), BOBS), rules=THREE_DAYS)
    assert seen.changes == ()
    assert [finding.remedy for finding in seen.course.findings] == [
        "the account is left alone until 2026-11-26 12:00 UTC"
    ]


def test_a_grace_that_no_calendar_sees_the_end_of_is_not_over() -> None:
    now = datetime(9999, 12, 31, 23, tzinfo=UTC)
    seen = life([BOB], server(account(), BOBS, ann=holds("admin")), rules=THREE_DAYS, now=now)
    assert (seen.changes, seen.asked.roles) == ((), {"u-ann": holds("admin")})


def test_without_grace_nothing_is_to_be_remembered() -> None:
    assert life([BOB], server(account(), BOBS)).course.told is None


def test_a_grace_keeps_no_role_that_a_temporary_grant_gave_until_it_ended() -> None:
    over = grant("ann", "admin", expires=NOW - DAY, line=9)
    seen = life(
        [BOB], server(account(), BOBS, ann=holds("admin", web="viewer")), VIEWERS, over, rules=THREE_DAYS
    )
    assert seen.asked.roles == {"u-ann": holds(web="viewer")}
    why = provenance("ann@acme.example", "admin", line=9, reason="INC-1", until=NOW - DAY, ended=True)
    assert seen.asked.why == {"u-ann": {ORGANIZATION: (why,)}}


# Whom no run touches.


def machine(name: str = "ann") -> ServiceAccount:
    return ServiceAccount(f"{name}@acme.example", (), "bob@acme.example", "CI", NOW + DAY, at())


SPARING: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "protected": {"protected": ("Ann@acme.example",)},
        "a service account": {"machines": (machine(),)},
        "the token's user": {"own": "u-ann"},
    }
)


@pytest.mark.parametrize("sparing", SPARING.values(), ids=SPARING)
def test_the_account_of_nobody_who_is_exempt_is_touched(sparing: Mapping[str, Any]) -> None:
    def changes(directory: Iterable[Member], ann: Principal, eng: Iterable[Member] = ()) -> object:
        past = Past(deactivated={"u-ann": NOW - 99 * DAY})
        rules = replace(EVERYTHING, delete_after=1)
        return life(directory, server(ann, BOBS), eng=eng, rules=rules, past=past, **sparing).changes

    renamed = person(user_name="lee@acme.example", display_name="Lee")
    assert changes([BOB], account()) == ()
    assert changes([BOB, left()], account()) == ()
    assert changes([BOB], inactive()) == ()
    assert changes([BOB, person()], inactive(), [person()]) == ()
    assert changes([BOB, renamed], account()) == ()


@pytest.mark.parametrize("sparing", SPARING.values(), ids=SPARING)
def test_an_exempt_account_is_told_only_where_the_directory_calls_it_inactive(
    sparing: Mapping[str, Any],
) -> None:
    live, on_grant = server(account(), account("dan"), BOBS), grant("dan", "admin")
    unlisted = Finding(Kind.UNKNOWN, "dan@acme.example", "is active here, and not in the directory")
    assert life([BOB], live, VIEWERS, on_grant, **sparing).course.findings == (unlisted,)
    assert life([BOB, left(since=NOW - DAY)], live, VIEWERS, on_grant, **sparing).course.findings == (
        Finding(
            Kind.LEAVER,
            "ann@acme.example",
            "is active here, and DEPROVISIONED in the directory",
            since=NOW - DAY,
        ),
        unlisted,
    )


def test_who_is_on_a_temporary_grant_need_not_be_in_the_directory() -> None:
    seen = life([BOB], server(account(), BOBS, ann=holds("admin")), VIEWERS, grant("ann", "admin"))
    assert (seen.changes, seen.asked.roles) == ((), {"u-ann": holds("admin")})
    assert seen.told == [(Kind.UNKNOWN, "ann@acme.example", "is active here, and not in the directory")]


@pytest.mark.parametrize(
    "times",
    [{"starts": NOW}, {"expires": NOW}, {"starts": NOW - DAY, "expires": NOW + DAY}],
    ids=["from its first moment", "to its last", "in between"],
)
def test_a_running_grant_keeps_the_account_of_who_is_not_in_the_directory(times: Mapping[str, Any]) -> None:
    admin, past = grant("ann", "admin", **times), Past(deactivated={"u-ann": NOW - 999 * DAY})
    for ann in account(), inactive():
        assert life([BOB], server(ann, BOBS), VIEWERS, admin, rules=DELETING, past=past).changes == ()


def test_a_service_account_loses_nothing_by_what_the_directory_says_of_its_person() -> None:
    seen = life(
        [left(), BOB], server(account(), BOBS, ann=holds("viewer")), eng=[left()], machines=(machine(),)
    )
    assert "u-ann" not in seen.population.denied


def test_the_tokens_user_is_entitled_to_nothing_all_the_same_where_the_directory_says_so() -> None:
    assert (
        life(
            [left(), BOB], server(account(), BOBS, ann=holds("viewer")), eng=[left()], own="u-ann"
        ).asked.roles
        == {}
    )


# Returners.


def test_a_returner_gets_the_roles_and_then_the_account() -> None:
    seen = life([person(), BOB], server(inactive(), BOBS, ann=holds("admin")), eng=[person()])
    assert seen.changes == (SetActive(inactive(), True, "active in the directory, in the group eng"),)
    assert seen.asked.roles == {"u-ann": holds("viewer")}
    assert seen.told == []


def test_a_directory_that_says_neither_active_nor_how_means_everybody_whom_it_lists_to_be_here() -> None:
    ann = person(active=None)
    assert life([ann, BOB], server(inactive(), BOBS), eng=[ann]).changes == (
        SetActive(inactive(), True, "active in the directory, in the group eng"),
    )


def test_without_the_policys_leave_a_returner_is_told_and_entitled_to_nothing() -> None:
    seen = life([person(), BOB], server(inactive(), BOBS), eng=[person()], rules=REPORT)
    assert (seen.changes, seen.asked.roles) == ((), {})
    assert seen.course.findings == (
        Finding(
            Kind.RETURNER,
            "ann@acme.example",
            "is inactive here, and active in the directory, in the group eng",
            "activate the account, or write `lifecycle: {returners: reactivate}`",
        ),
    )


@pytest.mark.parametrize(
    ("ann", "eng"),
    [
        (person(), False),
        (left(), True),
        (person(active=None, status="NEW_IN_2027"), True),
    ],
    ids=["in no group that is bound", "inactive in the directory, too", "in a status that nobody knows"],
)
def test_who_is_not_meant_to_be_here_does_not_return(ann: Member, eng: bool) -> None:
    seen = life([ann, BOB], server(inactive(), BOBS), eng=[ann] if eng else [])
    assert (seen.changes, seen.asked.roles, seen.told) == ((), {}, [])


def test_who_may_be_past_the_end_of_their_time_does_not_return_to_what_the_account_still_holds() -> None:
    seen = life(
        [person(), BOB],
        server(inactive(), BOBS, ann=holds("admin")),
        eng=[person()],
        groups=(group("contractors", person()),),
        classes=(person_class(groups=["contractors"], end_required=True),),
    )
    assert (seen.changes, seen.asked.roles) == ((), {"u-ann": holds("admin")})
    assert [problem.message for problem in seen.asked.problems] == [
        "no end is known of people of the class 'contractor': ann@acme.example"
    ]


def test_an_account_is_not_given_back_to_somebody_else_of_the_same_name() -> None:
    ann, back = person(external_id="x-other"), person("aby")
    seen = life([ann, back, BOB], server(inactive(), inactive("aby"), BOBS), eng=[ann, back])
    assert [change.principal.id for change in seen.course.changes] == ["u-aby"]
    assert seen.asked.roles == {"u-aby": holds("viewer")}
    assert seen.course.findings == (
        PASSED_ON,
        Finding(
            Kind.RETURNER,
            "ann@acme.example",
            "is inactive here, and active in the directory, in the group eng; not brought back, for the "
            "externalId is another: it may be somebody else's name",
            "let the identity provider correct the externalId, or the userName",
        ),
    )


# Deletion.


@pytest.mark.parametrize(
    ("directory", "days", "deleted"),
    [
        ([BOB], 90, True),
        ([BOB, left()], 90, True),
        ([BOB], 89, False),
        ([BOB], None, False),
        ([BOB, person()], 90, False),
        ([BOB, person(active=None)], 90, False),
        (None, 90, False),
    ],
    ids=["gone", "inactive", "too early", "not by us", "back in the directory", "who knows", "nobody listed"],
)
def test_an_account_is_deleted_only_where_the_ledger_proves_it_and_the_directory_agrees(
    directory: Iterable[Member] | None, days: int | None, deleted: bool
) -> None:
    past = Past(deactivated={} if days is None else {"u-ann": NOW - days * DAY})
    seen = life(directory, server(inactive(), BOBS), eng=[BOB], rules=DELETING, past=past)
    change = DeleteUser(inactive(), "deactivated by this program 2026-08-25 12:00 UTC")
    assert seen.changes == ((change,) if deleted else ())


def test_an_active_account_is_not_deleted_whatever_the_ledger_says() -> None:
    past = Past(deactivated={"u-ann": NOW - 99 * DAY})
    seen = life([BOB], server(account(), BOBS), rules=DELETING, past=past)
    assert [type(change) for change in seen.changes] == [SetActive]


@pytest.mark.parametrize(
    "rules", [EVERYTHING, replace(DELETING, deactivates=False)], ids=["no deletion", "no deactivation"]
)
def test_without_the_policys_leave_nothing_is_deleted(rules: Lifecycle) -> None:
    past = Past(deactivated={"u-ann": NOW - 999 * DAY})
    assert life([BOB], server(inactive(), BOBS), past=past, rules=rules).changes == ()


# Attributes.


def test_names_and_e_mail_become_the_directorys_by_externalid() -> None:
    ann = person(user_name="lee@acme.example", display_name="Lee", email="lee@acme.example")
    here = account(email="ann@acme.example")
    seen = life([ann, BOB], server(here, BOBS), eng=[ann])
    assert seen.changes == (
        SetAttributes(
            here,
            (
                AttributeChange(Attribute.DISPLAY_NAME, "Ann", "Lee"),
                AttributeChange(Attribute.EMAIL, "ann@acme.example", "lee@acme.example"),
                AttributeChange(Attribute.USER_NAME, "ann@acme.example", "lee@acme.example"),
            ),
            "as in the directory, by externalId",
        ),
    )
    assert seen.asked.roles == {"u-ann": holds("viewer")}


def test_an_externalid_on_one_side_alone_contradicts_nothing() -> None:
    ann = person(display_name="Anna")
    for there, here in (ann, account(external_id=None)), (ann._replace(external_id=None), account()):
        (change,) = life([there, BOB], server(here, BOBS), eng=[there]).changes
        assert change == SetAttributes(
            here,
            (AttributeChange(Attribute.DISPLAY_NAME, "Ann", "Anna"),),
            "as in the directory, by userName",
        )


@pytest.mark.parametrize(
    ("named", "entries"),
    [
        ({"people": (PersonEntry("Ann@acme.example", PLACE, ends=NOW + DAY),)}, ()),
        ({"required": ("ann@acme.example",)}, ()),
        ({}, (grant("ann", "admin", starts=NOW + DAY),)),
        ({}, (grant("ann", "admin", expires=NOW),)),
    ],
    ids=["in an entry of a person", "as a required admin", "in a grant to come", "in a grant's last moment"],
)
def test_who_is_named_by_the_policy_is_renamed_only_once_it_names_them_otherwise(
    named: Mapping[str, Any], entries: tuple[TemporaryGrant, ...]
) -> None:
    ann = person(user_name="lee@acme.example", display_name="Lee")
    seen = life([ann, BOB], server(account(), BOBS), VIEWERS, *entries, eng=[ann], **named)
    name = AttributeChange(Attribute.DISPLAY_NAME, "Ann", "Lee")
    assert seen.changes == (SetAttributes(account(), (name,), "as in the directory, by externalId"),)
    assert [(one.kind, one.subject, one.message, one.remedy) for one in seen.course.findings] == [
        (
            Kind.ATTRIBUTE,
            "ann@acme.example",
            "userName is 'ann@acme.example' here, and 'lee@acme.example' in the directory",
            "the policy names 'ann@acme.example': name 'lee@acme.example' in its place, and write "
            "`people: [{user: lee@acme.example, previously: [ann@acme.example]}]`",
        )
    ]


def test_a_rename_that_the_policy_has_followed_is_carried_out_and_takes_nobody_out_of_a_class() -> None:
    ann = person(user_name="lee@acme.example")
    entry = PersonEntry("lee@acme.example", PLACE, ("contractor",), previously=("ann@acme.example",))

    def seen(account: Principal) -> Life:
        return life(
            [ann, BOB],
            server(account, BOBS),
            binding("eng", "admin"),
            eng=[ann],
            people=(entry,),
            classes=(person_class(highest="viewer"),),
        )

    before, after = seen(account()), seen(account(user_name="lee@acme.example"))
    renamed = AttributeChange(Attribute.USER_NAME, "ann@acme.example", "lee@acme.example")
    assert before.changes == (SetAttributes(account(), (renamed,), "as in the directory, by externalId"),)
    assert before.asked.roles == after.asked.roles == {"u-ann": holds("viewer")}


def test_a_grant_that_is_over_keeps_nobody_from_being_renamed() -> None:
    ann = person(user_name="lee@acme.example")
    over = grant("ann", "admin", expires=NOW - DAY)
    seen = life([ann, BOB], server(account(), BOBS), VIEWERS, over, eng=[ann])
    assert [type(change) for change in seen.changes] == [SetAttributes]


def test_without_the_policys_leave_each_difference_is_told() -> None:
    ann = person(user_name="lee@acme.example", display_name="Lee")
    seen = life([ann, BOB], server(account(), BOBS), rules=REPORT)
    assert seen.changes == ()
    remedy = "see `lifecycle: {attributes: repair}`"
    assert seen.course.findings == (
        Finding(
            Kind.ATTRIBUTE,
            "ann@acme.example",
            "displayName is 'Ann' here, and 'Lee' in the directory",
            remedy,
        ),
        Finding(
            Kind.ATTRIBUTE,
            "ann@acme.example",
            "userName is 'ann@acme.example' here, and 'lee@acme.example' in the directory",
            remedy,
        ),
    )


@pytest.mark.parametrize(
    ("here", "there"),
    [
        (account(), person(user_name="ANN@acme.example")),
        (account(email="ann@acme.example"), person(email="Ann@ACME.example")),
        (account(), person(email=None, display_name=None)),
        (account(), person(email="ann@acme.example")),
        (account(display_name="Zoe\u0301"), person(display_name="Zo\u00e9")),
        (account(), left()._replace(display_name="Lee")),
        (inactive(), person(display_name="Lee")),
        (inactive(), left()._replace(display_name="Lee")),
    ],
    ids=[
        "a userName in other letter case",
        "an e-mail in other letter case",
        "what the directory does not tell",
        "what the account lacks",
        "an accent written another way",
        "leavers",
        "who is inactive here",
        "who is inactive on both sides",
    ],
)
def test_what_is_no_difference_of_attributes(here: Principal, there: Member) -> None:
    there = there._replace(user_name=there.user_name or "ann@acme.example")
    seen = life([there, BOB], server(here, BOBS), rules=replace(REPORT, repairs=True))
    assert not any(isinstance(change, SetAttributes) for change in seen.changes)
    assert not any(kind is Kind.ATTRIBUTE for kind, _, _ in seen.told)


def test_a_returner_comes_back_under_the_directorys_name() -> None:
    lee = person(display_name="Lee")
    seen = life([lee, BOB], server(inactive(), BOBS), eng=[lee])
    assert seen.changes == (
        SetAttributes(
            inactive(),
            (AttributeChange(Attribute.DISPLAY_NAME, "Ann", "Lee"),),
            "as in the directory, by externalId",
        ),
        SetActive(inactive(), True, "active in the directory, in the group eng"),
    )


def test_what_an_account_lacks_is_no_difference_although_others_have_it() -> None:
    ann, bob = person(email="ann@acme.example"), BOB._replace(email="bob@acme.example")
    bobs = BOBS._replace(email="bob@acme.example")
    seen = life([ann, bob], server(account(), bobs), rules=replace(REPORT, repairs=True))
    assert (seen.changes, seen.told) == ((), [])


def test_an_account_of_that_name_is_not_made_that_of_somebody_else() -> None:
    ann, aby = person(external_id="x-other", display_name="Ann Other"), person("aby", display_name="Abigail")
    seen = life([ann, aby, BOB], server(account(), account("aby"), BOBS), eng=[ann])
    assert [change.principal.id for change in seen.course.changes] == ["u-aby"]
    assert seen.course.findings == (
        Finding(
            Kind.ATTRIBUTE,
            "ann@acme.example",
            "displayName is 'Ann' here, and 'Ann Other' in the directory",
        ),
        PASSED_ON,
    )


def test_nobody_is_renamed_to_the_name_of_another_account() -> None:
    ann = person(user_name="cid@acme.example")
    seen = life(
        [ann, BOB], server(account(), account("cid"), BOBS, ann=holds("admin"), cid=holds("admin")), eng=[ann]
    )
    assert seen.changes == ()
    assert seen.asked.roles == {"u-ann": holds("admin"), "u-cid": holds("admin")}
    assert seen.problems == [
        (
            "'cid@acme.example' (x-ann) is 'ann@acme.example' on the server by externalId, and "
            "'cid@acme.example' by userName",
            "the identity provider must rename one of the accounts, or correct its externalId",
        )
    ]


# Directories that contradict themselves.


def test_who_can_not_be_told_loses_what_an_ended_grant_gave_down_to_what_a_group_gives() -> None:
    def of_two_people(**held: str) -> DesiredState:
        twins = person(), person(external_id="x-other")
        grants = [grant("ann", "viewer", web="contributor", app="admin", expires=NOW - DAY, line=9)]
        live = server(account(), BOBS, ann=holds(held.pop("all", ""), **held))
        gives = binding("eng", web="viewer", app="admin", line=5)
        seen = life([*twins, BOB], live, gives, *grants, eng=[twins[0], BOB])
        assert (seen.changes, seen.asked.holdings("u-bob")) == ((), holds(web="viewer", app="admin"))
        return seen.asked

    def over(role: str) -> Provenance:
        return provenance("ann@acme.example", role, line=9, reason="INC-1", until=NOW - DAY, ended=True)

    by_group = provenance("eng", "viewer", line=5)
    lost = of_two_people(all="viewer", web="contributor", app="admin")
    assert lost.holdings("u-ann") == holds(web="viewer", app="admin")
    assert lost.why["u-ann"] == {ORGANIZATION: (over("viewer"),), WEB: (by_group, over("contributor"))}
    kept = of_two_people(all="admin", web="admin")
    assert kept.holdings("u-ann") == holds("admin", web="admin"), "more than the grant gave"
    assert "u-ann" not in kept.why


def test_what_a_class_withholds_takes_nothing_from_who_can_not_be_told() -> None:
    twins = person(), person(external_id="x-other")
    live, rule = server(account(), BOBS, ann=holds("viewer")), person_class(named=True)
    seen = life([*twins, BOB], live, eng=twins, classes=(rule,), people=(CONTRACTORS,))
    assert seen.asked.roles == {"u-ann": holds("viewer")}


def test_two_people_of_one_account_change_nothing_about_it() -> None:
    other = person("ann", external_id="x-other")
    for ann in (person(), left()):
        seen = life([ann, other, BOB], server(account(), BOBS, ann=holds("admin")), eng=[other])
        assert (seen.changes, seen.asked.roles) == ((), {"u-ann": holds("admin")})
        assert seen.problems == [
            (
                "the directory has 2 people who are 'ann@acme.example' on the server: "
                "'ann@acme.example' (x-ann), 'ann@acme.example' (x-other)",
                "the identity provider must let one of them go by another name",
            )
        ]


def test_one_externalid_on_two_accounts_changes_nothing_about_either() -> None:
    twin = account("cid", external_id="x-ann")
    seen = life(
        [person(), BOB],
        server(account(), twin, BOBS, ann=holds("admin"), cid=holds(web="admin")),
        eng=[person()],
    )
    assert (seen.changes, seen.asked.roles) == ((), {"u-ann": holds("admin"), "u-cid": holds(web="admin")})
    assert seen.problems == [
        (
            "2 accounts on the server have the externalId of 'ann@acme.example' (x-ann): ann@acme.example, "
            "cid@acme.example",
            "the identity provider must correct the externalId of all but one",
        )
    ]


def test_two_people_with_one_username_are_not_created() -> None:
    one, other = person(external_id="x-1"), person(external_id="x-2", user_name="ANN@acme.example")
    seen = life([one, other, BOB], server(BOBS), eng=[one, other])
    assert (seen.changes, seen.population.held) == ((), frozenset())
    assert seen.problems == [
        (
            "the directory has 2 people with one userName: "
            "'ann@acme.example' (x-1), 'ANN@acme.example' (x-2)",
            "the identity provider must rename all but one",
        )
    ]


def test_of_people_with_one_username_nobody_loses_the_account_that_is_theirs_by_externalid() -> None:
    one, other, third = person(external_id="1"), person(external_id="2"), person(external_id=None)
    lee = account("lee", external_id="1")
    live = server(lee, BOBS, lee=holds("admin"), bob=holds("admin"))
    seen = life([other, one, third, BOB], live, eng=[other])
    assert (seen.changes, seen.asked.roles, seen.population.held) == (
        (),
        {"u-lee": holds("admin")},
        frozenset({"u-lee"}),
    )
    assert [message for message, _ in seen.problems] == [
        "the directory has 3 people with one userName: "
        "'ann@acme.example', 'ann@acme.example' (1), 'ann@acme.example' (2)"
    ]


def test_who_left_and_was_hired_anew_by_the_same_name_joins_once_the_old_account_is_gone() -> None:
    old, new = left(), person(external_id="x-2")
    seen = life([old, new, BOB], server(BOBS), eng=[new])
    assert [change.principal.external_id for change in seen.course.changes] == ["x-2"]


# What is not resolved freezes only whom the directory did not tell apart.


def test_a_stranger_freezes_nobody_whom_the_directory_tells_apart() -> None:
    live = server(account(), account("cid"), account("dan", external_id=None), BOBS)
    live = replace(live, roles={id_: holds("viewer") for id_ in live.people})
    stranger = person("eve")
    seen = life([stranger, person(), BOB], live, eng=[stranger], rules=REPORT)
    assert seen.asked.roles == {"u-dan": holds("viewer")}


def test_an_account_that_may_be_a_strangers_is_not_deactivated() -> None:
    stranger = person("eve")
    rules = replace(EVERYTHING, creates=False, delete_after=1)
    live = server(account("dan", external_id=None), inactive("fay", external_id=None), BOBS)
    past = Past(deactivated={"u-fay": NOW - 9 * DAY})
    seen = life([stranger, BOB], live, eng=[stranger], rules=rules, past=past)
    assert seen.changes == ()
    assert seen.course.findings == (
        Finding(
            Kind.LEAVER,
            "dan@acme.example",
            "is active here, and not in the directory, unless it is somebody in a group who is not on the "
            "server",
            "see to it that everybody in the groups of bindings has an account",
        ),
    )


def test_a_leaver_loses_what_a_group_that_is_lost_could_have_given() -> None:
    live = server(account(), BOBS, ann=holds("viewer"))
    seen = life([BOB], live, binding("lost", "viewer"))
    assert (seen.asked.roles, len(seen.changes)) == ({}, 1)
    assert life([BOB], live, binding("lost", "viewer"), rules=REPORT).asked.roles == {
        "u-ann": holds("viewer")
    }


# What a ledger is needed for.


@pytest.mark.parametrize(
    ("rules", "kind", "needed"),
    [
        (Lifecycle(deactivates=True, grace=1), DirectoryKind.OKTA, True),
        (Lifecycle(deactivates=True, delete_after=1), DirectoryKind.FILE, True),
        (Lifecycle(deactivates=True), DirectoryKind.OKTA, False),
        (Lifecycle(grace=1, delete_after=1), DirectoryKind.OKTA, False),
        (Lifecycle(deactivates=True, grace=1), DirectoryKind.SCIM, False),
    ],
)
def test_the_ledger_is_needed_only_for_grace_and_deletion(
    rules: Lifecycle, kind: DirectoryKind, needed: bool
) -> None:
    of = replace(plain_organization(), directory=DirectorySettings(kind), lifecycle=rules)
    assert lifecycle.needs_past(of) is needed


# Laws.


@given(sides(), lifecycles, st.randoms())
def test_the_order_of_people_changes_nothing(seen: Sides, rules: Lifecycle, random: Random) -> None:
    people, eng, live, past = seen.people, seen.eng, seen.live, seen.past
    accounts = list(live.people.items())
    random.shuffle(accounts)
    other = replace(live, people=dict(accounts))
    assert life(people, live, eng=eng, rules=rules, past=past) == life(
        people[::-1], other, eng=eng[::-1], rules=rules, past=past
    )


@given(sides(), lifecycles)
def test_letter_case_changes_nothing(seen: Sides, rules: Lifecycle) -> None:
    people, eng, live, past = seen.people, seen.eng, seen.live, seen.past

    def loud(members: list[Member]) -> list[Member]:
        return [one._replace(user_name=one.user_name and one.user_name.upper()) for one in members]

    quiet, shouted = (
        life(told, live, eng=group, rules=rules, past=past)
        for told, group in ((people, eng), (loud(people), loud(eng)))
    )
    assert [(type(one), one.principal.id) for one in quiet.course.changes] == [
        (type(one), one.principal.id) for one in shouted.course.changes
    ]
    assert quiet.asked.roles == shouted.asked.roles


@given(sides(), lifecycles)
def test_nobody_who_is_protected_held_or_exempt_changes(seen: Sides, rules: Lifecycle) -> None:
    people, eng, live, past = seen.people, seen.eng, seen.live, seen.past
    found = life(people, live, eng=eng, rules=rules, past=past, protected=("ann@acme.example",), own="u-bob")
    changed = {change.principal.id for change in found.course.changes}
    assert not changed & ({"u-ann", "u-bob"} | found.population.held)
    for id_ in ({"u-ann"} & live.people.keys()) | found.population.held:
        assert found.asked.holdings(id_) == live.holdings(id_)


@given(sides(), lifecycles)
def test_no_e_mail_matches_anybody(seen: Sides, rules: Lifecycle) -> None:
    people, eng, live, past = seen.people, seen.eng, seen.live, seen.past
    for match in life(people, live, eng=eng, rules=rules, past=past).population.matches.values():
        account, member = match.principal, match.member
        by_name = member.user_name and fold(member.user_name) == fold(account.user_name)
        assert by_name or (member.external_id and member.external_id == account.external_id)


@given(sides(), lifecycles)
def test_nobody_gets_a_twin_and_nobody_is_changed_in_two_ways_that_contradict(
    seen: Sides, rules: Lifecycle
) -> None:
    people, eng, live, past = seen.people, seen.eng, seen.live, seen.past
    changes = life(people, live, eng=eng, rules=rules, past=past).course.changes
    created = [one.principal for one in changes if isinstance(one, CreateUser)]
    taken = {fold(one.user_name) for one in live.people.values()}
    assert not taken & {fold(one.user_name) for one in created}
    assert len({fold(one.user_name) for one in created}) == len(created)
    ids = {one.external_id for one in live.people.values() if one.external_id}
    assert not ids & {one.external_id for one in created}
    others = [one.principal.id for one in changes if isinstance(one, SetActive | DeleteUser)]
    assert len(set(others)) == len(others)


@given(sides(), lifecycles)
def test_only_who_is_listed_as_active_or_not_at_all_is_spared_a_directory_that_calls_them_inactive(
    seen: Sides, rules: Lifecycle
) -> None:
    people, eng, live, past = seen.people, seen.eng, seen.live, seen.past
    found = life(people, live, eng=eng, rules=rules, past=past)
    for match in found.population.matches.values():
        if match.member.active is False:
            assert found.asked.holdings(match.principal.id) == {}
