"""The append-only record of every run and every write: JSON Lines, each with the hash of the one before.

A record is on the disk before what it announces is sent, so a run that is killed at any moment leaves a
ledger that says how far it came. Beside it, `<ledger>.head` holds the hash of the last run's last record:
without it, nobody could tell that records were cut off at the end.
"""

import errno
import fcntl
import json
import mmap
import os
import re
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from reconciler import private
from reconciler.change import Change, Outcome, Result, ScopeChange, SetRoles, data, scope_change_data
from reconciler.errors import LedgerError, SettingsError
from reconciler.history import FORMAT, START, Line, PastRun, Record, run_id, runs, sealed
from reconciler.model import Entries, LiveState
from reconciler.origin import Origin
from reconciler.plan import Plan

HASH = re.compile(r"[0-9a-f]{64}")

_ELSEWHERE = "name a file in a folder of yours with --ledger"
_EVIDENCE = "`reconciler history --verify` shows all that is wrong; keep the file as evidence"
_KEYS = ("at", "event", "hash", "previous")
_OPENING = b'{"a'
"""What every record begins with: its keys are sorted, and the first is `applied`, `approved` or `at`."""

_TORN = "it is not whole: a run was killed while it wrote it, or somebody cut it"
_LONGEST_HEAD = 1000
_REASONS = {errno.ELOOP: "links are not followed", errno.EEXIST: "its folder is no folder"}
_TOLD_OF_TORN = 1000
"""So many bytes of a record that is not whole are kept."""


class Ledger:
    """A ledger open for appending, which nobody else appends to meanwhile. Close it, or use it as a context.

    Raises SettingsError where it can't be opened, LedgerError where its end is not as it was written.
    """

    def __init__(self, path: Path, now: Callable[[], datetime]) -> None:
        self.path = path
        self._now = now
        self._file = _opened(path)
        try:
            end = _end(self._file, path)
            self._size, self._head = end.size, end.head
            self._whole = not end.torn
            """Whether nothing follows the last record, which something does where writing one ended early."""
            if end.torn:
                torn = end.torn[:_TOLD_OF_TORN].decode("utf-8", errors="replace")
                self.append("mended", {"torn": torn, "bytes": len(end.torn)})
        except BaseException:
            self.close()
            raise

    def append(self, event: str, content: Record, *, lasting: bool = True) -> Record:
        """Write a record, and wait until it is on the disk if it is to be `lasting`. Raises LedgerError.

        Whatever ends this early leaves the ledger as it was, at the latest once the next record is appended.
        """
        return self.extend(event, [content], lasting=lasting)[0]

    def extend(self, event: str, contents: Sequence[Record], *, lasting: bool = True) -> list[Record]:
        """Write several records of one kind, all or none, and wait for the disk once. Raises LedgerError."""
        moment = self._now().astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        records: list[Record] = []
        told: list[str] = []
        head = self._head
        for content in contents:
            record = {**content, "event": event, "at": moment, "previous": head}
            line, head = sealed(record)
            records.append({**record, "hash": head})
            told.append(f"{line}\n")
        lines = "".join(told).encode()
        try:
            if not self._whole:
                os.ftruncate(self._file, self._size)
            self._whole = False
            _write_all(self._file, lines)
            if lasting:
                os.fsync(self._file)
        except OSError as error:
            with suppress(OSError):
                os.ftruncate(self._file, self._size)
            raise _unwritable(self.path, error) from error
        self._size, self._head, self._whole = self._size + len(lines), head, True
        return records

    def begin(self, plan: Plan, live: LiveState, origin: Origin, more: Record) -> "RunAccount":
        """A new run over one organization; `more` is what else is known of it."""
        return RunAccount(self, plan, live, origin, more)

    def seal(self) -> None:
        """Note beside the ledger how far it goes, so that it can't be cut short unseen."""
        try:
            private.write(_head_file(self.path), f"{self._head}\n")
        except OSError as error:
            raise _unwritable(_head_file(self.path), error) from error

    def close(self) -> None:
        os.close(self._file)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class RunAccount:
    """What one run records of itself as it goes (`apply.Account`)."""

    def __init__(self, ledger: Ledger, plan: Plan, live: LiveState, origin: Origin, more: Record) -> None:
        self._ledger = ledger
        self._live = live
        self._numbers = {id(change): number for number, change in enumerate(plan.changes, start=1)}
        self._begun: set[int] = set()
        self._results: list[Result] = []
        self._lost: LedgerError | None = None
        self.id = run_id(ledger.append("run", {**_started(plan, origin), **more}))

    def writing(self, changes: Sequence[Change]) -> None:
        """Record changes before they are sent."""
        numbers = [self._numbers[id(change)] for change in changes]
        told = zip(numbers, map(self._told, changes), strict=True)
        self._ledger.extend(
            "write", [{"number": number, "change": change, "run": self.id} for number, change in told]
        )
        self._begun.update(numbers)

    def settled(self, outcomes: Sequence[Outcome]) -> None:
        """Record what became of changes. It lasts at the latest from the next record that does."""
        try:
            self._ledger.extend("outcome", [*map(self._came, outcomes)], lasting=False)
        except LedgerError as error:
            self._lost = error
            raise
        self._results += [outcome.result for outcome in outcomes]

    def end(self) -> None:
        """Record that the run is over, and how many changes ended how.

        Raises LedgerError also where an outcome could not be recorded: the account is not whole then.
        """
        if self._lost is not None:
            raise self._lost
        self._append("end", {str(result): self._results.count(result) for result in Result})
        self._ledger.seal()

    def refused(self, reason: str, exit_code: int) -> None:
        """Record that the run wrote nothing because it was refused."""
        self._append("refused", {"reason": reason, "exit_code": exit_code})
        self._ledger.seal()

    def _append(self, event: str, content: Record, *, lasting: bool = True) -> None:
        self._ledger.append(event, {**content, "run": self.id}, lasting=lasting)

    def _came(self, outcome: Outcome) -> Record:
        number = self._numbers[id(outcome.change)]
        content = {"number": number, "result": outcome.result, "detail": outcome.detail, "run": self.id}
        return content if number in self._begun else {**content, "change": data(outcome.change)}

    def _told(self, change: Change) -> Record:
        """A change as data, and what `undo` needs beside: who was inactive, how roles were stored."""
        told = data(change)
        if not isinstance(change, SetRoles):
            return told
        stored = self._live.entries.get(change.principal.id, {})
        inactive = {} if change.principal.entitled else {"active": False}
        return {**told, **inactive, "scopes": [_scope(scope, stored) for scope in change.scopes]}


