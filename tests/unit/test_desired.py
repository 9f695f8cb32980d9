"""Who should have what: groups and temporary grants expanded, and what is held where that is not known."""

from datetime import datetime, timedelta

import pytest
from build import (
    APP,
    END,
    NOW,
    WEB,
    at,
    binding,
    by_id,
    empty_group,
    grant,
    group,
    holds,
    live,
    membership,
    organization,
    policy,
    principal,
    provenance,
    term,
)

from reconciler import desired
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
    Role,
)
from reconciler.policy.document import Binding, Guardrails, Notice, Policy, TemporaryGrant
from reconciler.problem import Problem

NO_GROUPS = membership()
EVERYBODY = live({}, principal("ann"), principal("bob"), principal("cid"))
MOMENT = timedelta(microseconds=1)


def expand(
    *written: Binding | TemporaryGrant,
    groups: Membership = NO_GROUPS,
    live: LiveState = EVERYBODY,
    now: datetime = NOW,
    protected: tuple[str, ...] = (),
) -> DesiredState:
    return desired.expand(protecting(*protected, written=written), groups, live, now)


def protecting(*names: str, written: tuple[Binding | TemporaryGrant, ...] = ()) -> Policy:
    """A policy that points nothing out, so that findings are no concern of these tests."""
    return policy(*written, of=organization(guardrails=Guardrails(protected=names), notice=Notice(0, 36500)))


def strangers(*names: str) -> DirectoryGroup:
    return group("eng", *(Member(user_name=name) for name in names))


# What is given, and why.


def test_everybody_in_a_group_gets_its_roles_and_the_entry_that_gives_each() -> None:
    state = expand(
        binding("eng", "viewer", web="admin", line=7), groups=membership(group("eng", "ann", "bob"))
    )
    why = {
        ORGANIZATION: (provenance("eng", "viewer", line=7),),
        WEB: (provenance("eng", "admin", line=7),),
    }
    roles = by_id({"ann": holds("viewer", web="admin"), "bob": holds("viewer", web="admin")})
    assert state == DesiredState(roles, {"u-ann": why, "u-bob": why}, (), given=4)


def test_of_several_groups_and_grants_the_highest_role_wins_and_stands_first_in_the_reasons() -> None:
    state = expand(
        binding("eng", web="viewer", line=1),
        binding("ops", web="contributor", line=2),
        binding("all", web="contributor", line=3),
        grant("ann", web="admin", reason="INC-7", line=4),
        groups=membership(group("eng", "ann"), group("ops", "ann"), group("all", "ann")),
    )
    assert state.roles == by_id({"ann": holds(web="admin")})
    assert state.why["u-ann"] == {
        WEB: (
            provenance("ann@acme.example", "admin", line=4, reason="INC-7", until=END),
            provenance("ops", "contributor", line=2),
            provenance("all", "contributor", line=3),
            provenance("eng", "viewer", line=1),
        )
    }


def test_a_temporary_grant_that_is_over_gives_nothing_and_stays_as_an_explanation() -> None:
    over = NOW - MOMENT
    state = expand(
        binding("eng", web="viewer", line=1),
        grant("ann", web="admin", app="admin", expires=over, line=2),
        grant("bob", web="contributor", expires=over, line=3),
        grant("bob", web="admin", expires=over, line=4),
        groups=membership(group("eng", "ann")),
    )
    assert state.roles == by_id({"ann": holds(web="viewer")})
    ann = provenance("ann@acme.example", "admin", line=2, reason="INC-1", until=over, ended=True)
    bob = provenance("bob@acme.example", "admin", line=4, reason="INC-1", until=over, ended=True)
    bob_too = provenance("bob@acme.example", "contributor", line=3, reason="INC-1", until=over, ended=True)
    assert state.why == {
        "u-ann": {WEB: (provenance("eng", "viewer", line=1), ann), APP: (ann,)},
        "u-bob": {WEB: (bob, bob_too)},
    }


