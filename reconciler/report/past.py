"""The runs of a ledger as text for people and as plain data for programs. Prints nothing."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import assert_never

from reconciler.change import Kind, attribute_data, scope_data, words
from reconciler.history import CONTESTED, Contested, ContestedAccount, PastRun, Write, contested
from reconciler.ledgers import Told, Verified
from reconciler.model import Roles
from reconciler.policy.files import shown

Document = dict[str, object]

HEADINGS = ("run", "began", "organization", "by", "result")


def table(told: Sequence[Told], *, several: bool = False) -> list[str]:
    """One line for each run, the latest last; with its ledger where `several` were read."""
    if not told:
        return ["the ledgers hold no run" if several else "the ledger holds no run"]
    runs = [one.run for one in told]
    rows = [HEADINGS, *(_row(run) for run in runs)]
    if several:
        places = ["ledger", *(shown(one.ledgers[0]) for one in told)]
        rows = [(*row[:-1], place, row[-1]) for row, place in zip(rows, places, strict=True)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    return [*lines, *map(_dispute, contested(runs))]


def _dispute(found: Contested | ContestedAccount) -> str:
    match found:
        case Contested():
            what = f"{found.scope} -> {_roles(found.after)}"
        case ContestedAccount():
            what = f"{found.attribute} -> {_value(found.after)}"
        case _ as never:
            assert_never(never)
    return (
        f"contested: {found.subject}, {what} was written by each of the last "
        f"{CONTESTED} runs over {found.organization}; somebody else changes it back"
    )


def one(told: Told, *, several: bool = False) -> list[str]:
    """All about one run; with every ledger that has it where `several` were read."""
    run = told.run
    begun = run.begun
    lines = [
        f"run {run.id} of {begun.organization} on {begun.server}, mode {begun.mode}",
        f"  began {begun.at} by {begun.who or 'nobody known'}",
        f"  policy {begun.tree}, commit {begun.commit or 'unknown'}",
        f"  plan {begun.fingerprint}, {begun.changes} to write",
    ]
    if begun.pipeline:
        lines.append(f"  pipeline {begun.pipeline}")
    if several:
        lines.append(f"  ledger {', '.join(map(shown, told.ledgers))}")
    if begun.undoes:
        lines.append(f"  undoes run {begun.undoes}")
    if begun.approved:
        lines.append(f"  approved in spite of {', '.join(begun.approved)}")
    lines.append(f"  {result(run)}")
    for write in run.writes:
        lines += ["", *_write(write)]
    for skip in run.skipped:
        lines += ["", f"skipped {skip.subject}: {skip.detail}"]
    return lines


def data(told: Sequence[Told]) -> Document:
    """Format `reconciler.history/1`: the runs, oldest first, each with the ledgers that it is in."""
    return {
        "format": "reconciler.history/1",
        "runs": [{**_run(one.run), "ledgers": [shown(path) for path in one.ledgers]} for one in told],
        "contested": [_contested(found) for found in contested([one.run for one in told])],
    }


def _contested(found: Contested | ContestedAccount) -> Document:
    about: Document = {"organization": found.organization, "subject": found.subject}
    match found:
        case Contested():
            return {**about, "scope": scope_data(found.scope), "after": words(found.after)}
        case ContestedAccount():
            return {**about, "attribute": found.attribute, "after": found.after}
        case _ as never:
            assert_never(never)


def verified(found: Sequence[Verified]) -> Document:
    """Format `reconciler.verify/1`: which ledgers were checked, and what is wrong with which line."""
    return {
        "format": "reconciler.verify/1",
        "sound": not any(one.faults for one in found),
        "ledgers": [shown(one.path) for one in found],
        "faults": [
            {"ledger": shown(one.path), "line": fault.line, "message": fault.words}
            for one in found
            for fault in one.faults
        ],
    }


def _row(run: PastRun) -> tuple[str, ...]:
    return (run.id, f"{run.begun.at[:19]}Z", run.organization, run.begun.who or "?", result(run))


def result(run: PastRun) -> str:
    """What came of a run, in a few words."""
    if run.ended is not None and run.ended.refused is not None:
        return f"refused: {run.ended.refused}"
    counts = ", ".join(f"{number} {word}" for word, number in run.results().items() if number)
    undoing = f", undoes {run.begun.undoes}" if run.begun.undoes else ""
    if run.ended is None:
        return f"did not end ({counts or 'nothing written'}){undoing}"
    return f"{counts or 'nothing to write'}{undoing}"


def _write(write: Write) -> Iterator[str]:
    detail = f": {write.detail}" if write.detail else ""
    yield f"{write.result or 'unknown'} {write.subject}{detail}"
    for scope in write.scopes:
        yield f"  {scope.scope}: {_roles(scope.before)} -> {_roles(scope.after)}"
    for one in write.attributes:
        yield f"  {one.attribute}: {_value(one.before)} -> {_value(one.after)}"
    if write.activity:
        yield f"  active: {_value(write.activity.before)} -> {_value(write.activity.after)}"
    if write.kind in _ACCOUNTS:
        yield f"  {_ACCOUNTS[write.kind]}"


_ACCOUNTS = {
    Kind.CREATE_USER: "account: none -> created",
    Kind.DELETE_USER: "account: deactivated -> deleted",
}


def _value(value: str | bool | None) -> str:
    """An attribute's value, as SCIM has it."""
    match value:
        case None:
            return "none"
        case bool():
            return str(value).lower()
        case str():
            return value
        case _ as never:
            assert_never(never)


def _roles(roles: Roles) -> str:
    return " + ".join(words(roles)) or "none"


def _run(run: PastRun) -> Document:
    return {
        "run": run.id,
        **asdict(run.begun),
        "ended": run.ended.at if run.ended else None,
        "refused": run.ended.refused if run.ended else None,
        "results": run.results(),
        "writes": [_written(write) for write in run.writes],
        "skipped": [asdict(skip) for skip in run.skipped],
    }


def _written(write: Write) -> Document:
    return {
        "kind": write.kind.value,
        "subject": write.subject,
        "id": write.principal_id,
        "result": write.result,
        "detail": write.detail,
        "scopes": [
            {
                "scope": scope_data(scope.scope),
                "before": words(scope.before),
                "after": words(scope.after),
            }
            for scope in write.scopes
        ],
        "attributes": [attribute_data(one) for one in write.attributes],
        "active": asdict(write.activity) if write.activity else None,
    }
