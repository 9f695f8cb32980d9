"""What classes, ends and service accounts make of who should have what."""

from datetime import timedelta

import pytest
from build import (
    APP,
    END,
    NOW,
    WEB,
    Entry,
    at,
    binding,
    by_id,
    grant,
    group,
    holds,
    live,
    membership,
    organization,
    person,
    person_class,
    policy,
    principal,
    provenance,
    service_account,
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
    Provenance,
    Role,
)
from reconciler.policy.document import Guardrails, Notice, PersonClass
from reconciler.problem import Problem

NO_GROUPS = membership()
EVERYBODY = live({}, principal("ann"), principal("bob"), principal("cid"))
QUIET = Notice(0, 36500)
OVER = NOW - timedelta(seconds=1)
ANN = membership(group("eng", "ann"), group("contractors", "ann"))
CONTRACTORS = at(50, "organization.yaml")


def expand(
    *written: Entry | PersonClass,
    groups: Membership = ANN,
    live: LiveState = EVERYBODY,
    protected: tuple[str, ...] = (),
) -> DesiredState:
    of = organization(notice=QUIET, guardrails=Guardrails(protected=protected))
    return desired.expand(policy(*written, of=of), groups, live, NOW)


def over(role: str, *, person_class: str = "", line: int = 4) -> Provenance:
    """The end of Ann's time, by the policy."""
    return Provenance(
        "end",
        "ann@acme.example",
        at(line, "people.yaml"),
        Role[role.upper()],
        until=OVER,
        ended=True,
        person_class=person_class,
    )


# Caps


def test_a_class_caps_what_bindings_give_in_every_scope_and_says_so() -> None:
    state = expand(
        person_class(groups=["contractors"], highest="contributor"),
        binding("eng", "viewer", web="admin", app="contributor"),
        groups=membership(group("eng", "ann", "bob"), group("contractors", "ann")),
    )
    assert state.roles == by_id(
        {
            "ann": holds("viewer", web="contributor", app="contributor"),
            "bob": holds("viewer", web="admin", app="contributor"),
        }
    )
    capped = Provenance("binding", "eng", at(), Role.CONTRIBUTOR, person_class="contractor", asked=Role.ADMIN)
    assert state.why["u-ann"] == {
        ORGANIZATION: (provenance("eng", "viewer"),),
        WEB: (capped,),
        APP: (provenance("eng", "contributor"),),
    }


def test_a_class_does_not_cap_what_a_temporary_grant_or_a_service_account_is_given() -> None:
    state = expand(
        person_class(groups=["contractors"], highest="viewer", named=True),
        grant("ann", web="admin"),
        service_account("bot", app="admin"),
        groups=membership(group("contractors", "ann", "bot")),
        live=live({}, principal("ann"), principal("bot")),
    )
    assert state.roles == by_id({"ann": holds(web="admin"), "bot": holds(app="admin")})


# Only bindings that name the class


@pytest.mark.parametrize(
    ("names", "given"),
    [((), False), (("intern",), False), (("contractor",), False), (("contractor", "temp"), True)],
)
def test_a_binding_counts_only_where_it_names_every_class_that_has_to_be_named(
    names: tuple[str, ...], given: bool
) -> None:
    state = expand(
        person_class("contractor", groups=["contractors"], named=True),
        person_class("temp", groups=["contractors"], named=True),
        person_class("intern", groups=["contractors"]),
        binding("eng", web="admin", classes=names),
    )
    assert state.roles == (by_id({"ann": holds(web="admin")}) if given else {})
    assert state.given == given


def test_a_binding_that_does_not_count_stands_last_among_the_reasons() -> None:
    state = expand(
        person_class(groups=["contractors"], named=True),
        binding("eng", web="admin", line=3),
        binding("contractors", web="viewer", classes=("contractor",), line=4),
    )
    withheld = Provenance("binding", "eng", at(3), Role.ADMIN, person_class="contractor", withheld=True)
    assert state.roles == by_id({"ann": holds(web="viewer")})
    assert state.why == {"u-ann": {WEB: (provenance("contractors", "viewer", line=4), withheld)}}


# Ends