@pytest.mark.parametrize(
    ("now", "given"),
    [
        (NOW - MOMENT, False),
        (NOW, True),
        (END, True),
        (END + MOMENT, False),
    ],
    ids=["just before", "from its first moment", "through its last moment", "just after"],
)
def test_a_temporary_grant_holds_from_its_start_through_its_end(now: datetime, given: bool) -> None:
    state = expand(grant("ann", "admin", starts=NOW), now=now)
    assert state.roles == (by_id({"ann": holds("admin")}) if given else {})
    assert state.given == given


def test_a_temporary_grant_that_has_not_begun_gives_nothing_and_is_told_apart() -> None:
    starts = NOW + MOMENT
    state = expand(grant("ann", "admin", web="viewer", starts=starts, reason="INC-7"))
    admin, viewer = (
        Provenance("temporary grant", "ann@acme.example", at(), role, "INC-7", END, since=starts)
        for role in (Role.ADMIN, Role.VIEWER)
    )
    to_come = {"u-ann": {ORGANIZATION: (admin,), WEB: (viewer,)}}
    assert state == DesiredState({}, {}, terms=(term("ann", starts=starts),), to_come=to_come)


def test_a_temporary_grant_has_a_term_from_the_day_it_is_written_until_it_is_over() -> None:
    state = expand(
        grant("gone", "admin", expires=NOW, line=4),
        grant("ann", "admin", starts=NOW + MOMENT, line=2),
        grant("bob", web="admin", app="viewer", line=3),
        grant("cid", "admin", starts=NOW - MOMENT, expires=NOW - MOMENT, line=1),
    )
    assert state.terms == (
        term("ann", starts=NOW + MOMENT, line=2),
        term("bob", line=3),
        term("gone", NOW, line=4),
    )


@pytest.mark.parametrize(
    ("active", "given"), [(True, True), (None, True), (False, False)], ids=["yes", "not said", "no"]
)
def test_only_who_is_not_active_is_entitled_to_nothing(active: bool | None, given: bool) -> None:
    state = expand(
        binding("eng", "viewer"),
        grant("ann", web="admin"),
        groups=membership(group("eng", "ann")),
        live=live({}, principal("ann", active=active)),
    )
    assert state.roles == (by_id({"ann": holds("viewer", web="admin")}) if given else {})
    assert state.given == (2 if given else 0)
    assert state.problems == ()


def test_who_is_in_no_group_is_given_nothing() -> None:
    state = expand(
        binding("eng", "viewer"),
        groups=membership(group("eng", "bob")),
        live=live({"ann": holds("admin"), "bob": holds()}),
    )
    assert state.roles == by_id({"bob": holds("viewer")})


# Protected people.


@pytest.mark.parametrize("active", [True, False], ids=["active", "not active"])
def test_a_protected_person_keeps_exactly_what_they_have(active: bool) -> None:
    ann = principal("ann", user_name="Ann@Acme.example", active=active)
    state = expand(
        binding("eng", "viewer", web="admin"),
        groups=membership(group("eng", "ann", "bob")),
        live=live({"ann": holds("admin viewer", app="viewer"), "bob": holds()}, ann, principal("bob")),
        protected=("ann@acme.EXAMPLE",),
    )
    assert state.roles == by_id(
        {"ann": holds("admin viewer", app="viewer"), "bob": holds("viewer", web="admin")}
    )
    assert set(state.why) == ({"u-ann", "u-bob"} if active else {"u-bob"}), "what would apply is still told"
    assert state.given == 2, "what a protected person is given does not count"


def test_a_protected_person_without_roles_is_given_none() -> None:
    state = expand(
        binding("eng", "viewer"), groups=membership(group("eng", "ann")), protected=("ann@acme.example",)
    )
    assert state == DesiredState({}, {"u-ann": {ORGANIZATION: (provenance("eng", "viewer"),)}})


