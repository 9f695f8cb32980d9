"""What somebody has and should have, and why; and who has what is asked for."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from build import (
    APP,
    END,
    NOW,
    SERVER,
    WEB,
    Entry,
    at,
    binding,
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
    some,
)
from recording import END as OVER
from recording import numbered, outcome, set_roles, story, write

from reconciler import desired, explanation, history
from reconciler.change import SetActive
from reconciler.errors import SettingsError
from reconciler.explanation import (
    Answer,
    Case,
    Explanation,
    Question,
    Reason,
    ScopeExplanation,
    Standing,
    UnknownError,
    Verdict,
    Written,
)
from reconciler.finding import Finding, Kind
from reconciler.history import PastRun
from reconciler.model import DIRECTORY, ORGANIZATION, LiveState, Member, Membership, Provenance, Role, Scope
from reconciler.people.classes import End
from reconciler.policy.document import Guardrails, Mode, Organization, Policy

MOMENT = timedelta(microseconds=1)
ENG = membership(group("eng", "ann"))


def case(
    *written: Entry,
    state: LiveState | None = None,
    groups: Membership = ENG,
    of: Organization | None = None,
    runs: Sequence[PastRun] = (),
    asked: Policy | None = None,
) -> Case:
    """All that is known, where Ann holds nothing and is in the group `eng` unless something else is said."""
    whole = asked or policy(*written, of=of)
    state = state or live({}, principal("ann"), principal("bob"))
    return Case(whole, SERVER, state, groups, desired.expand(whole, groups, state, NOW), NOW, runs)


def ann(known: Case) -> Explanation:
    return explanation.person(known, known.live.people["u-ann"])


def only(known: Case) -> ScopeExplanation:
    """The only scope in which there is something to tell of Ann."""
    [scope] = ann(known).scopes
    return scope


def test_what_becomes_of_an_account_and_what_to_look_at_are_told_of_its_person_alone() -> None:
    leaves = [SetActive(principal(name), False, "not in the directory") for name in ("ann", "bob")]
    look = [Finding(Kind.LEAVER, name, "is active here") for name in ("ANN@acme.example", "bob@acme.example")]
    known = case()
    known = replace(known, accounts=leaves, desired=replace(known.desired, findings=tuple(look)))
    assert (ann(known).account, ann(known).findings) == ((leaves[0],), (look[0],))


# Verdicts


@pytest.mark.parametrize(
    ("has", "given", "verdict"),
    [
        ("viewer", "viewer", Verdict.RIGHT),
        ("", "viewer", Verdict.ADD),
        ("viewer", "admin", Verdict.ADD),
        ("admin", "viewer", Verdict.TAKE),
        ("admin", "", Verdict.TAKE),
        ("admin viewer", "admin", Verdict.TAKE),
    ],
    ids=["as it is", "gains", "raised", "lowered", "loses", "one is enough"],
)
def test_what_becomes_of_a_role(has: str, given: str, verdict: Verdict) -> None:
    entries = [binding("eng", given)] if given else []
    reasons = (Reason(provenance("eng", given), Standing.APPLIES),) if given else ()
    assert only(case(*entries, state=live({"ann": holds(has)}))) == ScopeExplanation(
        ORGANIZATION, some(has), some(given), verdict, reasons
    )


def test_somebody_of_whom_nothing_can_be_told_is_told_so() -> None:
    assert ann(case()) == Explanation(principal("ann"), (), idle_groups=("eng",))


def test_scopes_come_in_order_with_the_organization_first() -> None:
    known = case(binding("eng", "viewer", web="admin"), state=live({"ann": holds(app="viewer")}))
    assert [scope.scope for scope in ann(known).scopes] == [ORGANIZATION, APP, WEB]


# Reasons


def test_the_highest_role_applies_and_outranks_the_others() -> None:
    known = case(
        binding("eng", web="viewer", line=1),
        binding("ops", web="contributor", line=2),
        binding("all", web="contributor", line=3),
        groups=membership(group("eng", "ann"), group("ops", "ann"), group("all", "ann")),
    )
    ops, everybody = provenance("ops", "contributor", line=2), provenance("all", "contributor", line=3)
    assert only(known).reasons == (
        Reason(ops, Standing.APPLIES),
        Reason(everybody, Standing.APPLIES),
        Reason(provenance("eng", "viewer", line=1), Standing.OUTRANKED, ops),
    )


def test_a_grant_to_come_and_one_that_ended_give_nothing_and_are_told() -> None:
    known = case(
        grant("ann", web="admin", starts=NOW + MOMENT, line=1),
        grant("ann", web="contributor", expires=NOW - MOMENT, line=2),
    )
    to_come = replace(
        provenance("ann@acme.example", "admin", line=1, reason="INC-1", until=END), since=NOW + MOMENT
    )
    over = provenance(
        "ann@acme.example", "contributor", line=2, reason="INC-1", until=NOW - MOMENT, ended=True
    )
    assert only(known) == ScopeExplanation(
        WEB,
        some(),
        some(),
        Verdict.RIGHT,
        (Reason(to_come, Standing.TO_COME), Reason(over, Standing.ENDED)),
    )


def test_a_role_that_a_class_caps_is_ranked_by_what_is_left_of_it() -> None:
    known = case(
        binding("eng", web="viewer", line=1),
        binding("ops", web="admin", line=2),
        person("ann", "contractor"),
        of=organization(classes=(person_class(highest="contributor"),)),
        groups=membership(group("eng", "ann"), group("ops", "ann")),
    )
    capped = Provenance(
        "binding", "ops", at(2), Role.CONTRIBUTOR, person_class="contractor", asked=Role.ADMIN
    )
    assert only(known) == ScopeExplanation(
        WEB,
        some(),
        some("contributor"),
        Verdict.ADD,
        (
            Reason(capped, Standing.APPLIES),
            Reason(provenance("eng", "viewer", line=1), Standing.OUTRANKED, capped),
        ),
    )
    assert ann(known).classes == ("contractor",)


def test_a_binding_that_does_not_name_somebody_s_class_has_no_effect() -> None:
    known = case(
        binding("eng", web="viewer", line=1),
        person("ann", "contractor"),
        of=organization(classes=(person_class(named=True),)),
        state=live({"ann": holds(web="viewer")}),
    )
    withheld = Provenance("binding", "eng", at(1), Role.VIEWER, person_class="contractor", withheld=True)
    assert only(known) == ScopeExplanation(
        WEB, some("viewer"), some(), Verdict.TAKE, (Reason(withheld, Standing.IDLE),)
    )
    assert ann(known).idle_groups == ()


def test_the_directorys_word_is_told_as_what_denies_a_role() -> None:
    word = Provenance(DIRECTORY, "not in the directory", at(1), Role.VIEWER, withheld=True)
    known = case(state=live({"ann": holds(web="viewer")}))
    known = replace(known, desired=replace(known.desired, why={"u-ann": {WEB: (word,)}}))
    assert only(known).reasons == (Reason(word, Standing.DENIED),)


def test_somebody_whose_time_is_over_is_told_since_when_and_by_which_line() -> None:
    over = NOW - MOMENT
    known = case(
        binding("eng", web="viewer", line=1),
        person("ann", ends=over, line=7),
        state=live({"ann": holds(web="viewer")}),
    )
    ended = Provenance("end", "ann@acme.example", at(7, "people.yaml"), Role.VIEWER, until=over, ended=True)
    assert ann(known) == Explanation(
        principal("ann"),
        (ScopeExplanation(WEB, some("viewer"), some(), Verdict.TAKE, (Reason(ended, Standing.ENDED),)),),
        end=End(over, at(7, "people.yaml")),
        over=True,
        idle_groups=("eng",),
    )
    assert explanation.sources([ann(known)]) == [at(7, "people.yaml")] * 2


def test_what_a_class_holds_is_told_with_the_problem_of_that_class() -> None:
    known = case(
        binding("lost", app="admin", line=3),
        person("ann", "contractor"),
        of=organization(classes=(person_class(end_required=True),)),
        state=live({"ann": holds(web="viewer")}),
    )
    assert (only(known).verdict, [problem.at for problem in only(known).problems]) == (
        Verdict.HELD,
        [at(50, "organization.yaml")],
    )


# What a project's role is worth beside one in the organization


@pytest.mark.parametrize(
    ("written", "has", "above"),
    [
        (("admin", "viewer"), holds(), Role.ADMIN),
        (("viewer", "viewer"), holds(), None),
        (("viewer", "admin"), holds(), None),
        (("", "viewer"), holds("admin"), None),
        (("", ""), holds("admin", web="viewer"), Role.ADMIN),
    ],
    ids=["higher", "the same", "lower", "only what will be counts", "as it is, where nothing will be"],
)
def test_a_higher_role_in_the_organization_outranks_the_one_in_a_project(
    written: tuple[str, str], has: dict[Scope, frozenset[Role]], above: Role | None
) -> None:
    everywhere, web = written
    entries = [binding("eng", everywhere, web=web)] if web else []
    scopes = {one.scope: one for one in ann(case(*entries, state=live({"ann": has}))).scopes}
    assert scopes[WEB].above is above
    assert ORGANIZATION not in scopes or scopes[ORGANIZATION].above is None


# What is not by the reasons


def test_a_role_that_a_problem_holds_is_told_with_that_problem_alone() -> None:
    lost, other = binding("lost", web="admin", line=3), binding("gone", app="viewer", line=4)
    known = case(lost, other, state=live({"ann": holds(web="admin")}))
    [problem, _] = known.desired.problems
    assert only(known) == ScopeExplanation(
        WEB, some("admin"), some("admin"), Verdict.HELD, problems=(problem,)
    )
    assert problem.at == at(3)


def test_what_nobody_s_entry_holds_is_told_with_all_problems() -> None:
    known = case(binding("lost", web="admin"), state=live({"ann": holds(app="admin")}))
    known = replace(known, desired=replace(known.desired, roles=known.live.roles))
    assert (only(known).verdict, only(known).problems) == (Verdict.HELD, known.desired.problems)


@pytest.mark.parametrize("has", ["", "viewer"], ids=["nothing", "less"])
def test_what_somebody_who_is_held_would_be_given_has_no_effect(has: str) -> None:
    known = case(
        binding("eng", web="admin", line=1),
        person("ann", "contractor"),
        of=organization(classes=(person_class(end_required=True),)),
        state=live({"ann": holds(web=has)}),
    )
    idle = Reason(provenance("eng", "admin"), Standing.IDLE)
    assert only(known) == ScopeExplanation(
        WEB, some(has), some(has), Verdict.HELD, (idle,), problems=known.desired.problems
    )


def test_a_role_that_is_partly_held_is_told_with_what_gives_the_rest() -> None:
    known = case(
        binding("eng", web="viewer", line=1),
        binding("lost", web="contributor", line=2),
        state=live({"ann": holds(web="admin")}),
    )
    scope = only(known)
    assert (scope.desired, scope.verdict, scope.reasons) == (
        some("contributor"),
        Verdict.HELD,
        (Reason(provenance("eng", "viewer", line=1), Standing.APPLIES),),
    )


def test_of_a_protected_person_it_is_told_where_that_is_said_and_that_nothing_else_has_an_effect() -> None:
    protecting = organization(guardrails=Guardrails(protected=("ANN@acme.example",)))
    known = case(
        asked=replace(
            policy(binding("eng", "viewer", line=2), of=protecting),
            protected_at={"ANN@acme.example": at(9)},
        ),
        state=live({"ann": holds("admin")}),
    )
    idle = (Reason(provenance("eng", "viewer", line=2), Standing.IDLE),)
    assert ann(known) == Explanation(
        principal("ann"),
        (ScopeExplanation(ORGANIZATION, some("admin"), some("admin"), Verdict.PROTECTED, idle),),
        protected_at=at(9),
    )
    assert explanation.sources([ann(known)]) == [at(9), at(2)]


def test_somebody_who_is_not_active_is_given_nothing() -> None:
    gone = principal("ann", active=False)
    known = case(binding("eng", "viewer"), state=live({"ann": holds("viewer")}, gone))
    assert ann(known) == Explanation(
        gone,
        (ScopeExplanation(ORGANIZATION, some("viewer"), some(), Verdict.TAKE),),
        idle_groups=("eng",),
    )


def test_role_values_that_are_not_the_policy_s_are_told() -> None:
    state = replace(live({}, principal("ann")), foreign={"u-ann": ("gadget",), "u-bob": ("other",)})
    assert ann(case(state=state, groups=membership())).foreign == ("gadget",)


def test_groups_that_give_nothing_are_told_whatever_the_policy_calls_the_others() -> None:
    groups = membership(
        group("eng", "ann", id="g-1"), group("ops", "ann"), group("new", "ann"), group("far", "bob")
    )
    known = case(
        binding("anything", web="viewer", group_id="g-1"),
        binding("renamed", web="viewer", previously=("NEW",)),
        groups=groups,
    )
    assert ann(known).idle_groups == ("ops",)


def test_what_the_directory_says_of_somebody_is_told_if_it_says_anything() -> None:
    suspended = Member(user_name="ANN@acme.example", active=False, status="SUSPENDED", since=NOW)
    silent = Member("u-bob")
    groups = replace(membership(group("eng", "ann")), people=frozenset({suspended, silent}))
    known = case(groups=groups)
    assert ann(known).member == suspended
    assert explanation.person(known, known.live.people["u-bob"]).member is None


# Since when


def past(*records: dict[str, object]) -> tuple[PastRun, ...]:
    return history.runs(numbered(records))


def test_the_last_run_that_wrote_a_role_is_told() -> None:
    first = story(write(1, set_roles("ann", "", "viewer")), outcome(1), OVER)
    second = story(write(1, set_roles("ann", "viewer", "admin")), outcome(1, "failed", "no"), OVER)
    [one] = past(*first)
    [two] = past(*second)
    known = case(state=live({"ann": holds("viewer")}), runs=(one, two))
    assert only(known).written == Written(one, some("viewer"), True)


def test_what_somebody_else_changed_since_is_told_so() -> None:
    [one] = past(*story(write(1, set_roles("ann", "", "viewer")), outcome(1), OVER))
    known = case(state=live({"ann": holds("admin")}), runs=(one,))
    assert only(known).written == Written(one, some("viewer"), False)


@pytest.mark.parametrize(
    ("changes", "name", "project"),
    [
        ({"organization": "globex"}, "ann", None),
        ({"server": "https://other.example"}, "ann", None),
        ({}, "bob", None),
        ({}, "ann", "web"),
    ],
    ids=["another organization", "another server", "another person", "another scope"],
)
def test_no_other_write_is_told(changes: dict[str, str], name: str, project: str | None) -> None:
    runs = past(*story(write(1, set_roles(name, "", "viewer", project)), outcome(1), OVER, **changes))
    assert only(case(state=live({"ann": holds("viewer")}), runs=runs)).written is None


# Who is meant


ANN = principal("ann")._replace(email="Ann.Ng@acme.example")
TWINS = [principal(name)._replace(email="team@acme.example") for name in ("bob", "cid")]
EVERYBODY = case(
    person("ann", previously=("Anna@old.example",)),
    state=live({}, ANN, *TWINS, principal("dan", user_name="team")),
    groups=membership(group("eng", Member(user_name="zoe@acme.example"), Member(external_id="00u"))),
)


@pytest.mark.parametrize(
    "name",
    ["ann@acme.example", "ANN@Acme.example", "u-ann", "ann.ng@ACME.example", "anna@old.example"],
    ids=["userName", "folded", "id", "e-mail", "earlier userName"],
)
def test_people_are_found_by_name_id_and_e_mail(name: str) -> None:
    assert explanation.find(EVERYBODY, name) is ANN


def test_a_user_name_goes_before_somebody_else_s_e_mail() -> None:
    taken = principal("bob")._replace(email="ann@acme.example")
    known = case(state=live({}, taken, ANN))
    assert explanation.find(known, "ann@acme.example") is ANN


@pytest.mark.parametrize(
    ("name", "message", "hint"),
    [
        (
            "an@acme.example",
            "there is no person 'an@acme.example' on the server of acme, did you mean 'ann@acme.example'?",
            "people are asked for by userName, id or e-mail",
        ),
        (
            "U-ANN",
            "there is no person 'U-ANN' on the server of acme",
            "people are asked for by userName, id or e-mail",
        ),
        (
            "team@acme.example",
            "'team@acme.example' is the e-mail of bob@acme.example and cid@acme.example",
            "ask for one of them by userName",
        ),
        (
            "Zoe@acme.example",
            "there is no person 'Zoe@acme.example' on the server of acme, "
            "though the directory has them in eng",
            "they have no account yet: look at how the identity provider provisions them",
        ),
    ],
    ids=["typo", "an id has a case", "two with one e-mail", "only in the directory"],
)
def test_who_is_not_there_is_told_with_what_to_do(name: str, message: str, hint: str) -> None:
    with pytest.raises(SettingsError) as caught:
        explanation.find(EVERYBODY, name)
    assert (caught.value.message, caught.value.hint) == (message, hint)


def test_somebody_whom_the_directory_knows_in_no_group_is_told_so() -> None:
    groups = replace(membership(), people=frozenset({Member(user_name="zoe@acme.example")}))
    with pytest.raises(UnknownError, match=r"of acme, though the directory knows them$"):
        explanation.find(case(groups=groups), "zoe@acme.example")


# The other way round


PEOPLE = {
    "ann": holds("admin"),
    "bob": holds("viewer", web="contributor"),
    "cid": holds("contributor", web="viewer"),
    "dan": holds(app="admin"),
}
ASKED = case(
    binding("eng", web="viewer"), state=live(PEOPLE, principal("eve")), groups=membership(group("eng", "eve"))
)


@pytest.mark.parametrize(
    ("question", "found"),
    [
        (Question(scope=WEB), {"ann": [None], "bob": ["web"], "cid": [None, "web"], "eve": ["web"]}),
        (Question(Role.VIEWER, WEB), {"cid": ["web"], "eve": ["web"]}),
        (Question(Role.ADMIN, WEB), {"ann": [None]}),
        (Question(scope=ORGANIZATION), {"ann": [None], "bob": [None], "cid": [None]}),
        (Question(Role.ADMIN, ORGANIZATION), {"ann": [None]}),
        (Question(Role.ADMIN), {"ann": [None], "dan": ["app"]}),
        (Question(Role.VIEWER), {"bob": [None], "cid": ["web"], "eve": ["web"]}),
        (Question(Role.CONTRIBUTOR, APP), {"cid": [None]}),
    ],
    ids=[
        "in a project",
        "viewers of a project",
        "admins of a project",
        "in the organization",
        "admins of the organization",
        "admins",
        "viewers",
        "by the organization alone",
    ],
)
def test_who_has_it_is_told_with_where(question: Question, found: dict[str, list[str | None]]) -> None:
    told = explanation.holders(ASKED, question)
    assert {
        one.principal.user_name.partition("@")[0]: [scope.scope.project for scope in one.scopes]
        for one in told
    } == found
    assert [one.principal.user_name for one in told] == [f"{name}@acme.example" for name in sorted(found)]


def test_who_has_it_is_told_with_why_as_for_the_person_alone() -> None:
    [eve] = [one for one in explanation.holders(ASKED, Question(Role.VIEWER)) if one.principal.id == "u-eve"]
    assert eve == explanation.person(ASKED, ASKED.live.people["u-eve"])


@pytest.mark.parametrize(
    ("scope", "managed", "message", "hint"),
    [
        (
            Scope("wep"),
            True,
            "the policy of acme has no project 'wep', did you mean 'web'?",
            "its projects are app, web",
        ),
        (
            ORGANIZATION,
            False,
            "the policy of acme does not speak for roles in the organization",
            "it says `organization_roles: unmanaged`; ask for a project",
        ),
    ],
    ids=["unknown project", "organization"],
)
def test_a_scope_that_the_policy_does_not_speak_for_is_told(
    scope: Scope, managed: bool, message: str, hint: str
) -> None:
    with pytest.raises(UnknownError) as caught:
        explanation.holders(case(of=organization(managed=managed)), Question(scope=scope))
    assert (caught.value.message, caught.value.hint) == (message, hint)


def test_an_answer_says_of_which_organization_and_what_was_not_resolved() -> None:
    known = case(binding("lost", web="admin"), of=organization(Mode.REPORT))
    assert known.answer([ann(known)]) == Answer(
        "acme", SERVER, Mode.REPORT, (ann(known),), known.desired.problems
    )
