"""Carrying plans out from the command line: only those that were expected, each recorded in the ledger."""

import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import click

from reconciler import apply, origin, planfile
from reconciler.change import Outcome, Result
from reconciler.cli import interrupts, note, terminal
from reconciler.cli.context import moment
from reconciler.cli.options import ledger_option, shard_option
from reconciler.cli.run import Planner, Run, prepared_to_write
from reconciler.errors import ExitCode, PartlyAppliedError, ReconcilerError, SettingsError, StaleError
from reconciler.history import Record
from reconciler.ledger import Ledger, RunAccount
from reconciler.origin import Origin
from reconciler.phrases import counted
from reconciler.plan import Plan
from reconciler.planfile import PlanFile
from reconciler.planning import Prepared, refuse
from reconciler.policy.document import Policy
from reconciler.policy.files import shown
from reconciler.ports import Provider

LOOK = "`reconciler plan` shows what is left to do"

F = TypeVar("F", bound=Callable[..., Any])

_FINGERPRINT = re.compile(r"[0-9a-f]{32}")


def conditions(command: F) -> F:
    """The options of a command that carries plans out: `expected`, `approved`, `place` and `shard`."""
    for option in (
        shard_option,
        ledger_option,
        click.option(
            "--approve",
            "approved",
            metavar="FINGERPRINT",
            multiple=True,
            help="Carry this one plan out although guardrails refuse it. Some can't be approved.",
        ),
        click.option(
            "--expect",
            "expected",
            metavar="FINGERPRINT",
            multiple=True,
            help="Carry no other plan out than this; once for each organization that changes.",
        ),
    ):
        command = option(command)
    return command


@dataclass(frozen=True, slots=True)
class Terms:
    """Which plans may be carried out, and where that is recorded."""

    ledger: Path
    expected: frozenset[str] = frozenset()
    """Fingerprints: no other plan that changes anything may be carried out, and each must be there."""
    approved: frozenset[str] = frozenset()
    """Fingerprints of plans that may be carried out in spite of guardrails."""
    reviewed: PlanFile | None = None
    """Every organization's plan as it must be."""

    @classmethod
    def of(
        cls,
        ledger_path: Path,
        expected: Iterable[str],
        approved: Iterable[str],
        reviewed: PlanFile | None = None,
    ) -> "Terms":
        """The terms as options give them. Raises SettingsError where they can't be kept."""
        terms = cls(ledger_path, frozenset(expected), frozenset(approved), reviewed)
        in_file = {one.fingerprint for one in reviewed.plans.values()} if reviewed else set()
        for fingerprint in sorted(terms.expected | terms.approved):
            if not _FINGERPRINT.fullmatch(fingerprint):
                raise SettingsError(
                    f"'{fingerprint}' is no fingerprint: 32 hexadecimal digits, as `plan` shows them"
                )
            if reviewed and fingerprint not in in_file:
                raise SettingsError(f"the plan file has no plan with the fingerprint {fingerprint}")
        return terms

    def breaches(
        self, plans: Sequence[Plan], *, whole: bool, elsewhere: Set[str] = frozenset()
    ) -> list[tuple[str, StaleError]]:
        """Why these plans are not the ones that were expected; `whole`: they are all there should be.

        What is expected of organizations `elsewhere`, which other shards look after, is for those to find. As
        a fingerprint does not say whose it is, one that none of these plans has is no breach then.

        Each with its organization; empty where a plan is gone that nobody knows whose it was.
        """
        found = [(plan.organization, breach) for plan in plans if (breach := self._breach(plan))]
        if found or not whole:
            return found
        asked = frozenset[str]() if elsewhere else self.expected | self.approved
        wanted = asked - {plan.fingerprint for plan in plans}
        named = self.reviewed.plans if self.reviewed else {}
        gone = sorted(set(named) - {plan.organization for plan in plans} - elsewhere)
        return [
            *(("", StaleError(f"there is no plan {one} any more", NEW)) for one in sorted(wanted)),
            *((name, StaleError(f"the policy has no organization {name} any more", NEW)) for name in gone),
        ]

    def _breach(self, plan: Plan) -> StaleError | None:
        name = plan.organization
        if self.reviewed is not None:
            then = self.reviewed.plans.get(name)
            if then is None:
                return StaleError(f"the plan file has no plan for {name}", NEW)
            if then.fingerprint != plan.fingerprint:
                what = f"the plan of {name} is not the one in the plan file any more"
                return StaleError(what, NEW, planfile.differences(then, plan))
        if self.expected and plan.changes and plan.fingerprint not in self.expected | self.approved:
            return StaleError(f"the plan of {name} is {plan.fingerprint}, which is not expected", NEW)
        return None


NEW = "nothing was written; look at the new plan, and have it reviewed"


@dataclass(frozen=True, slots=True)
class Ready:
    """An organization whose plan can be carried out."""

    policy: Policy
    prepared: Prepared
    provider: Provider
    account: RunAccount

    @property
    def name(self) -> str:
        return self.policy.organization.name


