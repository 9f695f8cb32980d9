"""What a run came to, in little enough for a message: what every notification is made from. Pure."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from reconciler.change import Change, CreateGroup, Outcome, Result, ScopeChange, SetRoles
from reconciler.errors import ExitCode, ReconcilerError
from reconciler.guardrails import admins, admins_after
from reconciler.origin import Origin
from reconciler.planning import Prepared
from reconciler.report import people, text

Results = Sequence[tuple[Prepared, Sequence[Outcome], str]]
"""Each organization's plan, what became of its changes, and the run's name in the ledger if it has one."""


class Ending(StrEnum):
    """How it ended for one organization."""

    UNCHANGED = "unchanged"
    """Nothing was to be done, or the mode lets nothing be done."""
    APPLIED = "applied"
    PARTLY_APPLIED = "applied in part"
    DRIFT = "drift"
    REFUSED = "refused"
    STALE = "another plan"
    UNTOUCHED = "not begun"
    """Nothing was written, as something else was in the way."""
    UNREADABLE = "unreadable"
    INVALID = "invalid"
    FAILED = "failed"


_ENDINGS = {
    ExitCode.REFUSED: Ending.REFUSED,
    ExitCode.STALE: Ending.STALE,
    ExitCode.INVALID: Ending.INVALID,
    ExitCode.UNREADABLE: Ending.UNREADABLE,
    ExitCode.PARTLY_APPLIED: Ending.PARTLY_APPLIED,
}


@dataclass(frozen=True, slots=True)
class Person:
    """What happens, or happened, to one person: to their roles, or to their account."""

    user: str
    verb: str
    """The rest of a sentence about them, such as `loses everything`."""
    scopes: tuple[ScopeChange, ...] = ()
    result: Result | None = None
    """None where nothing was tried."""
    detail: str = ""
    """Why it did not come about."""


@dataclass(frozen=True, slots=True)
class Counts:
    """How many people gain, lose and so on; `lose` has those in it who lose everything."""

    gain: int = 0
    move: int = 0
    lose: int = 0
    lose_everything: int = 0
    new_admins: int = 0
    former_admins: int = 0
    accounts: Mapping[str, int] = field(default_factory=dict)
    """By what happens to them, such as `deactivated`."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why something is not as it should be, and what to do."""

    message: str
    hint: str
    exit_code: ExitCode


@dataclass(frozen=True, slots=True)
class Refusal:
    """A guardrail that stood in the way."""

    guardrail: str
    message: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Share:
    """What a run came to for one organization. Without a plan where it could not be read."""

    organization: str
    ending: Ending
    failures: tuple[Failure, ...] = ()
    server: str = ""
    mode: str = ""
    run: str = ""
    """The run's name in the ledger."""
    fingerprint: str = ""
    verdict: str = ""
    """The plan in a few lines."""
    counts: Counts = field(default_factory=Counts)
    people: tuple[Person, ...] = ()
    """The most important first."""
    refusals: tuple[Refusal, ...] = ()
    problems: tuple[str, ...] = ()
    """What in the policy could not be resolved."""
    findings: tuple[tuple[str, int], ...] = ()
    """How many there are of each kind that there is."""
    results: Mapping[str, int] = field(default_factory=dict)
    """How many changes were applied, failed, skipped."""


@dataclass(frozen=True, slots=True)
class Summary:
    """What a run came to."""

    command: str
    exit_code: ExitCode
    shares: tuple[Share, ...]
    failures: tuple[Failure, ...] = ()
    """Those of no organization, such as an invalid policy."""
    origin: Origin = field(default_factory=Origin)

    @property
    def quiet(self) -> bool:
        """Whether nothing changed, differs or failed."""
        return not self.failures and all(share.ending is Ending.UNCHANGED for share in self.shares)

    def of(self, organizations: Collection[str]) -> "Summary":
        """The same for some organizations alone; what failed for nobody is everybody's."""
        return replace(self, shares=tuple(s for s in self.shares if s.organization in organizations))


def made(
    command: str,
    results: Results,
    failures: Sequence[tuple[str, ReconcilerError]],
    exit_code: ExitCode,
    origin: Origin,
) -> Summary:
    """The summary of what a command reports: organizations in the order in which they were met.

    A plan of `drift` that nobody carries out has no outcomes and no run.
    """
    by_name = {prepared.plan.organization: (prepared, outcomes, run) for prepared, outcomes, run in results}
    names = dict.fromkeys([*by_name, *(name for name, _ in failures if name)])
    return Summary(
        command,
        exit_code,
        tuple(_share(command, name, by_name.get(name), _failures(failures, name)) for name in names),
        _failures(failures, ""),
        origin,
    )