def test_protected_people_are_found_by_their_folded_user_name() -> None:
    state = live({}, principal("ann", user_name="STRASSE"), principal("bob"))
    assert desired.protected(protecting("straße", "nobody"), state) == {"u-ann"}


# Whom a directory means.

ANN = principal("ann", external_id="00u1")
BOB = principal("bob", external_id="00u2")
TWINS = (principal("tim", external_id="00u3"), principal("tom", external_id="00u3"))


@pytest.mark.parametrize(
    ("member", "meant"),
    [
        (Member("u-ann"), "u-ann"),
        (Member("u-ann", "00u2", "bob@acme.example"), "u-ann"),
        (Member("u-gone", "00u1", "ann@acme.example"), None),
        (Member(external_id="00u1"), "u-ann"),
        (Member(external_id="00u1", user_name="bob@acme.example"), "u-ann"),
        (Member(external_id="00U1"), None),
        (Member(external_id="other", user_name="ann@acme.example"), "u-ann"),
        (Member(user_name="ANN@Acme.Example"), "u-ann"),
        (Member(external_id="", user_name="ann@acme.example"), "u-ann"),
        (Member(external_id="00u3", user_name="tim@acme.example"), None),
        (Member(user_name="ann"), None),
        (Member(), None),
    ],
    ids=[
        "by id",
        "by id whatever the rest says",
        "an id that is not there",
        "by externalId",
        "by externalId before userName",
        "an externalId in another case",
        "by userName where the externalId is unknown",
        "by userName in another case",
        "by userName where the externalId is empty",
        "an externalId of two people",
        "an unknown userName",
        "no key at all",
    ],
)
def test_a_member_is_matched_by_id_then_external_id_then_user_name(member: Member, meant: str | None) -> None:
    state = expand(
        binding("eng", "viewer"),
        groups=membership(group("eng", member)),
        live=live({}, ANN, BOB, *TWINS),
    )
    assert set(state.roles) == ({meant} if meant else set())
    assert len(state.problems) == (meant is None)


def test_the_person_of_a_temporary_grant_is_found_in_any_case() -> None:
    state = expand(grant("ANN", "viewer"), live=live({}, principal("ann", user_name="aNN@acme.example")))
    assert state.roles == by_id({"ann": holds("viewer")})


# Which group is meant.


@pytest.mark.parametrize(
    ("written", "groups"),
    [
        (binding("eng", "viewer"), [group("ENG", "ann")]),
        (binding("caf\u00e9", "viewer"), [group("cafe\u0301", "ann")]),
        (binding("new", "viewer", previously=("eng", "older")), [group("Eng", "ann")]),
        (binding("new", "viewer", previously=("eng", "older")), [group("older", "ann")]),
        (
            binding("new", "viewer", previously=("eng", "older")),
            [group("older", "bob"), group("new", "ann"), group("eng", "cid")],
        ),
        (
            binding("eng", "viewer", group_id="g2"),
            [group("eng", "bob", id="g1"), group("renamed", "ann", id="g2")],
        ),
        (
            binding("eng", "viewer", group_id="g2"),
            [group("eng", "bob", id="g1"), group("eng", "ann", id="g2")],
        ),
    ],
    ids=["any case", "any normal form", "earlier name", "earliest name", "name first", "id", "id of two"],
)
def test_a_group_is_found_by_id_or_name_or_earlier_name(
    written: Binding, groups: list[DirectoryGroup]
) -> None:
    state = expand(written, groups=membership(*groups))
    assert (state.roles, state.problems) == (by_id({"ann": holds("viewer")}), ())


NO_GROUP_REMEDY = "correct the name, or say what it was called before with `previously:`"


