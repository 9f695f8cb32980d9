"""What a plan breaks of what the policy asserts, what stands as it was, and what nobody can tell."""

from collections.abc import Mapping
from dataclasses import replace

import pytest
from build import (
    NOW,
    UNLIMITED,
    WEB,
    Groups,
    Server,
    access,
    assertion,
    at,
    binding,
    deactivate,
    delete_user,
    desired,
    group,
    holds,
    live,
    membership,
    organization,
    person,
    person_class,
    plan,
    policy,
    principal,
    provenance,
    reactivate,
    scope_change,
    service_account,
    set_roles,
    whom,
)
from recording import numbered, outcome, story, write

from reconciler import assertions, guardrails, history, planning
from reconciler.assertions import Breach, Breaker, Had, Judgement
from reconciler.change import Change, ScopeChange, SetRoles
from reconciler.errors import ReadError
from reconciler.finding import Finding, Kind
from reconciler.guardrails import Violation
from reconciler.model import (
    ORGANIZATION,
    DesiredState,
    Holdings,
    LiveState,
    Member,
    Membership,
    Role,
    Scope,
)
from reconciler.policy.document import (
    Assertion,
    AtMost,
    GroupRef,
    Mode,
    Never,
    NeverTogether,
    Only,
    PersonClass,
    PersonEntry,
    Whom,
)
from reconciler.ports import Directory
from reconciler.problem import Problem

APP = Scope("app")
NOBODY_ADMIN = assertion(Never(whom("kim"), access(anywhere="admin")))
GROUPS = membership(group("eng", "kim", "lee"), group("ops", "ann"))
ADMIN = scope_change(WEB, "", "admin")
BY_ENG = provenance("eng", "admin", line=7)


def judged(
    asserted: Assertion,
    held: Mapping[str, Holdings],
    *changes: SetRoles,
    told: Membership | None = GROUPS,
    of: DesiredState | None = None,
    others: tuple[PersonClass | PersonEntry, ...] = (),
) -> Judgement:
    """Of a plan of these changes, for people who hold this; whom else it changes holds nothing."""
    more = [change.principal for change in changes if change.principal.id.removeprefix("u-") not in held]
    return assertions.judge(
        policy(asserted, *others), plan(*changes), live(held, *more), of or desired(), told
    )


def by(judgement: Judgement) -> list[tuple[str, ...]]:
    """Who breaks something by the plan, and who breaks it as before."""
    caused = [
        one.principal.user_name.partition("@")[0] for breach in judgement.caused for one in breach.people
    ]
    kept = [one.subject.partition("@")[0] for one in judgement.findings]
    return [tuple(caused), tuple(kept)]


def kim(*scopes: ScopeChange) -> SetRoles:
    return set_roles("kim", *scopes)


# What each kind means


@pytest.mark.parametrize(
    ("claim", "gains", "breaks"),
    [
        (Never(whom("kim"), access(web="admin")), ADMIN, True),
        (Never(whom("kim"), access(web="contributor")), ADMIN, True),  # that role or a higher one
        (Never(whom("kim"), access(web="admin")), scope_change(WEB, "", "contributor"), False),
        (Never(whom("kim"), access(app="admin")), ADMIN, False),
        (Never(whom("kim"), access(app="admin", web="admin")), ADMIN, True),  # any of several
        (Never(whom("kim"), access("admin")), ADMIN, False),
        (Never(whom("kim"), access(web="admin")), scope_change(ORGANIZATION, "", "admin"), True),
        (Never(whom("kim"), access(anywhere="viewer")), scope_change(APP, "viewer", "contributor"), True),
        (Never(whom("kim"), access(anywhere="admin")), scope_change(APP, "viewer", "contributor"), False),
        (Never(whom("KIM"), access(web="admin")), ADMIN, True),
        (Never(whom("lee"), access(web="admin")), ADMIN, False),
        (Never(whom(groups=["eng"]), access(web="admin")), ADMIN, True),
        (Never(whom(groups=["ops"]), access(web="admin")), ADMIN, False),
        (Never(whom("ann", groups=["ops", "eng"]), access(web="admin")), ADMIN, True),
        (Only(whom(groups=["eng"]), access(web="admin")), ADMIN, False),
        (Only(whom(groups=["ops"]), access(web="admin")), ADMIN, True),
        (Only(whom("kim", groups=["ops"]), access(web="admin")), ADMIN, False),
        (Only(whom(groups=["ops"]), access(web="admin")), scope_change(WEB, "", "viewer"), False),
        (AtMost(0, access(web="admin")), ADMIN, True),
        (AtMost(1, access(web="admin")), ADMIN, False),
        (NeverTogether(access(web="admin", app="viewer")), ADMIN, True),  # kim is viewer of app already
        (NeverTogether(access(web="admin", app="admin")), ADMIN, False),
        (NeverTogether(access(web="admin", app="admin")), scope_change(ORGANIZATION, "", "admin"), True),
    ],
)
def test_who_gains_what_a_claim_rules_out_breaks_it(
    claim: Never | Only | AtMost | NeverTogether, gains: ScopeChange, breaks: bool
) -> None:
    held = {"kim": holds(app="viewer"), "lee": {}, "ann": {}}
    judgement = judged(assertion(claim), held, kim(gains))
    assert by(judgement) == [("kim",) if breaks else (), ()]