def _scope(change: ScopeChange, stored: Entries) -> Record:
    beside = {"stored": list(stored[change.scope])} if change.scope in stored else {}
    return {**scope_change_data(change), **beside}


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a ledger, at a line of it."""

    line: int
    words: str


def past(path: Path) -> tuple[PastRun, ...]:
    """All runs of a ledger, oldest first.

    Raises SettingsError where there is none, LedgerError where a record is not as it was written, or not
    where it was. A last line that a killed run did not finish is passed over: what it announced was never
    sent.
    """
    return runs(_sound(path))


@dataclass(frozen=True, slots=True)
class Sound:
    """A ledger that is as it was written: its runs, oldest first, and the hashes of its records."""

    runs: tuple[PastRun, ...]
    hashes: tuple[str, ...]

    @property
    def head(self) -> str:
        """The hash of the last record."""
        return self.hashes[-1] if self.hashes else START


def sound(path: Path) -> Sound:
    """All that a ledger tells. Raises what `past` does, and LedgerError where its end was cut off."""
    sealed = _sealed(path)  # before the records, for a run may end meanwhile
    lines = tuple(_sound(path))
    hashes = tuple(line.record["hash"] for line in lines)
    if sealed is not None and sealed not in hashes:
        raise LedgerError(
            f"the ledger {path} can't be trusted: it does not hold the record that {_head_file(path)} names",
            _EVIDENCE,
        )
    return Sound(runs(lines), hashes)


def verify(path: Path, head: str | None = None) -> Iterator[Fault]:
    """Everything that shows a ledger to be edited, cut, or put in another order; nothing: it is as written.

    `head` is the hash of a record that must be there, beside the one that `<ledger>.head` names. Raises
    SettingsError where either file can't be read.
    """
    sealed, beside = _sealed(path), _head_file(path)
    wanted = {one: words for one, words in ((sealed, str(beside)), (head, "--head")) if one}
    number = 0
    for found in _read(path):
        if isinstance(found, Fault):
            number = found.line
            yield found
        else:
            number = found.number
            wanted.pop(found.record["hash"], None)
    if sealed == "":
        yield Fault(number, f"{beside} holds no hash of a record, so nobody knows how far the ledger went")
    for missing, words in wanted.items():
        yield Fault(number, f"the record {missing[:12]}…, which {words} names, is not there any more")


def holds(path: Path, head: str) -> bool:
    """Whether a record of this hash is in a ledger. Raises SettingsError where it can't be read."""
    return any(isinstance(found, Line) and found.record["hash"] == head for found in _read(path))


def _sound(path: Path) -> Iterator[Line]:
    """The records of a ledger as far as each is what was written, where it was written."""
    for found in _read(path):
        if isinstance(found, Line):
            yield found
        elif found.words != _TORN:
            raise LedgerError(
                f"line {found.line} of the ledger {path} can't be trusted: {found.words}", _EVIDENCE
            )


def _read(path: Path) -> Iterator[Line | Fault]:
    """What is in a ledger, line by line. A record that does not follow the one before it is both."""
    previous = START
    for number, line in enumerate(_lines(path), start=1):
        record = _record(line)
        if isinstance(record, str):
            yield Fault(number, record)
            previous = ""
            continue
        if previous and record["previous"] != previous:
            yield Fault(number, "the record before it is not the one that it was written after")
        previous = record["hash"]
        yield Line(number, record)


