"""Who drifted, how and since when; and that nothing is claimed that could be otherwise."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

import pytest
from build import (
    END,
    NOW,
    SERVER,
    UNLIMITED,
    WEB,
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
    person,
    person_class,
    policy,
    principal,
    service_account,
    some,
)
from past import run, set_active, wrote

from reconciler import drifted, overview, planning
from reconciler.change import CreateUser, Result, SetActive, SetAttributes
from reconciler.drifted import Admin, Bound, Cause, Drifted, DriftedAccount, DriftedScope, Since
from reconciler.history import Leaver, PastRun, Skip
from reconciler.model import ORGANIZATION, Holdings, LiveState, Member, Membership, Provenance
from reconciler.people.population import Past
from reconciler.policy.document import (
    DirectoryKind,
    DirectorySettings,
    Lifecycle,
    Mode,
    Organization,
)

MONDAY = NOW - timedelta(days=14)
TUESDAY = MONDAY + timedelta(days=1)
LATER = NOW - timedelta(days=1)
WHOLE = run(MONDAY)
OTHER_TREE = "7" * 32
ENG = membership(group("eng", "ann"))
NOBODY = membership(group("eng"))


def found(
    *entries: Entry,
    state: LiveState | None = None,
    groups: Membership = ENG,
    runs: Sequence[PastRun] = (),
    of: Organization | None = None,
    written: Mapping[tuple[str, int], datetime] = MappingProxyType({}),
    past: Past | None = None,
) -> Drifted:
    """What drifted, where Ann holds nothing and is in the group `eng` unless something else is said."""
    whole = policy(*entries, of=of)
    state = state or live({}, principal("ann"))
    survey = planning.survey(whole, Server(state), Groups(groups), NOW, past)
    return drifted.of(overview.of(whole, SERVER, survey, NOW, runs), written)


def only(known: Drifted) -> DriftedScope:
    """The one scope of the one person who drifted."""
    [someone] = known.people
    [scope] = someone.scopes
    return scope


def told(known: Drifted) -> tuple[Cause, Since | None]:
    scope = only(known)
    return scope.cause, scope.since


def after(past: PastRun) -> Since:
    return Since(past.moment, Bound.AFTER, past)


# Without a ledger


def test_without_a_ledger_nothing_is_known_of_a_role_that_nothing_gives() -> None:
    assert told(found(state=live({"ann": holds("admin")}))) == (Cause.UNKNOWN, None)


def test_what_differs_is_told_with_what_it_should_be_and_why() -> None:
    [change] = found(binding("eng", "viewer", line=4)).overview.prepared.plan.people
    assert only(found(binding("eng", "viewer", line=4))) == DriftedScope(change.scopes[0], Cause.UNKNOWN)


def test_who_has_what_they_should_is_not_told() -> None:
    known = found(binding("eng", "viewer"), state=live({"ann": holds("viewer")}))
    assert (known.people, known.found) == ((), False)


# The last whole run


def test_what_a_whole_run_left_right_drifted_after_it() -> None:
    assert told(found(binding("eng", "viewer"), runs=[WHOLE])) == (Cause.UNKNOWN, after(WHOLE))


@pytest.mark.parametrize(
    "past",
    [
        run(MONDAY, ended=False),
        run(MONDAY, refused="removals"),
        run(MONDAY, problems=1),
        run(MONDAY, problems=None),
        run(MONDAY, mode="additive"),
        run(MONDAY, mode="report"),
        run(MONDAY, undoes="1234"),
        run(MONDAY, changes=1),
        run(MONDAY, skipped=(Skip("bob@acme.example", "interrupted"),)),
        run(MONDAY, wrote("bob", "", "viewer", result=Result.FAILED)),
        run(MONDAY, wrote("bob", "", "viewer", result=None)),
        run(MONDAY, server="https://other.example"),
        run(MONDAY, organization="globex"),
    ],
    ids=[
        "killed",
        "refused",
        "with problems",
        "by a version that counted no problems",
        "additive",
        "report",
        "undo",
        "more to write than written",
        "skipped",
        "failed",
        "of unknown end",
        "on another server",
        "of another organization",
    ],
)
def test_any_other_run_proves_nothing(past: PastRun) -> None:
    known = found(binding("eng", "viewer"), runs=[past])
    assert (told(known), known.last) == ((Cause.UNKNOWN, None), None)


def test_the_last_whole_run_counts_and_not_the_first_nor_one_that_was_refused_after_it() -> None:
    runs = [WHOLE, last := run(TUESDAY), run(LATER, refused="removals")]
    known = found(binding("eng", "viewer"), runs=runs)
    assert (told(known), known.last) == ((Cause.UNKNOWN, after(last)), last)


# The last write


def test_a_role_that_is_not_as_the_last_write_left_it_was_changed_by_somebody_else() -> None:
    runs = [run(MONDAY, wrote("ann", "", "viewer")), run(TUESDAY)]
    known = found(binding("eng", "viewer"), runs=runs)
    assert only(known) == replace(
        only(found(binding("eng", "viewer"))),
        cause=Cause.CHANGED,
        since=after(runs[1]),
        left=runs[0],
        left_as=some("viewer"),
    )


def test_a_write_of_another_scope_or_person_tells_nothing() -> None:
    runs = [run(MONDAY, wrote("ann", "", "viewer", WEB), wrote("bob", "", "viewer"), changes=9)]
    assert told(found(binding("eng", "viewer"), runs=runs)) == (Cause.UNKNOWN, None)


@pytest.mark.parametrize("result", [Result.FAILED, None])
def test_where_a_later_write_may_have_come_about_nobody_else_is_blamed(result: Result | None) -> None:
    runs = [
        first := run(MONDAY, wrote("ann", "", "viewer")),
        tried := run(TUESDAY, wrote("ann", "viewer", "contributor", result=result)),
    ]
    known = found(binding("eng", "viewer"), runs=runs, state=live({"ann": holds("admin")}))
    assert (told(known), only(known).tried) == ((Cause.UNKNOWN, after(first)), None)
    same = found(binding("eng", "contributor"), runs=runs, state=live({"ann": holds("viewer")}))
    assert (only(same).cause, only(same).tried) == (Cause.NOT_APPLIED, tried)


def test_a_role_that_stands_as_it_was_written_is_not_applied_yet_where_something_else_is_asked_for() -> None:
    wrote_it = run(MONDAY, wrote("ann", "", "viewer"), changes=9)
    known = found(binding("eng", "admin"), runs=[wrote_it], state=live({"ann": holds("viewer")}))
    assert told(known) == (Cause.NOT_APPLIED, after(wrote_it))


def test_a_run_that_took_another_back_left_what_the_policy_does_not_ask_for() -> None:
    runs = [
        run(MONDAY, wrote("ann", "", "viewer")),
        back := run(TUESDAY, wrote("ann", "viewer", ""), undoes="1"),
    ]
    assert told(found(binding("eng", "viewer"), runs=runs)) == (
        Cause.TAKEN_BACK,
        Since(TUESDAY, Bound.AT, back),
    )


def test_what_somebody_changed_after_a_run_took_another_back_was_last_right_before_that() -> None:
    runs = [WHOLE, run(TUESDAY, wrote("ann", "viewer", ""), undoes="1")]
    known = found(binding("eng", "viewer"), runs=runs, state=live({"ann": holds("admin")}))
    assert told(known) == (Cause.CHANGED, after(WHOLE))


def test_what_each_of_the_last_runs_wrote_and_is_gone_again_is_contested() -> None:
    runs = [run(MONDAY + timedelta(days=day), wrote("ann", "", "viewer")) for day in range(3)]
    assert only(found(binding("eng", "viewer"), runs=runs)).contested
    assert not only(found(binding("eng", "viewer"), runs=runs[1:])).contested
    assert not only(found(binding("eng", "admin"), runs=runs)).contested


# Ends and beginnings


OVER = NOW - timedelta(days=3)
ENDED = grant("ann", "admin", expires=OVER, line=7)


def ended() -> Provenance:
    """The grant as the reason that it ended for."""
    known = found(ENDED, state=live({"ann": holds("admin")}), groups=NOBODY)
    return only(known).change.why[0]


def test_what_a_temporary_grant_gave_drifts_from_its_end_on() -> None:
    state = live({"ann": holds("admin")})
    for runs in [], [WHOLE], [run(MONDAY, wrote("ann", "", "admin"))]:
        known = found(ENDED, state=state, groups=NOBODY, runs=runs)
        assert told(known) == (Cause.GRANT_ENDED, Since(OVER, Bound.AT, ended()))


def test_what_a_run_took_after_the_end_somebody_else_gave_again() -> None:
    state = live({"ann": holds("admin")})
    runs = [run(LATER, wrote("ann", "admin", ""))]
    assert told(found(ENDED, state=state, groups=NOBODY, runs=runs)) == (Cause.CHANGED, after(runs[0]))


def test_what_was_right_after_the_end_by_the_same_policy_somebody_else_gave() -> None:
    state = live({"ann": holds("admin")})
    assert told(found(ENDED, state=state, groups=NOBODY, runs=[run(LATER)])) == (
        Cause.CHANGED,
        after(run(LATER)),
    )


def test_what_was_right_after_the_end_by_another_policy_may_have_ended_later_there() -> None:
    state = live({"ann": holds("admin")})
    other = run(LATER, tree=OTHER_TREE)
    assert told(found(ENDED, state=state, groups=NOBODY, runs=[other])) == (Cause.GRANT_ENDED, after(other))


def test_an_ended_grant_of_less_than_somebody_has_explains_nothing() -> None:
    state = live({"ann": holds("admin")})
    entry = grant("ann", "viewer", expires=OVER)
    assert told(found(entry, state=state, groups=NOBODY)) == (Cause.UNKNOWN, None)


def test_the_time_of_a_contractor_that_is_over_is_a_cause_of_its_own() -> None:
    known = found(
        binding("eng", "viewer"),
        person("ann", ends=OVER),
        state=live({"ann": holds("viewer")}),
    )
    cause, since = told(known)
    assert (cause, since and since.moment, since and since.bound) == (Cause.TIME_ENDED, OVER, Bound.AT)


def test_a_temporary_grant_that_began_after_the_last_whole_run_was_not_applied_yet() -> None:
    entry = grant("ann", "admin", starts=TUESDAY)
    known = found(entry, runs=[WHOLE])
    assert told(known) == (Cause.NOT_APPLIED, Since(TUESDAY, Bound.AT, only(known).change.why[0]))
    assert told(found(entry, runs=[run(LATER)])) == (Cause.UNKNOWN, after(run(LATER)))


def test_a_line_that_was_written_after_the_last_whole_run_was_not_applied_yet() -> None:
    entry = binding("eng", "viewer", line=4)
    written = {("team.yaml", 4): TUESDAY}
    known = found(entry, runs=[WHOLE], written=written)
    assert told(known) == (Cause.NOT_APPLIED, Since(TUESDAY, Bound.AFTER, only(known).change.why[0]))
    for runs in [], [run(LATER)], [run(MONDAY, commit="c0ffee-dirty")], [run(MONDAY, commit=None)]:
        assert told(found(entry, runs=runs, written=written))[0] is Cause.UNKNOWN


def test_a_new_line_tells_nothing_where_an_old_one_gives_the_same() -> None:
    entries = [binding("eng", "viewer", line=4), binding("eng", "viewer", line=5)]
    written = {("team.yaml", 4): TUESDAY, ("team.yaml", 5): MONDAY - timedelta(days=9)}
    assert told(found(*entries, runs=[WHOLE], written=written)) == (Cause.UNKNOWN, after(WHOLE))


def test_a_new_line_does_not_tell_how_somebody_came_to_have_more() -> None:
    entries = [binding("eng", "viewer", line=4), binding("ops", "admin", line=5)]
    state = live({"ann": holds("admin"), "bob": holds("admin")})
    groups = membership(group("eng", "ann"), group("ops", "bob"))
    known = found(*entries, state=state, groups=groups, runs=[WHOLE], written={("team.yaml", 4): TUESDAY})
    assert told(known) == (Cause.UNKNOWN, after(WHOLE))


def test_the_lines_that_may_tell_something_are_those_of_gains_where_a_run_was_whole() -> None:
    entry = binding("eng", "viewer", line=4)
    assert drifted.lines(found(entry, runs=[WHOLE]).overview) == [at(4)]
    assert drifted.lines(found(entry).overview) == []
    loses = found(binding("eng", "viewer"), state=live({"ann": holds("admin")}), runs=[WHOLE])
    assert drifted.lines(loses.overview) == []


# What no entry gives


@pytest.mark.parametrize(
    ("entry", "cause"),
    [
        (binding("eng", "viewer"), Cause.CHANGED),
        (binding("ops", "admin"), Cause.UNKNOWN),
        (grant("bob", "admin"), Cause.UNKNOWN),
        (service_account("bob", "admin"), Cause.UNKNOWN),
    ],
    ids=["by nothing", "by a binding", "by a grant", "by a service account"],
)
def test_a_role_that_the_same_policy_gives_to_nobody_is_not_from_it(entry: Entry, cause: Cause) -> None:
    state = live({"ann": holds("admin"), "bob": holds("admin")})
    groups = membership(group("eng", "bob"), group("ops", "bob"))
    known = found(entry, state=state, groups=groups, runs=[WHOLE])
    [scope] = next(one for one in known.people if one.principal.id == "u-ann").scopes
    assert (scope.cause, scope.since) == (cause, after(WHOLE))


def test_a_role_that_a_class_caps_to_is_given_by_the_policy() -> None:
    contractor = person_class("contractor", highest="contributor", groups=["eng"])
    state = live({"ann": holds("contributor")})
    known = found(
        binding("eng", "admin"),
        state=state,
        groups=NOBODY,
        runs=[WHOLE],
        of=organization(classes=[contractor]),
    )
    assert told(known)[0] is Cause.UNKNOWN


def test_another_policy_may_have_given_it() -> None:
    state = live({"ann": holds("admin")})
    runs = [run(MONDAY, tree=OTHER_TREE)]
    assert told(found(state=state, groups=NOBODY, runs=runs)) == (Cause.UNKNOWN, after(runs[0]))


def test_where_leavers_have_a_grace_the_last_run_may_have_held_them() -> None:
    state = live({"ann": holds("admin")})
    of = organization()
    of = replace(of, lifecycle=Lifecycle(grace=7))
    assert told(found(state=state, groups=NOBODY, runs=[WHOLE], of=of)) == (Cause.UNKNOWN, after(WHOLE))


# People and accounts


LEFT = NOW - timedelta(days=5)
GONE = Member(
    external_id="00u-ann", user_name="ann@acme.example", active=False, status="SUSPENDED", since=LEFT
)
HERE = Member(external_id="00u-ann", user_name="ann@acme.example", active=True)
OTHERS = frozenset({Member(external_id="00u-bob", user_name="bob@acme.example", active=True)})


def of_okta(rules: Lifecycle = Lifecycle()) -> Organization:  # noqa: B008
    return replace(organization(), directory=DirectorySettings(DirectoryKind.OKTA), lifecycle=rules)


def directory(*members: Member) -> Membership:
    """The group `eng` with these, and everybody."""
    return replace(membership(group("eng", *members)), people=OTHERS | frozenset(members))


def ann(**changes: Any) -> LiveState:
    return live({"ann": holds("viewer")}, principal("ann", external_id="00u-ann")._replace(**changes))


def test_somebody_inactive_who_holds_something_is_told_as_such() -> None:
    known = found(binding("eng", "viewer"), state=ann(active=False), groups=ENG)
    assert told(known) == (Cause.INACTIVE, None)


def test_somebody_inactive_is_told_as_such_though_their_grant_ended_too() -> None:
    known = found(grant("ann", "viewer", expires=OVER), state=ann(active=False), groups=NOBODY)
    assert told(known) == (Cause.INACTIVE, None)


def test_a_leaver_is_told_since_when_the_directory_says() -> None:
    known = found(binding("eng", "viewer"), state=ann(), groups=directory(GONE), of=of_okta())
    assert told(known) == (Cause.LEAVER, Since(LEFT))


def test_a_leaver_whom_a_run_had_left_right_since_drifted_after_that() -> None:
    known = found(
        binding("eng", "viewer"), state=ann(), groups=directory(GONE), of=of_okta(), runs=[run(LATER)]
    )
    assert told(known) == (Cause.LEAVER, after(run(LATER)))


def test_a_leaver_whom_the_directory_does_not_list_is_told_by_the_ledger() -> None:
    rules = Lifecycle(deactivates=True, grace=7)
    noted = replace(WHOLE, begun=replace(WHOLE.begun, leavers=(Leaver("u-ann", "ann@acme.example"),)))
    known = found(
        binding("eng", "viewer"),
        state=ann(),
        groups=directory(),
        of=of_okta(rules),
        runs=[noted],
        past=Past(told={"u-ann": MONDAY}),
    )
    [someone] = known.people
    [account] = someone.accounts
    since = Since(MONDAY, Bound.BY)
    assert isinstance(account.change, SetActive)
    assert account == DriftedAccount(account.change, Cause.LEAVER, since)
    assert someone.loses_everything


def test_a_leaver_whom_a_run_could_not_deactivate_is_told_with_that_run() -> None:
    rules = Lifecycle(deactivates=True)
    runs = [run(TUESDAY, set_active("ann", False, result=Result.FAILED))]
    known = found(binding("eng", "viewer"), state=ann(), groups=directory(GONE), of=of_okta(rules), runs=runs)
    [account] = known.people[0].accounts
    assert account.tried == runs[0]
    runs.append(run(LATER, set_active("ann", False)))
    known = found(binding("eng", "viewer"), state=ann(), groups=directory(GONE), of=of_okta(rules), runs=runs)
    [account] = known.people[0].accounts
    assert account.tried is None


def test_an_account_that_is_missing_is_told_with_its_roles() -> None:
    known = found(
        binding("eng", "viewer"), state=live({}), groups=directory(HERE), of=of_okta(Lifecycle(creates=True))
    )
    [someone] = known.people
    assert [type(one.change) for one in someone.accounts] == [CreateUser]
    assert [one.cause for one in someone.scopes] == [Cause.UNPROVISIONED]
    assert known.causes == {Cause.UNPROVISIONED: 1}


def test_a_returner_and_a_name_that_differs_are_told() -> None:
    rules = Lifecycle(reactivates=True, repairs=True)
    here = HERE._replace(display_name="Ann")
    state = ann(active=False, display_name="Anne")
    known = found(binding("eng", "viewer"), state=state, groups=directory(here), of=of_okta(rules))
    [someone] = known.people
    assert [(type(one.change), one.cause) for one in someone.accounts] == [
        (SetAttributes, Cause.ATTRIBUTE),
        (SetActive, Cause.RETURNER),
    ]


# The whole


def test_what_the_mode_leaves_is_drift_and_told_to_be_left() -> None:
    state = live({"ann": holds("admin")}, principal("bob"))
    groups = membership(group("eng", "bob"))
    for mode, expected in (Mode.REPORT, {"ann", "bob"}), (Mode.ADDITIVE, {"ann"}), (Mode.ENFORCE, set()):
        known = found(binding("eng", "viewer"), state=state, groups=groups, of=organization(mode))
        left = {one.principal.id[2:] for one in known.people if one.scopes[0].withheld}
        assert (left, known.found, len(known.people)) == (expected, True, 2)


def test_a_lower_role_that_a_mode_leaves_beside_a_higher_one_is_not_all_that_differs() -> None:
    state = live({"ann": holds("viewer")})
    known = found(binding("eng", "admin"), state=state, of=organization(Mode.ADDITIVE))
    assert not only(known).withheld


def test_what_somebody_has_too_much_and_too_little_is_one_fact_whatever_a_mode_splits_it_into() -> None:
    state = live({"ann": holds("viewer", web="admin")})
    entry = binding("eng", "admin", web="viewer")
    told = [found(entry, state=state, of=organization(mode)).people[0].change for mode in Mode]
    assert told == [told[0]] * len(told)
    assert told[0] is not None
    assert [(one.scope, one.before, one.after) for one in told[0].scopes] == [
        (ORGANIZATION, some("viewer"), some("admin")),
        (WEB, some("admin"), some("viewer")),
    ]


@pytest.mark.parametrize(
    ("held", "given", "everything"),
    [
        (holds("viewer", web="admin"), "", True),
        (holds("viewer"), "viewer", False),
        (holds("viewer", web="admin"), "admin", False),
        (holds(), "admin", False),
    ],
    ids=["all of it", "gets another", "keeps one", "has nothing"],
)
def test_who_loses_everything_is_told(held: Holdings, given: str, everything: bool) -> None:
    known = found(binding("eng", web=given), state=live({"ann": held}, principal("ann")))
    assert [one.loses_everything for one in known.people] == [everything]


def test_admins_are_told_with_the_end_of_what_makes_them_so() -> None:
    names = ["ann", "bob", "cat", "dan", "eve", "out"]
    state = live({name: holds("admin") for name in names}, principal("out", active=False))
    later = END + timedelta(days=1)
    known = found(
        binding("eng", "admin"),
        grant("bob", "admin", expires=END, line=2),
        grant("bob", "admin", expires=later, line=3),
        grant("cat", "viewer", expires=END),
        grant("ann", "admin", expires=END, line=4),
        state=state,
        of=organization(guardrails=replace(UNLIMITED, protected=("eve@acme.example",))),
    )
    assert known.admins == (
        Admin(principal("ann")),
        Admin(principal("bob"), later),
        Admin(principal("cat"), given=False),
        Admin(principal("dan"), given=False),
        Admin(principal("eve"), protected=True),
    )


def test_temporary_grants_in_force_and_to_come_are_told_the_first_to_end_in_front() -> None:
    later = END + timedelta(days=1)
    entries = [
        grant("ann", "viewer", expires=later, line=1),
        grant("ann", "viewer", expires=END, line=2),
        grant("ann", "viewer", expires=OVER, line=3),
        grant("ann", "viewer", starts=END, expires=later, line=4),
    ]
    assert [one.at.line for one in found(*entries).grants] == [2, 1, 4]


def test_the_trend_passes_over_other_servers_and_what_took_a_run_back() -> None:
    runs = [WHOLE, run(TUESDAY, undoes="1"), run(TUESDAY, server="https://other.example"), run(LATER)]
    assert found(runs=runs).trend == (WHOLE, run(LATER))


def test_findings_about_somebody_who_drifted_are_beside_them() -> None:
    soon = grant("ann", "admin", expires=NOW + timedelta(days=1), line=7)
    known = found(soon)
    assert known.people[0].findings == known.overview.prepared.plan.findings != ()