@dataclass(slots=True)
class Convergence:
    """Plans of all organizations made, checked and carried out; what came of each is in `results`."""

    run: Run
    terms: Terms
    plan: Planner
    text: bool
    """Whether plans and outcomes are to be shown as they come."""
    about: Mapping[str, Any] = field(default_factory=dict)
    """What the ledger is to say of each run beside its plan."""
    results: list[tuple[Prepared, Sequence[Outcome], str]] = field(default_factory=list)

    def carry_out(self) -> None:
        """Read and plan for everybody, then write: no write is sent before every plan was checked.

        A ledger that can't be opened, as another run holds it, is a failure like any other, of nobody's.
        """
        if self.run.policies:
            self.run.attempt("", self._carry_out)

    def _carry_out(self) -> ExitCode:
        with Ledger(self.terms.ledger, moment) as record, ExitStack() as connections:
            ready: list[Ready] = []

            def read(policy: Policy) -> ExitCode:
                prepared, provider = connections.enter_context(prepared_to_write(policy, self.plan))
                account = record.begin(prepared.plan, prepared.live, *self._told(policy, prepared))
                ready.append(Ready(policy, prepared, provider, account))
                if self.text:
                    terminal.show_plan(prepared, first=len(ready) == 1)
                return ExitCode.DONE

            self.run.each(read)
            if not self._stale(ready):
                for one in ready:
                    self.run.attempt(one.name, partial(self._write, one))
        return ExitCode.DONE

    def _told(self, policy: Policy, prepared: Prepared) -> tuple[Origin, Record]:
        """What the ledger says of a run beside its plan."""
        folder = Path(policy.organization.at.file).parent
        is_approved = prepared.plan.fingerprint in self.terms.approved
        broken = [one.guardrail for one in prepared.violations if one.approvable]
        approved = {"approved": broken} if is_approved and broken else {}
        return origin.of(os.environ, folder), {**self.about, **approved, **_leavers(prepared)}

    def _stale(self, ready: Sequence[Ready]) -> bool:
        """Whether any plan is not what was expected; then nobody's is carried out."""
        whole = len(ready) == len(self.run.policies)
        plans = [one.prepared.plan for one in ready]
        breaches = self.terms.breaches(plans, whole=whole, elsewhere=self.run.elsewhere)
        for name, breach in breaches:
            self.run.attempt(name, partial(fail, breach))
        for one in ready if breaches else ():
            self._results(one, ())
            self.run.attempt(one.name, partial(_note_stale, one))
        return bool(breaches)

    def _results(self, one: Ready, outcomes: Sequence[Outcome]) -> None:
        self.results.append((one.prepared, outcomes, one.account.id))

    def _write(self, one: Ready) -> ExitCode:
        """Carry one plan out, unless a guardrail refuses it."""
        try:
            refuse(one.prepared, self.terms.approved)
        except ReconcilerError as error:
            self._results(one, ())
            one.account.refused(error.message, error.exit_code)
            raise
        outcomes = self._outcomes(one)
        self._results(one, outcomes)
        try:
            one.account.end()
        finally:
            if self.text:
                terminal.show_outcomes(outcomes, one.name if len(self.run.policies) > 1 else "")
        note(f"run {one.account.id} is recorded in {shown(self.terms.ledger)}")
        check(one.prepared, outcomes)
        return ExitCode.DONE

    def _outcomes(self, one: Ready) -> Sequence[Outcome]:
        """Write, and begin no other organization if somebody asks to stop meanwhile."""
        plan, live = one.prepared.plan, one.prepared.live
        minimum = one.policy.organization.guardrails.minimum_admins
        with interrupts.noted() as interrupted:
            try:
                with terminal.progress(len(plan.changes)) as step:
                    return apply.carry_out(plan, one.provider, live, minimum, one.account, step)
            except KeyboardInterrupt:
                raise PartlyAppliedError(f"interrupted while {one.name} was written to", LOOK) from None
            finally:
                self.run.stopped = interrupted()


def _leavers(prepared: Prepared) -> Record:
    """Who leaves, where the time that they are given is counted from the first run that said so."""
    if prepared.leavers is None:
        return {}
    return {"leavers": [{"id": one.id, "user": one.user_name} for one in prepared.leavers]}


def check(prepared: Prepared, outcomes: Sequence[Outcome]) -> None:
    """Raise PartlyAppliedError where a run was not all that the policy asks for."""
    organization = prepared.plan.organization
    missed = sum(outcome.result is not Result.APPLIED for outcome in outcomes)
    if missed:
        raise PartlyAppliedError(
            f"{missed} of {counted(len(outcomes), 'change')} to {organization} did not come about", LOOK
        )
    if prepared.plan.problems:
        problems = counted(len(prepared.plan.problems), "problem")
        raise PartlyAppliedError(
            f"{problems} kept the policy of {organization} from being applied whole", LOOK
        )


def _note_stale(one: Ready) -> ExitCode:
    one.account.refused("a plan is not the one that was expected", ExitCode.STALE)
    return ExitCode.STALE


def fail(error: ReconcilerError) -> ExitCode:
    """Raise an error where work is expected (`Run.attempt`)."""
    raise error
