"""What a ledger tells of the past, as values: runs, and what each of them wrote. Opens no file."""

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import NoneType
from typing import Any, assert_never

from reconciler.change import Attribute, AttributeChange, Kind, Result
from reconciler.errors import LedgerError
from reconciler.exact import canonical
from reconciler.model import Role, Roles, Scope

FORMAT = "reconciler.ledger/1"
START = "0" * 64
"""What the first record of a ledger has for the hash of the one before it."""

CONTESTED = 3
"""So many runs in a row that write the same are no drift any more, but a dispute."""

ID_LENGTH = 12
"""A run is called by so many hexadecimal digits of the hash of its first record."""

Record = Mapping[str, Any]

_ROLES = {str(role): role for role in Role}


@dataclass(frozen=True, slots=True)
class Line:
    """One record of a ledger and the number of its line, from 1."""

    number: int
    record: Record


@dataclass(frozen=True, slots=True)
class ScopeWrite:
    """What a write was to make of one scope of one person."""

    scope: Scope
    before: Roles
    after: Roles
    entries: tuple[str, ...] = ()
    """How the roles before were stored, as JSON, where by more than their names."""


@dataclass(frozen=True, slots=True)
class ActiveWrite:
    """What a write was to make of an account's `active`; `before` is None where the server did not say."""

    before: bool | None
    after: bool


@dataclass(frozen=True, slots=True)
class Write:
    """One change that a run wrote or tried to; `result` is None where the run did not live to tell."""

    line: int
    subject: str
    """The person's userName, or the name of a group that was created."""
    principal_id: str | None
    """None where a group was created; a provisional one of somebody whom the run created."""
    active: bool
    """Whether the person was not said to be inactive."""
    scopes: tuple[ScopeWrite, ...]
    result: Result | None = None
    detail: str = ""
    kind: Kind = Kind.SET_ROLES
    attributes: tuple[AttributeChange, ...] = ()
    activity: ActiveWrite | None = None
    """Where the account was deactivated or reactivated."""


@dataclass(frozen=True, slots=True)
class Skip:
    """One change of the plan that was not tried, and why."""

    subject: str
    detail: str


@dataclass(frozen=True, slots=True)
class Leaver:
    """Somebody of whom a run said that the directory knows them no more: principal id and userName."""

    id: str
    user: str


@dataclass(frozen=True, slots=True)
class Begun:
    """The first record of a run: when it began, with which plan, by whom, of which commit."""

    at: str
    organization: str
    server: str
    mode: str
    tree: str
    fingerprint: str
    changes: int
    who: str | None
    commit: str | None
    pipeline: str | None
    undoes: str | None
    """The run that it takes back."""
    approved: tuple[str, ...]
    """The guardrails that somebody overruled for it."""
    leavers: tuple[Leaver, ...] | None = None
    """Who was active on the server and known to no directory any more; None where that was not asked."""
    problems: int | None = None
    """How many problems kept its policy from being resolved whole; None: an older version did not note it."""


@dataclass(frozen=True, slots=True)
class Ended:
    """The last record of a run: when it was over, and why it was refused, if it was."""

    at: str
    refused: str | None = None


@dataclass(frozen=True, slots=True)
class PastRun:
    """One run over one organization."""

    id: str
    begun: Begun
    writes: tuple[Write, ...]
    skipped: tuple[Skip, ...]
    ended: Ended | None
    """None where it was killed, or is not over."""

    @property
    def organization(self) -> str:
        return self.begun.organization

    @property
    def moment(self) -> datetime:
        """When it began, aware."""
        return _moment(self.begun.at)

    def results(self) -> Mapping[str, int]:
        """How many changes ended how; those without a word about their end are `unknown`."""
        told = [write.result or "unknown" for write in self.writes]
        counts = {str(result): told.count(result) for result in ("applied", "failed", "unknown")}
        return {**counts, "skipped": len(self.skipped)}


@dataclass(frozen=True, slots=True)
class Contested:
    """A role that run after run wrote alike: somebody else changes it back in between."""

    organization: str
    subject: str
    scope: Scope
    after: Roles


@dataclass(frozen=True, slots=True)
class ContestedAccount:
    """The same of an attribute of somebody's account: `active`, or one that the directory decides."""

    organization: str
    subject: str
    attribute: str
    after: str | bool


def contested(runs: Sequence[PastRun]) -> tuple[Contested | ContestedAccount, ...]:
    """What each of an organization's last CONTESTED runs that were carried out had to write again."""
    by_organization: dict[str, list[set[Contested | ContestedAccount]]] = defaultdict(list)
    for run in runs:
        if run.ended and not run.ended.refused and not run.begun.undoes:
            by_organization[run.organization].append(set(_applied(run)))
    found: set[Contested | ContestedAccount] = set()
    for written in by_organization.values():
        if len(written) >= CONTESTED:
            found |= set.intersection(*written[-CONTESTED:])
    return tuple(sorted(found, key=_contested_rank))