@pytest.mark.parametrize(
    ("written", "groups", "problem"),
    [
        (
            binding("eng-web", "viewer", line=3),
            membership(names=["eng-wbe", "sales"]),
            Problem(at(3), "the directory has no group 'eng-web', did you mean 'eng-wbe'?"),
        ),
        (
            binding("eng", "viewer", line=3),
            membership(group("sales", "ann")),
            Problem(at(3), "the directory has no group 'eng'", NO_GROUP_REMEDY),
        ),
        (
            binding("eng", "viewer", line=3),
            membership(group("eng", "ann", id="g2"), group("Eng", "bob", id="g1")),
            Problem(
                at(3),
                "the directory has 2 groups 'eng' (ids g1, g2)",
                "name the one that is meant by its id: `group: {name: …, id: …}`",
            ),
        ),
        (
            binding("eng", "viewer", group_id="g9", previously=("sales",), line=3),
            membership(group("eng", "ann", id="g1"), group("sales", "bob")),
            Problem(
                at(3),
                "the directory has no group with the id 'g9', as 'eng' should have",
                "correct the id, or leave it out to go by the name",
            ),
        ),
        (
            binding("eng", "viewer", line=3),
            membership(DirectoryGroup("g1", "Eng", None, "its members are hidden")),
            Problem(at(3), "cannot tell who is in the group 'Eng'", "its members are hidden"),
        ),
    ],
    ids=["unknown, with a suggestion", "unknown", "twice", "no such id", "unreadable"],
)
def test_a_group_that_cannot_be_told_is_a_problem_and_gives_nobody_anything(
    written: Binding, groups: Membership, problem: Problem
) -> None:
    assert expand(written, groups=groups) == DesiredState({}, {}, (problem,))


def test_a_group_without_members_is_no_problem_but_known_with_what_it_would_give() -> None:
    state = expand(
        binding("new", "viewer", previously=("Ops",), line=1),
        binding("eng", web="admin", line=2),
        binding("Eng", "viewer", group_id="g-eng", line=3),
        binding("all", web="viewer", line=4),
        binding("unknown", web="viewer", line=5),
        groups=membership(
            group("ops"), group("eng"), group("all", Member(user_name="nobody")), group("unbound")
        ),
    )
    assert state.empty_groups == (empty_group("eng", "viewer", web="admin"), empty_group("ops", "viewer"))
    assert [problem.at.line for problem in state.problems] == [4, 5]
    assert state.roles == {}


@pytest.mark.parametrize(
    ("names", "shown"),
    [
        (["zoe"], "zoe"),
        (["zoe", "amy", "max"], "amy, max, zoe"),
        (["zoe", "amy", "max", "kim", "ted"], "amy, kim, max and 2 more"),
    ],
    ids=["one", "three", "five"],
)
def test_strangers_among_the_members_are_named_and_the_others_get_their_roles(
    names: list[str], shown: str
) -> None:
    members = (Member(user_name=name) for name in names)
    state = expand(binding("eng", "viewer", line=3), groups=membership(group("eng", "ann", *members)))
    message = f"members of the group 'eng' are not on the server: {shown}"
    assert state.problems == (Problem(at(3), message),)
    assert state.roles == by_id({"ann": holds("viewer")})


@pytest.mark.parametrize(
    ("name", "meant"), [("anm", ", did you mean 'ann@acme.example'?"), ("milan", "")], ids=["close", "far"]
)
def test_an_unknown_person_in_a_grant_is_a_problem(name: str, meant: str) -> None:
    state = expand(grant(name, "viewer", line=5), live=live({}, principal("ann")))
    message = f"there is no person '{name}@acme.example' on the server{meant}"
    problem = Problem(at(5), message, "people are named by their userName")
    assert state == DesiredState({}, {}, (problem,), terms=(term(name, line=5),))


def test_of_many_unknown_names_the_first_are_told_what_may_be_meant() -> None:
    written = [grant("anm", "viewer", line=line) for line in range(1, 31)]
    problems = expand(*written, live=live({}, principal("ann"))).problems
    assert ["did you mean" in problem.message for problem in problems] == [True] * 20 + [False] * 10