@pytest.mark.parametrize("kind", [Never, Only])
@pytest.mark.parametrize("excepted", [whom("kim"), whom(groups=["eng"]), whom("lee", groups=["eng"])])
def test_of_who_is_excepted_nothing_is_asserted(kind: type[Never | Only], excepted: Whom) -> None:
    claim = kind(whom("kim") if kind is Never else whom("ann"), access(web="admin"))
    held: Mapping[str, Holdings] = {"kim": {}, "lee": {}, "ann": {}}
    assert by(judged(assertion(claim, excepted=excepted), held, kim(ADMIN))) == [(), ()]
    assert by(judged(assertion(claim, excepted=whom("ann")), held, kim(ADMIN))) == [("kim",), ()]


def test_who_is_excepted_is_not_counted_and_may_have_all_roles_together() -> None:
    held = {"ann": holds(web="admin"), "kim": holds(app="admin")}
    one = AtMost(1, access(web="admin"))
    assert by(judged(assertion(one), held, kim(ADMIN))) == [("kim",), ()]
    assert by(judged(assertion(one, excepted=whom("ann")), held, kim(ADMIN))) == [(), ()]
    two = NeverTogether(access(web="admin", app="admin"))
    assert by(judged(assertion(two), held, kim(ADMIN))) == [("kim",), ()]
    assert by(judged(assertion(two, excepted=whom(groups=["eng"])), held, kim(ADMIN))) == [(), ()]


def test_classes_are_told_as_for_everything_else() -> None:
    contractors = person_class(groups=["eng"])
    asserted = assertion(Never(whom(classes=["contractor"]), access(web="admin")))
    held: Mapping[str, Holdings] = {"kim": {}, "lee": {}, "ann": {}, "max": {}}
    others = (contractors, person("max", "contractor"))
    changes = (kim(ADMIN), set_roles("ann", ADMIN), set_roles("max", ADMIN))
    assert by(judged(asserted, held, *changes, others=others)) == [("kim", "max"), ()]


def test_of_several_names_groups_or_classes_everybody_is_meant() -> None:
    held: Mapping[str, Holdings] = {"kim": {}, "lee": {}, "ann": {}, "max": {}}
    changes = [set_roles(name, ADMIN) for name in held]
    others = (person_class("a"), person_class("b"), person("kim", "a"), person("max", "b"))

    def breaking(several: Whom) -> tuple[str, ...]:
        asserted = assertion(Never(several, access(web="admin")))
        return by(judged(asserted, held, *changes, others=others))[0]

    assert breaking(whom("kim", "ann")) == ("ann", "kim")
    assert breaking(whom(groups=["eng", "ops"])) == ("ann", "kim", "lee")
    assert breaking(whom(classes=["a", "b"])) == ("kim", "max")
    assert breaking(whom(groups=["lost", "ops"])) == ("ann", "kim", "lee", "max")  # it may be any of them


def test_who_is_excepted_is_not_counted_whether_they_gain_or_lose_it() -> None:
    asserted = assertion(AtMost(1, access(web="admin")), excepted=whom("ann"))
    held = {"kim": holds(web="admin"), "ann": holds(web="admin"), "lee": {}}
    gains = set_roles("ann", ADMIN)
    loses = set_roles("ann", scope_change(WEB, "admin", ""))
    assert by(judged(asserted, {**held, "ann": {}}, gains)) == [(), ()]
    assert by(judged(asserted, held, loses, set_roles("lee", ADMIN))) == [("lee",), ()]