@pytest.mark.parametrize("classes", [(), ("contractor",)], ids=["without a class", "as contractor"])
def test_past_their_end_nothing_gives_anybody_anything_and_that_is_the_reason(
    classes: tuple[str, ...],
) -> None:
    state = expand(
        person_class(),
        person("ann", *classes, ends=OVER, line=4),
        binding("eng", "viewer", web="admin", line=3),
        grant("ann", app="admin", line=5),
        live=live({"ann": holds("admin", web="viewer")}),
    )
    assert state.roles == {}
    name = "".join(classes)
    assert state.why == {
        "u-ann": {
            ORGANIZATION: (over("admin", person_class=name),),
            WEB: (over("admin", person_class=name),),
            APP: (over("admin", person_class=name),),
        }
    }
    assert (state.given, state.problems) == (0, ())


def test_an_end_takes_from_everybody_whose_it_is_and_from_nobody_else() -> None:
    words = ("over", "not yet", "staying")
    over, not_yet, staying = ([f"{word}{number}" for number in range(20)] for word in words)
    state = expand(
        *(person(name, ends=OVER) for name in over),
        *(person(name, ends=NOW) for name in not_yet),
        binding("eng", web="viewer"),
        groups=membership(group("eng", *over, *not_yet, *staying)),
        live=live({name: holds(web="viewer") for name in (*over, *not_yet, *staying)}),
    )
    assert state.roles == by_id({name: holds(web="viewer") for name in (*not_yet, *staying)})


def test_the_end_counts_from_the_moment_after_the_last() -> None:
    state = expand(person("ann", ends=NOW), binding("eng", web="admin"))
    assert state.roles == by_id({"ann": holds(web="admin")})


def test_an_end_that_the_directory_tells_points_to_the_class() -> None:
    member = Member("u-ann", attributes=(("contractEnd", "2026-10-31"),))
    state = expand(
        person_class(groups=["contractors"], end="contractEnd"),
        groups=membership(group("contractors", member)),
        live=live({"ann": holds(web="viewer")}),
    )
    (reason,) = state.why["u-ann"][WEB]
    assert (reason.at, reason.person_class, reason.ended) == (CONTRACTORS, "contractor", True)
    assert state.roles == {}


def test_past_their_end_people_lose_what_else_would_be_held() -> None:
    state = expand(
        person("ann", ends=OVER),
        binding("lost", "admin"),
        live=live({"ann": holds("admin"), "bob": holds("admin")}),
    )
    assert state.roles == by_id({"bob": holds("admin")})


def test_a_protected_person_is_not_touched_by_any_class_or_end() -> None:
    state = expand(
        person_class(groups=["contractors"], highest="viewer", named=True, end_required=True),
        person("ann", ends=OVER),
        binding("eng", web="viewer"),
        live=live({"ann": holds("admin")}),
        protected=("ANN@acme.example",),
    )
    assert (state.roles, state.problems, state.given) == (by_id({"ann": holds("admin")}), (), 0)


# Doubts


REQUIRED = person_class(groups=["contractors"], end_required=True)
UNKNOWN_END = Problem(
    CONTRACTORS,
    "no end is known of people of the class 'contractor': ann@acme.example",
    "write their `ends:` under `people:` of a policy file",
)


@pytest.mark.parametrize(
    "holdings",
    [holds(), holds("viewer"), holds("admin viewer", app="viewer")],
    ids=["nothing", "less", "more"],
)
def test_where_an_end_is_required_and_not_known_people_keep_just_what_they_have(holdings: Holdings) -> None:
    state = expand(
        REQUIRED,
        binding("eng", "contributor", web="admin"),
        grant("ann", app="admin"),
        live=live({"ann": holdings}),
    )
    assert state.roles == (by_id({"ann": holdings}) if holdings else {})
    assert state.problems == (UNKNOWN_END,)
    assert state.given == 0


def test_an_end_that_nobody_understands_freezes_too_and_nobody_else() -> None:
    member = Member("u-ann", attributes=(("contractEnd", "soon"),))
    state = expand(
        person_class(groups=["contractors"], end="contractEnd"),
        binding("eng", web="admin"),
        groups=membership(group("contractors", member, "bob"), group("eng", "ann", "bob")),
        live=live({"ann": holds("admin"), "bob": holds("admin")}),
    )
    assert state.roles == by_id({"ann": holds("admin"), "bob": holds(web="admin")})
    assert [problem.remedy for problem in state.problems] == ["correct it there to a date such as 2026-12-31"]