def test_an_unknown_person_is_no_problem_once_the_grant_is_over() -> None:
    state = expand(grant("gone", "admin", expires=NOW - MOMENT), live=live({"ann": holds("admin")}))
    assert state == DesiredState({}, {})


def test_problems_are_sorted_by_place_and_told_once() -> None:
    written: list[Binding | TemporaryGrant] = [
        grant("gone", "viewer", line=4),
        binding("no", "viewer", line=9),
        binding("no", "viewer", line=9),
    ]
    assert [problem.at.line for problem in expand(*written).problems] == [4, 9]


# What is held where something is not known.

UNKNOWN = membership()
TWICE = membership(group("lost", id="g1"), group("lost", id="g2"))
UNREADABLE = membership(DirectoryGroup("g1", "lost", None))
LOST_GROUP = pytest.mark.parametrize(
    "groups", [UNKNOWN, TWICE, UNREADABLE], ids=["unknown", "twice", "unreadable"]
)


@LOST_GROUP
@pytest.mark.parametrize(
    ("holdings", "kept"),
    [
        (holds(web="contributor"), holds(web="contributor")),
        (holds(web="viewer"), holds(web="viewer")),
        (holds(web="admin"), holds(web="contributor")),
        (holds(web="admin viewer"), holds(web="contributor")),
        (holds(web="contributor viewer"), holds(web="contributor")),
        (holds("contributor", web="contributor", app="admin"), holds(web="contributor", app="viewer")),
        (holds("admin"), holds()),
        (holds(), holds()),
    ],
    ids=[
        "what it could have given",
        "less than that",
        "an admin falls only to that",
        "also with a surplus",
        "the surplus goes",
        "each scope by itself",
        "other scopes go on",
        "nothing",
    ],
)
def test_nobody_loses_what_a_group_that_cannot_be_told_could_have_given(
    groups: Membership, holdings: Holdings, kept: Holdings
) -> None:
    lost = [binding("lost", web="viewer"), binding("lost", web="contributor", app="viewer", line=2)]
    state = expand(*lost, groups=groups, live=live({"ann": holdings}))
    assert state.roles == (by_id({"ann": kept}) if kept else {})
    assert state.given == 0


@LOST_GROUP
def test_everything_else_goes_on_while_a_group_cannot_be_told(groups: Membership) -> None:
    state = expand(
        binding("eng", "contributor", web="admin"),
        binding("lost", web="contributor", line=2),
        groups=Membership((*groups.groups, group("eng", "ann", "bob", "cid"))),
        live=live(
            {
                "ann": holds(),
                "bob": holds("admin", web="viewer", app="admin"),
                "cid": holds(web="admin"),
                "dot": holds(web="contributor", app="viewer"),
            },
        ),
    )
    everything = holds("contributor", web="admin")
    assert state.roles == by_id(
        {"ann": everything, "bob": everything, "cid": everything, "dot": holds(web="contributor")}
    )


@LOST_GROUP
def test_what_is_asked_for_is_raised_to_what_somebody_holds_and_could_have(groups: Membership) -> None:
    state = expand(
        binding("eng", web="viewer"),
        binding("lost", web="contributor", line=2),
        groups=Membership((*groups.groups, group("eng", "ann", "bob"))),
        live=live({"ann": holds(web="admin"), "bob": holds(web="viewer")}),
    )
    assert state.roles == by_id({"ann": holds(web="contributor"), "bob": holds(web="viewer")})


@LOST_GROUP
def test_who_is_not_active_loses_everything_all_the_same(groups: Membership) -> None:
    state = expand(
        binding("lost", web="admin"),
        groups=groups,
        live=live({"ann": holds(web="admin")}, principal("ann", active=False)),
    )
    assert state.roles == {}


STRANGER = (binding("eng", web="contributor"), membership(strangers("who")))
LOST_PERSON = (grant("who", web="contributor"), membership())
SOMEBODY = pytest.mark.parametrize(("entry", "groups"), [STRANGER, LOST_PERSON], ids=["stranger", "grant"])


