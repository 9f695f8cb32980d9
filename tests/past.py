"""Past runs as a ledger would tell them, for tests that care about one thing at a time."""

from datetime import datetime

from build import SERVER, principal, some

from reconciler.change import Kind, Result
from reconciler.history import ActiveWrite, Begun, Ended, PastRun, ScopeWrite, Skip, Write
from reconciler.model import ORGANIZATION, Scope


def run(
    moment: datetime,
    *writes: Write,
    id: str = "",
    changes: int | None = None,
    problems: int | None = 0,
    mode: str = "enforce",
    tree: str = "",
    commit: str | None = "c0ffee",
    server: str = SERVER,
    organization: str = "acme",
    undoes: str | None = None,
    refused: str | None = None,
    ended: bool = True,
    skipped: tuple[Skip, ...] = (),
) -> PastRun:
    """A run over acme that was carried out whole, unless something else is said."""
    begun = Begun(
        moment.isoformat(),
        organization,
        server,
        mode,
        tree,
        "f" * 32,
        len(writes) if changes is None else changes,
        "ann",
        commit,
        None,
        undoes,
        (),
        problems=problems,
    )
    end = Ended(moment.isoformat(), refused) if ended else None
    return PastRun(id or f"{moment:%m%d%H%M}", begun, writes, skipped, end)


def wrote(
    name: str,
    before: str,
    after: str,
    scope: Scope = ORGANIZATION,
    *,
    result: Result | None = Result.APPLIED,
) -> Write:
    """A write of one scope of one person."""
    who = principal(name)
    scopes = (ScopeWrite(scope, some(before), some(after)),)
    return Write(1, who.user_name, who.id, True, scopes, result)


def set_active(name: str, after: bool, *, result: Result | None = Result.APPLIED) -> Write:
    """A write of an account's `active`."""
    who = principal(name)
    activity = ActiveWrite(not after, after)
    return Write(1, who.user_name, who.id, True, (), result, kind=Kind.SET_ACTIVE, activity=activity)