def _lines(path: Path) -> Iterator[bytes]:
    try:
        with private.opened(path) as file:
            yield from file
    except (OSError, ValueError) as error:
        hint = "name it with --ledger; `apply` writes one in the folder that it is run in"
        raise SettingsError(f"the ledger {path} can't be read: {_reason(error)}", hint) from error


def _record(line: bytes) -> Record | str:
    """The record in a line, or in words why it is none that was written so."""
    if not line.endswith(b"\n"):
        return _TORN
    try:
        text = line.decode()[:-1]
        record = json.loads(text)
        if not isinstance(record, dict) or not all(isinstance(record.get(key), str) for key in _KEYS):
            return "it is no record of a ledger"
        content = {name: value for name, value in record.items() if name != "hash"}
        if sealed(content) != (text, record["hash"]):
            return "it was edited: its hash is that of something else"
    except (ValueError, RecursionError):
        return "it is no JSON"
    return record


@dataclass(frozen=True, slots=True)
class _End:
    """Where the whole records of a ledger end, the hash of the last one, and what is left of a torn one."""

    size: int
    head: str
    torn: bytes


def _end(file: int, path: Path) -> _End:
    """The end of a ledger. Raises LedgerError where it is none that can be continued."""
    content = _content(file)
    size = content.rfind(b"\n") + 1
    last = content[content.rfind(b"\n", 0, max(size - 1, 0)) + 1 : size]
    end = _End(size, _last_hash(last, path), content[size:])
    if not end.torn[: len(_OPENING)] == _OPENING[: len(end.torn)]:
        raise _broken_off(path, "what stands at its end is no part of a record")
    sealed = _sealed(path)
    if sealed is not None and content.find(f'"hash":"{sealed}"'.encode()) < 0:
        raise _broken_off(path, f"it does not hold the record that {_head_file(path)} names")
    return end


def _content(file: int) -> mmap.mmap | bytes:
    size = os.fstat(file).st_size
    return mmap.mmap(file, size, access=mmap.ACCESS_READ) if size else b""


def _last_hash(line: bytes, path: Path) -> str:
    record = _record(line) if line else {"hash": START}
    if isinstance(record, str):
        raise _broken_off(path, "its last record is not as it was written")
    return str(record["hash"])


def _opened(path: Path) -> int:
    """A descriptor for appending, locked. Links are not followed: a checkout may hold any."""
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = os.open(path, flags, 0o600)
    except (OSError, ValueError) as error:
        raise SettingsError(f"the ledger {path} can't be opened: {_reason(error)}", _ELSEWHERE) from error
    try:
        _claim(file, path)
    except BaseException:
        os.close(file)
        raise
    return file


def _claim(file: int, path: Path) -> None:
    """Keep others from appending, until the descriptor is closed."""
    known = os.fstat(file)
    if not stat.S_ISREG(known.st_mode):
        raise SettingsError(f"the ledger {path} can't be opened: {private.NO_FILE}", _ELSEWHERE)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        what = f"another run is writing the ledger {path}"
        raise SettingsError(what, "wait until it is over, or use --ledger") from error
    except OSError as error:
        raise SettingsError(f"the ledger {path} can't be locked: {_reason(error)}", _ELSEWHERE) from error
    if not known.st_size:
        private.keep(path)


def _write_all(file: int, content: bytes) -> None:
    while content:
        content = content[os.write(file, content) :]


def _head_file(path: Path) -> Path:
    return path.with_name(f"{path.name}.head")


def _sealed(path: Path) -> str | None:
    """The hash that was noted beside a ledger; None where none was, empty where it is none."""
    try:
        with private.opened(_head_file(path)) as file:
            noted = file.read(_LONGEST_HEAD).decode("ascii", errors="replace")
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise SettingsError(f"{_head_file(path)} can't be read: {_reason(error)}") from error
    return noted[:-1] if noted.endswith("\n") and HASH.fullmatch(noted[:-1]) else ""


def _started(plan: Plan, origin: Origin) -> Record:
    return {
        "format": FORMAT,
        "organization": plan.organization,
        "server": plan.server,
        "mode": plan.mode,
        "tree": plan.tree,
        "fingerprint": plan.fingerprint,
        "changes": len(plan.changes),
        "problems": len(plan.problems),
        "who": origin.who,
        "commit": origin.commit,
        "pipeline": origin.pipeline,
    }


def _broken_off(path: Path, reason: str) -> LedgerError:
    return LedgerError(
        f"the ledger {path} can't be continued: {reason}",
        "keep it as evidence, and name another with --ledger",
    )


def _unwritable(path: Path, error: OSError) -> LedgerError:
    return LedgerError(f"{path} can't be written: {_reason(error)}", "nothing is sent that is not recorded")


def _reason(error: OSError | ValueError) -> str:
    if not isinstance(error, OSError):
        return "no path can look like that"
    return _REASONS.get(error.errno or 0) or (error.strerror or "unknown reason").lower()