def test_a_stranger_holds_only_for_those_whom_no_group_identified() -> None:
    entry, groups = STRANGER
    state = expand(
        entry,
        binding("ops", app="viewer", line=8),
        groups=Membership((*groups.groups, group("ops", "ann"))),
        live=live({"ann": holds(web="admin"), "bob": holds("viewer", web="admin", app="viewer")}),
    )
    assert state.holdings("u-ann") == holds(app="viewer")
    assert state.holdings("u-bob") == holds(web="contributor")


def test_a_grant_does_not_tell_who_a_stranger_of_the_directory_is() -> None:
    entry, groups = STRANGER
    found = grant("ann", app="viewer", line=8)
    state = expand(entry, found, groups=groups, live=live({"ann": holds(web="contributor")}))
    assert state.holdings("u-ann") == holds(web="contributor", app="viewer")


def test_a_grant_to_an_unknown_name_holds_for_everybody_for_who_was_renamed_is_still_in_their_groups() -> (
    None
):
    entry, _ = LOST_PERSON
    state = expand(
        entry,
        binding("ops", app="viewer", line=8),
        groups=membership(group("ops", "ann")),
        live=live({"ann": holds(web="contributor", app="viewer"), "bob": holds(web="admin")}),
    )
    assert state.holdings("u-ann") == holds(web="contributor", app="viewer")
    assert state.holdings("u-bob") == holds(web="contributor")


def test_a_grant_to_an_unknown_name_that_has_not_begun_holds_nothing() -> None:
    entry = grant("who", web="contributor", starts=NOW + MOMENT)
    state = expand(entry, groups=membership(), live=live({"ann": holds(web="contributor")}))
    assert state.roles == {}
    assert len(state.problems) == 1


@SOMEBODY
def test_a_person_who_cannot_be_told_holds_nothing_for_who_is_not_active(
    entry: Binding | TemporaryGrant, groups: Membership
) -> None:
    inactive = principal("ann", active=False)
    assert expand(entry, groups=groups, live=live({"ann": holds(web="admin")}, inactive)).roles == {}


def test_two_people_of_one_external_id_both_keep_what_the_group_could_have_given() -> None:
    state = expand(
        binding("eng", web="viewer"),
        groups=membership(group("eng", Member(external_id="00u3"))),
        live=live({"tim": holds(web="viewer"), "tom": holds(web="viewer")}, *TWINS),
    )
    assert state.roles == by_id({"tim": holds(web="viewer"), "tom": holds(web="viewer")})


def test_the_furthest_of_all_that_cannot_be_told_holds() -> None:
    state = expand(
        binding("lost", web="viewer"),
        grant("who", web="contributor", line=2),
        grant("why", web="viewer", line=3),
        live=live({"ann": holds(web="admin")}),
    )
    assert state.roles == by_id({"ann": holds(web="contributor")})


def test_a_protected_person_is_not_lowered_by_what_is_held() -> None:
    state = expand(
        binding("lost", "viewer"), live=live({"ann": holds("admin")}), protected=("ann@acme.example",)
    )
    assert state.roles == by_id({"ann": holds("admin")})


def test_the_order_of_people_groups_and_entries_does_not_matter() -> None:
    written: list[Binding | TemporaryGrant] = [
        binding("eng", web="viewer", line=1),
        binding("ops", web="admin", line=2),
        grant("bob", "admin", line=3),
        grant("gone", "viewer", line=4),
    ]
    groups = [group("eng", "ann", "bob"), group("ops", "bob", "cid")]
    people: list[Principal] = [principal("ann"), principal("bob"), principal("cid")]
    forwards = expand(*written, groups=membership(*groups), live=live({}, *people))
    backwards = expand(*written[::-1], groups=membership(*groups[::-1]), live=live({}, *people[::-1]))
    assert forwards == backwards
    assert forwards.roles["u-bob"] == {ORGANIZATION: {Role.ADMIN}, WEB: {Role.ADMIN}}