def _contested_rank(one: Contested | ContestedAccount) -> tuple[object, ...]:
    match one:
        case Contested():
            return (one.organization, one.subject, False, one.scope.rank)
        case ContestedAccount():
            return (one.organization, one.subject, True, one.attribute)
        case _ as never:
            assert_never(never)


def _applied(run: PastRun) -> Iterator[Contested | ContestedAccount]:
    for write in run.writes:
        if write.result is not Result.APPLIED:
            continue
        for scope in write.scopes:
            yield Contested(run.organization, write.subject, scope.scope, scope.after)
        for one in write.attributes:
            yield ContestedAccount(run.organization, write.subject, one.attribute.value, one.after)
        if write.activity:
            yield ContestedAccount(run.organization, write.subject, "active", write.activity.after)


def deactivated(
    runs: Iterable[PastRun], organization: str, *, server: str | None = None
) -> Mapping[str, datetime]:
    """Whom this program deactivated, by principal id, and when the run began that did last; `runs` in order.

    Only what is known to have come about counts, and nobody whom a run reactivated since, or may have.
    Ids are those of one server: `server` leaves out runs on any other.
    """
    found: dict[str, datetime] = {}
    for run in runs:
        if run.organization != organization or server not in (None, run.begun.server):
            continue
        for write in run.writes:
            if write.principal_id is None:
                continue
            applied = write.result is Result.APPLIED
            if write.activity and not write.activity.after and applied:
                found[write.principal_id] = run.moment
            elif (write.activity and write.activity.after) or (write.kind is Kind.DELETE_USER and applied):
                found.pop(write.principal_id, None)
    return found


def told_leavers(
    runs: Sequence[PastRun], organization: str, *, server: str | None = None
) -> Mapping[str, datetime]:
    """Since when each leaver of the latest run was told of by every run, by principal id; `runs` in order.

    Runs that took another back asked no directory, and are passed over.
    """
    latest: dict[str, datetime] = {}
    told: set[str] | None = None
    for run in reversed(runs):
        if run.organization != organization or run.begun.undoes or server not in (None, run.begun.server):
            continue
        here = {leaver.id for leaver in run.begun.leavers or ()}
        told = here if told is None else told & here
        if not told:
            break
        latest |= dict.fromkeys(told, run.moment)
    return latest


def sealed(content: Record) -> tuple[str, str]:
    """What a record says but its own hash, written so with the hash, and the hash: SHA-256, hexadecimal."""
    before = canonical({name: value for name, value in content.items() if name < "hash"})
    after = canonical({name: value for name, value in content.items() if name > "hash"})
    found = hashlib.sha256(_joined(before, after).encode()).hexdigest()
    return _joined(before, canonical({"hash": found}), after), found


def _joined(*objects: str) -> str:
    """One JSON object of several, of which none is written twice."""
    return "{" + ",".join(one[1:-1] for one in objects if one != "{}") + "}"


def run_id(started: Record) -> str:
    """What a run is called, by its first record."""
    return str(started["hash"])[:ID_LENGTH]


def runs(lines: Iterable[Line]) -> tuple[PastRun, ...]:
    """All runs, oldest first, with what each wrote. Raises LedgerError for a record that makes no sense."""
    found: dict[str, _Telling] = {}
    for line in lines:
        try:
            _take(line, found)
        except (KeyError, TypeError, ValueError, RecursionError) as error:
            raise LedgerError(
                f"line {line.number} of the ledger is no record that this version understands",
                "was it written by another version? `reconciler history --verify` finds edits, not forgeries",
            ) from error
    return tuple(telling.run() for telling in found.values())


@dataclass(slots=True)
class _Telling:
    """A run as its records tell it, one by one."""

    id: str
    begun: Begun
    writes: dict[int, Write] = field(default_factory=dict)
    skipped: list[Skip] = field(default_factory=list)
    ended: Ended | None = None

    def take(self, line: Line) -> None:
        """One more record. Raises ValueError or KeyError for one that can't be."""
        record = line.record
        if self.ended is not None:
            raise ValueError("the run was over")
        match record["event"]:
            case "write":
                self._write(line)
            case "outcome":
                self._settle(record)
            case "end":
                self.ended = Ended(record["at"])
            case "refused":
                self.ended = Ended(record["at"], _part(record, "reason", str))
            case unknown:
                raise ValueError(f"no event is called {unknown}")

    def _write(self, line: Line) -> None:
        number = _part(line.record, "number", int)
        if number in self.writes:
            raise ValueError("it was written before")
        self.writes[number] = _written(line.number, _part(line.record, "change", dict))

    def _settle(self, record: Record) -> None:
        number, detail = _part(record, "number", int), _part(record, "detail", str)
        result = Result(_part(record, "result", str))
        write = self.writes.get(number)
        if result is Result.SKIPPED:  # perhaps after it was announced: an interrupt can come in between
            self.writes.pop(number, None)
            subject = write.subject if write else _subject(_part(record, "change", dict))
            self.skipped.append(Skip(subject, detail))
        elif write is None or write.result is not None:
            raise ValueError("it was not written, or its end is known")
        else:
            self.writes[number] = replace(write, result=result, detail=detail)

    def run(self) -> PastRun:
        return PastRun(self.id, self.begun, tuple(self.writes.values()), tuple(self.skipped), self.ended)


