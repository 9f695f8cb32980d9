"""Runs over a provider in memory, recorded in a real ledger; and records as somebody could forge them."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any

import build
from build import NOW, holds, live, organization
from fakes import FakeProvider, Fault

from reconciler import apply, drift, plan
from reconciler.exact import canonical
from reconciler.history import FORMAT, START, Line, PastRun, sealed
from reconciler.ledger import Ledger
from reconciler.ledgers import DEFAULT, Told
from reconciler.model import Holdings, LiveState
from reconciler.origin import Origin
from reconciler.plan import Plan
from reconciler.policy.document import StoredAs

ORIGIN = Origin("ann", "c0ffee", "https://ci.example/7")
BEFORE = {"ann": holds("admin"), "bob": holds("viewer"), "cat": holds()}
WANTED = {"ann": holds("admin"), "bob": holds(), "cat": holds("viewer", web="admin")}
"""Two changes: Cat gains, then Bob loses."""

Json = dict[str, Any]


def clock(start: datetime = NOW) -> Callable[[], datetime]:
    """A clock that goes on by a second whenever somebody looks."""
    seconds = iter(range(1_000_000))
    return lambda: start + timedelta(seconds=next(seconds))


def planned(
    state: LiveState, wanted: Mapping[str, Holdings], stored_as: StoredAs = StoredAs.USER_ROLES
) -> Plan:
    of = organization(stored_as=stored_as)
    return plan.build(drift.detect(build.desired(wanted), state), of, build.SERVER, state.role_groups)


def carry_out(
    ledger: Ledger,
    before: Mapping[str, Holdings] = MappingProxyType(BEFORE),
    wanted: Mapping[str, Holdings] = MappingProxyType(WANTED),
    faults: Mapping[int, Fault] = MappingProxyType({}),
    more: Mapping[str, Any] = MappingProxyType({}),
    provider: FakeProvider | None = None,
) -> FakeProvider:
    """A run from its first record to its last, and the server that it wrote to."""
    server = provider or FakeProvider.holding(organization(), live(before))
    server.faults = faults
    state = server.read()
    todo = planned(state, wanted)
    account = ledger.begin(todo, state, ORIGIN, more)
    apply.carry_out(todo, server, state, 0, account, lambda _: None)
    account.end()
    return server


def recorded(path: Path, **how: Any) -> list[bytes]:
    """The lines of a ledger with one run in it."""
    with Ledger(path, clock()) as ledger:
        carry_out(ledger, **how)
    return lines(path)


def lines(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines(keepends=True)


def chained(records: Sequence[Mapping[str, Any]]) -> list[Json]:
    """The same records with right hashes, each with that of the one before it."""
    previous, made = START, []
    for number, record in enumerate(records):
        whole = {"at": f"2026-11-23T12:00:{number % 60:02}.000Z", **record, "previous": previous}
        _, whole["hash"] = sealed(whole)
        previous = whole["hash"]
        made.append(whole)
    return made


def numbered(records: Sequence[Mapping[str, Any]]) -> list[Line]:
    return [Line(number, record) for number, record in enumerate(chained(records), start=1)]


def forged(path: Path, records: Sequence[Mapping[str, Any]]) -> Path:
    """A ledger of these records, each hash of which is right."""
    path.write_text("".join(f"{canonical(record)}\n" for record in chained(records)), encoding="utf-8")
    return path


def kept(*runs: PastRun) -> list[Told]:
    """Runs as the one ledger of the current folder tells them."""
    return [Told(run, (DEFAULT,)) for run in runs]


def run_record(**changes: Any) -> Json:
    return {
        "event": "run",
        "format": FORMAT,
        "organization": "acme",
        "server": build.SERVER,
        "mode": "enforce",
        "tree": "7" * 32,
        "fingerprint": "f" * 32,
        "changes": 2,
        "who": "ann",
        "commit": None,
        "pipeline": None,
        **changes,
    }


def set_roles(name: str = "bob", before: str = "viewer", after: str = "", project: str | None = None) -> Json:
    scope = {"scope": {"project": project}, "before": before.split(), "after": after.split()}
    return {"kind": "set-roles", "id": f"u-{name}", "user": f"{name}@acme.example", "scopes": [scope]}


def story(*events: Mapping[str, Any], **begun: Any) -> list[Json]:
    """A run's first record and these, which are told to be of that run."""
    first = run_record(**begun)
    id_ = chained([first])[0]["hash"][:12]
    return [first, *({"run": id_, **event} for event in events)]


def write(number: Any = 1, change: Any = None) -> Json:
    return {"event": "write", "number": number, "change": change or set_roles()}


def outcome(number: int = 1, result: Any = "applied", detail: Any = "", **more: Any) -> Json:
    return {"event": "outcome", "number": number, "result": result, "detail": detail, **more}


END: Json = {"event": "end", "applied": 1, "failed": 0, "skipped": 0}