def test_service_accounts_and_protected_people_are_held_to_it_too() -> None:
    of = organization(guardrails=replace(UNLIMITED, protected=("ann@acme.example",)))
    asks = policy(
        service_account("bot", web="admin"),
        assertion(Only(whom("kim"), access(web="admin")), says="Kim alone"),
        of=of,
    )
    state = live({"ann": holds(web="admin"), "bot": {}, "kim": {}})
    prepared = planning.prepare(asks, Server(state), Groups(membership()), NOW)
    assert [(one.guardrail, one.people) for one in prepared.violations] == [
        ("assertions", ("bot@acme.example",))
    ]
    assert [(one.kind, one.subject) for one in prepared.plan.findings if one.kind is Kind.ASSERTION] == [
        (Kind.ASSERTION, "ann@acme.example")
    ]


# What makes it worse, and what does not


@pytest.mark.parametrize(
    ("before", "changes", "caused", "kept"),
    [
        (holds(web="admin"), [], (), ("kim",)),
        (holds(web="admin"), [scope_change(WEB, "admin", "viewer")], (), ()),
        (holds(web="admin"), [scope_change(WEB, "admin", "")], (), ()),
        (holds(web="admin", app="admin"), [scope_change(WEB, "admin", "")], (), ("kim",)),
        (holds(web="admin"), [scope_change(APP, "", "admin")], ("kim",), ()),
        (holds(web="admin"), [scope_change(ORGANIZATION, "", "admin")], ("kim",), ()),
        (holds("admin"), [scope_change(ORGANIZATION, "admin", ""), ADMIN], (), ("kim",)),  # less than before
        (holds("admin"), [ADMIN], (), ("kim",)),  # applied there before, too
        (holds(web="admin viewer"), [scope_change(WEB, "admin viewer", "admin")], (), ("kim",)),
    ],
)
def test_only_what_somebody_did_not_have_before_makes_a_breach_worse(
    before: Holdings, changes: list[ScopeChange], caused: tuple[str, ...], kept: tuple[str, ...]
) -> None:
    judgement = judged(NOBODY_ADMIN, {"kim": before}, *([kim(*changes)] if changes else []))
    assert by(judgement) == [caused, kept]


@pytest.mark.parametrize(
    ("gain", "lose", "caused", "kept"),
    [
        ((), (), (), ("acme",)),
        (("kim",), (), ("kim",), ()),
        (("kim",), ("a",), (), ("acme",)),  # somebody else instead: as many as before
        (("kim",), ("a", "b"), (), ()),
        ((), ("a",), (), ()),
        (("kim", "lee"), ("a",), ("kim", "lee"), ()),
    ],
)
def test_a_number_that_is_too_high_may_stay_and_fall_but_not_rise(
    gain: tuple[str, ...], lose: tuple[str, ...], caused: tuple[str, ...], kept: tuple[str, ...]
) -> None:
    held = {name: holds(web="admin") for name in "abc"}
    changes = [set_roles(name, ADMIN) for name in gain]
    changes += [set_roles(name, scope_change(WEB, "admin", "")) for name in lose]
    assert by(judged(assertion(AtMost(2, access(web="admin"))), held, *changes)) == [caused, kept]


def test_roles_that_are_together_already_do_not_stop_who_loses_another_one() -> None:
    both = assertion(NeverTogether(access(web="contributor", app="admin")))
    held = {"kim": holds("viewer", web="contributor", app="admin")}
    assert by(judged(both, held, kim(scope_change(ORGANIZATION, "viewer", "")))) == [(), ("kim",)]
    assert by(judged(both, held, kim(scope_change(WEB, "contributor", "admin")))) == [("kim",), ()]
    assert by(judged(both, held, kim(scope_change(APP, "admin", "contributor")))) == [(), ()]


def test_a_deleted_account_has_nothing_a_deactivated_one_what_it_has_and_who_returns_gains_it() -> None:
    def state(active: bool) -> LiveState:
        kim = principal("kim", active=active)
        return LiveState({kim.id: kim}, {kim.id: holds(web="admin")})

    def told(state: LiveState, change: Change) -> list[tuple[str, ...]]:
        return by(assertions.judge(policy(NOBODY_ADMIN), plan(change), state, desired(), GROUPS))

    assert told(state(False), delete_user(principal("kim", active=False))) == [(), ()]
    assert told(state(True), deactivate("kim")) == [(), ("kim",)]
    assert told(state(False), reactivate("kim")) == [("kim",), ()]


# What can't be known