def _failures(failures: Iterable[tuple[str, ReconcilerError]], organization: str) -> tuple[Failure, ...]:
    return tuple(
        Failure(error.message, error.hint, error.exit_code)
        for name, error in failures
        if name == organization
    )


def _share(
    command: str,
    name: str,
    result: tuple[Prepared, Sequence[Outcome], str] | None,
    failures: tuple[Failure, ...],
) -> Share:
    failed = _ENDINGS.get(failures[0].exit_code, Ending.FAILED) if failures else None
    if result is None:
        return Share(name, failed or Ending.FAILED, failures)
    prepared, outcomes, run = result
    plan = prepared.plan
    whole = people.unhindered(prepared) if command == "drift" else prepared
    return Share(
        name,
        failed or _ending(command, prepared, outcomes),
        failures,
        plan.server,
        plan.mode,
        run,
        plan.fingerprint,
        text.verdict(whole),
        _counts(whole),
        _people(whole, outcomes),
        tuple(Refusal(one.guardrail, one.message, one.remedy) for one in prepared.violations),
        tuple(map(str, plan.problems)),
        tuple(Counter(str(finding.kind) for finding in plan.findings).items()),
        dict(Counter(str(outcome.result) for outcome in outcomes)),
    )


def _ending(command: str, prepared: Prepared, outcomes: Sequence[Outcome]) -> Ending:
    """Where no failure says it; of a policy that could not be resolved whole, `apply` makes one."""
    if prepared.plan.problems:
        return Ending.INVALID
    if command == "drift":
        return Ending.DRIFT if prepared.plan.drifted else Ending.UNCHANGED
    if outcomes:
        return Ending.APPLIED
    return Ending.UNTOUCHED if prepared.plan.changes else Ending.UNCHANGED


def _counts(prepared: Prepared) -> Counts:
    plan = prepared.plan
    verbs = Counter(map(people.verb, plan.people))
    before, left = admins(prepared.live), admins_after(plan, prepared.live)
    return Counts(
        verbs["gains"],
        verbs["moves"],
        verbs["loses"],
        len(people.emptied(prepared)),
        len(left - before),
        len(before - left),
        dict(Counter(map(people.participle, plan.accounts))),
    )


_IMPORTANT = (
    "becomes organization admin",
    "loses everything",
    "is deleted",
    "is deactivated",
    "is no longer organization admin",
    "loses",
    "moves",
    "gains",
)
"""What happens to people, the most important first; everything else comes after."""


def _people(prepared: Prepared, outcomes: Sequence[Outcome]) -> tuple[Person, ...]:
    """Those first for whom it failed, then by what it means for them."""
    plan, live = prepared.plan, prepared.live
    before, left = admins(live), admins_after(plan, live)
    special = dict.fromkeys(left - before, "becomes organization admin")
    special |= dict.fromkeys(before - left, "is no longer organization admin")
    emptied = people.emptied(prepared)
    came = _came(outcomes)
    roles = [
        Person(
            change.principal.user_name,
            "loses everything" if change.principal.id in emptied else special.get(change.principal.id, verb),
            change.scopes,
            *came.get((change.principal.id, "roles"), (None, "")),
        )
        for change in plan.people
        for verb in [people.verb(change)]
    ]
    accounts = [
        Person(
            change.principal.user_name,
            f"is {people.participle(change)}",
            (),
            *came.get((change.principal.id, people.participle(change)), (None, "")),
        )
        for change in plan.accounts
    ]
    return tuple(sorted((*roles, *accounts), key=_rank))


def _rank(person: Person) -> tuple[bool, int]:
    weight = _IMPORTANT.index(person.verb) if person.verb in _IMPORTANT else len(_IMPORTANT)
    return (person.result is not Result.FAILED, weight)


def _came(outcomes: Iterable[Outcome]) -> dict[tuple[str, str], tuple[Result, str]]:
    """What became of each person's roles and of their account: the worst, where it took several changes."""
    found: dict[tuple[str, str], tuple[Result, str]] = {}
    for outcome in outcomes:
        key = _key(outcome.change)
        if key not in found or _WORST.index(outcome.result) < _WORST.index(found[key][0]):
            found[key] = (outcome.result, outcome.detail)
    return found


_WORST = (Result.FAILED, Result.SKIPPED, Result.APPLIED)


def _key(change: Change) -> tuple[str, str]:
    match change:
        case CreateGroup():
            return ("", change.name)
        case SetRoles():
            return (change.principal.id, "roles")
        case _:
            return (change.principal.id, people.participle(change))