def _take(line: Line, found: dict[str, _Telling]) -> None:
    record = line.record
    match record["event"]:
        case "run":
            id_ = run_id(record)
            if id_ in found:
                raise ValueError("two runs have one name")
            found[id_] = _Telling(id_, _begun(record))
        case "mended":
            pass
        case _:
            found[_part(record, "run", str)].take(line)


def _begun(record: Record) -> Begun:
    if record["format"] != FORMAT:
        raise ValueError("this is another format")
    words = ("at", "organization", "server", "mode", "tree", "fingerprint")
    _moment(_part(record, "at", str))
    return Begun(
        **{name: _part(record, name, str) for name in words},
        **{name: _part(record, name, str, NoneType) for name in ("who", "commit", "pipeline")},
        changes=_part(record, "changes", int),
        undoes=_part({"undoes": None, **record}, "undoes", str, NoneType),
        approved=_texts(record, "approved"),
        leavers=_leavers(_part({"leavers": None, **record}, "leavers", list, NoneType)),
        problems=_part({"problems": None, **record}, "problems", int, NoneType),
    )


def _moment(at: str) -> datetime:
    """Raises ValueError where a text is no moment, or nobody knows of which zone."""
    moment = datetime.fromisoformat(at)
    if moment.tzinfo is None:
        raise ValueError(f"{at} has no zone")
    return moment


def _leavers(told: list[Record] | None) -> tuple[Leaver, ...] | None:
    if told is None:
        return None
    return tuple(Leaver(_part(one, "id", str), _part(one, "user", str)) for one in told)


def _written(line: int, change: Record) -> Write:
    kind = Kind(_part(change, "kind", str))
    if kind is Kind.CREATE_GROUP:
        return Write(line, _subject(change), None, True, (), kind=kind)
    scopes: tuple[ScopeWrite, ...] = ()
    attributes: tuple[AttributeChange, ...] = ()
    activity = None
    active = change.get("active") is not False
    match kind:
        case Kind.SET_ROLES:
            scopes = tuple(map(_scope, _part(change, "scopes", list)))
        case Kind.SET_ATTRIBUTES:
            attributes = tuple(map(_attribute, _part(change, "attributes", list)))
        case Kind.SET_ACTIVE:
            activity = ActiveWrite(_part(change, "before", bool, NoneType), _part(change, "after", bool))
            active = activity.before is not False
        case Kind.CREATE_USER:
            pass
        case Kind.DELETE_USER:
            active = False
        case _ as never:
            assert_never(never)
    return Write(
        line,
        _subject(change),
        _part(change, "id", str),
        active,
        scopes,
        kind=kind,
        attributes=attributes,
        activity=activity,
    )


def _attribute(entry: Record) -> AttributeChange:
    attribute = Attribute(_part(entry, "attribute", str))
    return AttributeChange(attribute, _part(entry, "before", str, NoneType), _part(entry, "after", str))


def _subject(change: Record) -> str:
    return str(_part(change, "user" if "user" in change else "group", str))


def _scope(entry: Record) -> ScopeWrite:
    stored = _texts(entry, "stored")
    for text in stored:
        json.loads(text)
    scope = Scope(_part(_part(entry, "scope", dict), "project", str, NoneType))
    return ScopeWrite(scope, _roles(entry, "before"), _roles(entry, "after"), stored)


def _roles(entry: Record, name: str) -> Roles:
    return frozenset(_ROLES[word] for word in _part(entry, name, list))


def _texts(record: Record, name: str) -> tuple[str, ...]:
    """A list of texts; none where it is not there."""
    texts = _part({name: [], **record}, name, list)
    if not all(isinstance(text, str) for text in texts):
        raise TypeError(f"{name} is no list of texts")
    return tuple(texts)


def _part(record: Record, name: str, *kinds: type) -> Any:
    """A part of a record that must be there and of one of these types. Raises KeyError, TypeError."""
    value = record[name]
    if type(value) not in kinds:
        raise TypeError(f"{name} is a {type(value).__name__}")
    return value