LOST = Problem(
    at(90, "assertions.yaml"),
    "the directory has no group 'lost'",
    "correct the name, or say what it was called before with `previously:`",
)


@pytest.mark.parametrize(
    ("asserted", "breaks"),
    [
        (assertion(Never(whom(groups=["lost"]), access(web="admin"))), True),
        (assertion(Never(whom(groups=["lost"]), access(app="admin"))), False),
        (assertion(Never(whom(groups=["lost"]), access(web="admin")), excepted=whom("kim")), False),
        (assertion(Only(whom("kim", groups=["lost"]), access(web="admin"))), False),
        (assertion(Only(whom("ann", groups=["lost"]), access(web="admin"))), True),
        (assertion(AtMost(0, access(web="admin")), excepted=whom(groups=["lost"])), True),
        (assertion(AtMost(1, access(web="admin")), excepted=whom(groups=["lost"])), False),
        (assertion(NeverTogether(access(web="admin")), excepted=whom(groups=["lost"])), True),
    ],
)
def test_a_group_that_nobody_knows_refuses_what_could_break_it_and_nothing_else(
    asserted: Assertion, breaks: bool
) -> None:
    held: Mapping[str, Holdings] = {"kim": {}, "ann": {}}
    judgement = judged(asserted, held, kim(ADMIN))
    assert by(judgement) == [("kim",) if breaks else (), ()]
    assert judgement.problems == (LOST,)
    assert [breach.unknown for breach in judgement.caused] == ([("lost",)] if breaks else [])
    assert by(judged(asserted, {"kim": holds(web="admin"), "ann": {}})) == [(), ()]


def test_a_class_whose_group_nobody_knows_is_as_unknown() -> None:
    asserted = assertion(Never(whom(classes=["contractor"]), access(web="admin")))
    judgement = judged(asserted, {"kim": {}}, kim(ADMIN), others=(person_class(groups=["lost"]),))
    assert by(judgement) == [("kim",), ()]
    assert judgement.caused[0].unknown == ("contractor",)


def test_who_is_surely_too_many_is_not_only_perhaps() -> None:
    asserted = assertion(Never(whom("kim", groups=["lost"]), access(web="admin")))
    assert judged(asserted, {"kim": {}}, kim(ADMIN)).caused[0].unknown == ()


def test_without_a_directory_groups_and_classes_are_not_known_and_no_problem() -> None:
    asserted = assertion(Never(whom(groups=["eng"], classes=["contractor"]), access(web="admin")))
    judgement = judged(asserted, {"kim": {}}, kim(ADMIN), told=None, others=(person_class(),))
    assert (by(judgement), judgement.problems) == ([("kim",), ()], ())
    assert judgement.caused[0].unknown == ("contractor", "eng")


def test_a_name_that_nobody_has_is_pointed_out() -> None:
    asserted = assertion(Never(whom("kim", "kimm"), access(web="admin")))
    remedy = "correct the userName, or delete it from the assertion"
    finding = Finding(
        Kind.ASSERTION, "kimm@acme.example", "is nobody on the server", remedy, at(90, "assertions.yaml")
    )
    assert judged(asserted, {"kim": {}}) == Judgement(findings=(finding,))
    everybody = replace(GROUPS, people=frozenset([Member(user_name="kimm@acme.example")]))
    assert judged(asserted, {"kim": {}}, told=everybody).findings == ()
    knows = judged(asserted, {"kim": {}}, told=replace(GROUPS, people=frozenset()))
    assert knows.findings[0].message == "is nobody on the server and nobody in the directory"


def test_an_account_that_has_its_old_name_still_is_meant_by_the_new_one() -> None:
    directory = Membership((), people=frozenset([Member(None, "00u1", "kim.new@acme.example")]))
    state = live({}, principal("kim", external_id="00u1"))
    asserted = assertion(Never(whom("kim.new"), access(web="admin")))
    change = set_roles(principal("kim", external_id="00u1"), ADMIN)
    judgement = assertions.judge(policy(asserted), plan(change), state, desired(), directory)
    assert by(judgement) == [("kim",), ()]


# What is told