def test_past_an_end_by_the_policy_nobody_is_frozen_for_what_the_directory_says_of_it() -> None:
    member = Member("u-ann", attributes=(("contractEnd", "soon"),))
    state = expand(
        person_class(groups=["contractors"], end="contractEnd"),
        person("ann", ends=OVER),
        binding("eng", web="admin"),
        groups=membership(group("contractors", member), group("eng", "ann")),
        live=live({"ann": holds("admin")}),
    )
    assert (state.roles, state.problems) == ({}, ())


def test_who_has_nothing_and_is_given_nothing_may_lack_an_end() -> None:
    assert expand(REQUIRED, binding("none", web="viewer"), groups=membership(group("none"), *ANN.groups)) == (
        expand(binding("none", web="viewer"), groups=membership(group("none"), *ANN.groups))
    )


def test_who_is_not_active_loses_everything_whatever_is_not_known_of_their_end() -> None:
    state = expand(REQUIRED, live=live({"ann": holds("admin")}, principal("ann", active=False)))
    assert state == DesiredState({}, {})


# Where nobody can be told apart


@pytest.mark.parametrize(
    "lost",
    [[], [DirectoryGroup("g1", "contractors", None)]],
    ids=["missing", "unreadable"],
)
def test_without_the_group_of_a_class_nobody_gains_or_loses_what_bindings_give(
    lost: list[DirectoryGroup],
) -> None:
    state = expand(
        person_class(groups=["contractors"], highest="viewer"),
        binding("eng", web="contributor"),
        binding("ops", app="viewer"),
        grant("cid", web="admin"),
        groups=membership(group("eng", "ann", "bob"), group("ops", "dot"), *lost),
        live=live(
            {
                "ann": holds(),
                "bob": holds("viewer", web="viewer"),
                "cid": holds(app="viewer"),
                "dot": holds(web="admin"),
            }
        ),
    )
    assert state.roles == by_id(
        {"bob": holds(web="viewer"), "cid": holds(web="admin", app="viewer"), "dot": holds(web="contributor")}
    )
    assert [problem.at for problem in state.problems] == [CONTRACTORS]


def test_without_the_group_of_a_class_every_stranger_of_other_groups_is_told_all_the_same() -> None:
    known = [f"p{number}" for number in range(30)]
    state = expand(
        person_class(groups=["contractors"]),
        binding("eng", web="viewer"),
        groups=membership(group("eng", *known, "gone", "lost")),
        live=live({name: holds(web="viewer") for name in known}),
    )
    assert state.roles == by_id({name: holds(web="viewer") for name in known})
    assert [problem.message for problem in state.problems] == [
        "the directory has no group 'contractors'",
        "members of the group 'eng' are not on the server: u-gone, u-lost",
    ]


# Service accounts


def test_a_service_account_is_given_its_roles_for_its_reason() -> None:
    state = expand(
        service_account("BOT", "viewer", web="admin", reason="deploys", line=7),
        live=live({}, principal("bot"), principal("ann")),
    )
    assert state.roles == by_id({"bot": holds("viewer", web="admin")})
    here = at(7)
    assert state.why == {
        "u-bot": {
            ORGANIZATION: (Provenance("service account", "BOT@acme.example", here, Role.VIEWER, "deploys"),),
            WEB: (Provenance("service account", "BOT@acme.example", here, Role.ADMIN, "deploys"),),
        }
    }
    assert state.given == 2


def test_a_service_account_that_is_not_active_is_given_nothing() -> None:
    state = expand(service_account("bot", "viewer"), live=live({}, principal("bot", active=False)))
    assert (state.roles, state.problems) == ({}, ())


def test_an_unknown_service_account_is_a_problem_and_holds_what_it_could_have_given() -> None:
    state = expand(
        service_account("deploybot", web="viewer", review=END, line=3),
        live=live({"deploy-bot": holds(web="admin"), "ann": holds()}),
    )
    message = (
        "there is no service account 'deploybot@acme.example' on the server, "
        "did you mean 'deploy-bot@acme.example'?"
    )
    assert state.problems == (
        Problem(at(3, "bots.yaml"), message, "service accounts are named by their userName"),
    )
    assert state.roles == by_id({"deploy-bot": holds(web="viewer")})