def test_a_breach_names_the_person_the_role_and_the_line_that_gives_it() -> None:
    asserted = assertion(Never(whom(groups=["eng"]), access(anywhere="admin")))
    of = desired(why={"kim": {WEB: (BY_ENG,)}})
    judgement = judged(asserted, {"kim": {}, "lee": holds(app="admin")}, kim(ADMIN), of=of)
    breaker = Breaker(principal("kim"), (Had(Role.ADMIN, WEB, BY_ENG),))
    assert judgement.caused == (Breach(asserted, (breaker,), 1, 0),)
    assert str(breaker) == "admin of project 'web' by group eng (team.yaml:7)"
    message = "is admin of project 'app', against 'So it is'"
    assert judgement.findings == (
        Finding(Kind.ASSERTION, "lee@acme.example", message, assertions.REMEDY, at(90, "assertions.yaml")),
    )


def test_of_roles_that_are_never_together_each_is_told_with_what_gives_it_the_highest_first() -> None:
    asserted = assertion(NeverTogether(access(app="viewer", web="admin")))
    grant = provenance("kim", "viewer", until=NOW, line=3)
    of = desired(why={"kim": {WEB: (BY_ENG,), APP: (grant,)}})
    (breach,) = judged(asserted, {"kim": holds(app="viewer")}, kim(ADMIN), of=of).caused
    assert str(breach.people[0]) == (
        "admin of project 'web' by group eng (team.yaml:7) and "
        "viewer of project 'app' by temporary grant (team.yaml:3)"
    )


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ("service account", "by service account (team.yaml:7)"),
        ("undo", "by undo of eng (team.yaml:7)"),
    ],
)
def test_what_gives_a_role_is_told_by_its_kind(entry: str, words: str) -> None:
    asserted = assertion(Never(whom("kim"), access(web="admin")))
    of = desired(why={"kim": {WEB: (replace(BY_ENG, entry=entry),)}})
    (breach,) = judged(asserted, {}, kim(ADMIN), of=of).caused
    assert str(breach.people[0]) == f"admin of project 'web' {words}"


def test_a_role_that_applies_from_the_organization_is_told_there() -> None:
    asserted = assertion(NeverTogether(access(web="admin", app="viewer")))
    over = replace(BY_ENG, ended=True)
    of = desired(why={"kim": {ORGANIZATION: (over, replace(BY_ENG, name="ops"))}})
    (breach,) = judged(asserted, {}, kim(scope_change(ORGANIZATION, "", "admin")), of=of).caused
    assert str(breach.people[0]) == "admin of the organization by group ops (team.yaml:7)"


def test_a_number_that_is_too_high_is_told_of_the_organization() -> None:
    held = {name: holds("admin") for name in ("ann", "bob", "Cleo", "dan")}
    (finding,) = judged(assertion(AtMost(2, access("admin")), says="A pair"), held).findings
    assert (finding.subject, finding.message) == (
        "acme",
        "has 4 people as admin of the organization, and 'A pair' allows 2: ann@acme.example, "
        "bob@acme.example, Cleo@acme.example and 1 more",
    )
    assert (finding.remedy, finding.at) == (assertions.REMEDY, at(90, "assertions.yaml"))


def violations(judgement: Judgement) -> tuple[Violation, ...]:
    return guardrails.check(
        plan(), desired(), live(), UNLIMITED, token_user=None, now=NOW, breaches=judgement.caused
    )


def test_a_breach_refuses_the_plan_and_no_approval_covers_it() -> None:
    asserted = assertion(Never(whom(groups=["eng"]), access(anywhere="admin")), says="Not they")
    changes = (kim(ADMIN), set_roles("lee", ADMIN))
    remedy = "give them less, or change the assertion, which is a change of the policy that somebody reviews"
    assert violations(judged(asserted, {}, *changes)) == (
        Violation(
            "assertions",
            2,
            0,
            "'Not they' (assertions.yaml:90) would be broken by 2 people: "
            "kim@acme.example as admin of project 'web', lee@acme.example as admin of project 'web'",
            remedy,
            ("kim@acme.example", "lee@acme.example"),
            approvable=False,
        ),
    )


def test_a_refusal_says_how_many_there_would_be_and_what_is_not_known() -> None:
    few = assertion(AtMost(1, access(web="admin")), says="One")
    unknown = assertion(Never(whom(groups=["lost"]), access(web="admin")), says="None")
    held = {"ann": holds(web="admin")}
    (told,) = violations(judged(few, held, kim(ADMIN)))
    assert told.message == (
        "'One' (assertions.yaml:90) allows 1, and there would be 2 people: kim@acme.example as admin of "
        "project 'web'"
    )
    assert (told.measured, told.limit) == (2, 1)
    (told,) = violations(judged(unknown, held, kim(ADMIN)))
    assert told.message == (
        "'None' (assertions.yaml:90) could be broken by 1 person: "
        "kim@acme.example as admin of project 'web'; it is not known who is in lost"
    )


def test_of_many_people_the_first_are_told_and_all_are_listed() -> None:
    changes = [set_roles(f"p{number}", ADMIN) for number in range(5)]
    (told,) = violations(judged(assertion(Only(whom("ann"), access(web="admin"))), {"ann": {}}, *changes))
    assert told.message.endswith("p2@acme.example as admin of project 'web' and 2 more")
    assert len(told.people) == 5


# On every way to a plan


def test_a_plan_that_breaks_an_assertion_is_refused_and_one_that_mends_it_is_not() -> None:
    asks = policy(binding("eng", web="admin", line=4), NOBODY_ADMIN)
    groups = Groups(membership(group("eng", "kim")))
    prepared = planning.prepare(asks, Server(live({"kim": {}})), groups, NOW)
    assert [(one.guardrail, one.people) for one in prepared.violations] == [
        ("assertions", ("kim@acme.example",))
    ]
    mends = policy(binding("eng", web="viewer", line=4), NOBODY_ADMIN)
    prepared = planning.prepare(mends, Server(live({"kim": holds(web="admin")})), groups, NOW)
    assert (prepared.violations, prepared.plan.findings) == ((), ())


@pytest.mark.parametrize("mode", [Mode.REPORT, Mode.ADDITIVE])
def test_what_a_mode_leaves_broken_is_a_finding(mode: Mode) -> None:
    asks = policy(NOBODY_ADMIN, binding("eng", web="viewer"), of=organization(mode))
    server = Server(live({"kim": holds(web="admin")}))
    prepared = planning.prepare(asks, server, Groups(membership(group("eng", "kim"))), NOW)
    assert prepared.violations == ()
    assert [one.kind for one in prepared.plan.findings] == [Kind.ASSERTION]


def test_groups_that_assertions_name_are_read_and_an_unknown_one_is_a_problem() -> None:
    asks = policy(assertion(Never(whom(groups=["lost"]), access("admin")), excepted=whom(groups=["ops"])))
    groups = Groups(membership(group("ops", "ann")))
    surveyed = planning.survey(asks, Server(live({"ann": holds("viewer")})), groups, NOW)
    assert groups.asked == {GroupRef("lost"), GroupRef("ops")}
    assert surveyed.prepared.plan.problems == (LOST,)
    assert surveyed.sides.asked.problems == (LOST,)


def test_explain_is_told_the_same_findings_without_a_plan() -> None:
    asks = policy(NOBODY_ADMIN, binding("eng", web="admin"))
    server, groups = Server(live({"kim": holds(web="admin")})), Groups(membership(group("eng", "kim")))
    sides = planning.read(asks, server, groups, NOW)
    assert sides.asked.findings == ()
    told = planning.asserted(asks, sides, "s")
    assert [one.subject for one in told.asked.findings] == ["kim@acme.example"]
    assert planning.asserted(policy(binding("eng", web="admin")), sides, "s") is sides


class Silent:
    """A `ports.Directory` that does not answer."""

    def read(self, groups: object, *, everybody: bool = False) -> Membership:
        raise ReadError("the directory is down")

    def failures(self) -> tuple[()]:
        return ()


@pytest.mark.parametrize(
    ("directory", "told"),
    [
        (Groups(membership(group("eng", "kim"))), "would be broken"),
        (Silent(), "could be broken"),
        (None, "could be broken"),
        (Groups(membership(group("eng", "ann"))), ""),
    ],
    ids=["a member", "no answer", "no directory", "no member"],
)
def test_the_way_back_is_held_to_assertions_too_and_depends_on_no_directory(
    directory: Directory | None, told: str
) -> None:
    scopes = [{"scope": {"project": "web"}, "before": ["admin"], "after": []}]
    change = {"kind": "set-roles", "id": "u-kim", "user": "kim@acme.example", "scopes": scopes}
    (run,) = history.runs(numbered(story(write(1, change), outcome())))
    asks = policy(assertion(Never(whom(groups=["eng"]), access(web="admin"))))
    state = Server(live({"kim": {}, "ann": {}}))
    prepared, _ = planning.prepare_undo(asks, run, "ledger.jsonl", state, NOW, directory)
    messages = [one.message for one in prepared.violations if one.guardrail == "assertions"]
    assert [told in message for message in messages] == ([True] if told else [])
