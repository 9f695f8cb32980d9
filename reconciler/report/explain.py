"""What people have and should have, and why: as text and as plain data. Returns lines, prints nothing."""

from collections.abc import Iterator, Sequence
from typing import assert_never

from reconciler.change import AccountChange, DeleteUser, SetActive, scope_data, words
from reconciler.change import data as change_data
from reconciler.errors import ReconcilerError
from reconciler.explanation import (
    Answer,
    Explanation,
    Question,
    Reason,
    ScopeExplanation,
    Standing,
    Verdict,
    Written,
)
from reconciler.git.commits import Commit, Untold, Writer, Writers
from reconciler.model import DIRECTORY, ORGANIZATION, Principal, Provenance, Role
from reconciler.phrases import day, minute
from reconciler.policy.document import Mode
from reconciler.problem import Location
from reconciler.report.data import Document, failure, finding, iso, written_record
from reconciler.report.people import account_rows, roles
from reconciler.report.plain import printable
from reconciler.report.problems import record
from reconciler.report.text import told

SHORT = 10
"""So many digits of a commit's hash are told to people."""

_STANDING = max(map(len, Standing))
_ROLE = max(len(str(role)) for role in Role)
_MARGIN = " " * (4 + _STANDING + 2 + _ROLE + 2)
"""What stands below a reason begins where the reason does."""


def text(answer: Answer, question: Question | None, writers: Writers) -> list[str]:
    """An answer in lines: about one person where nothing else was asked (`question` None)."""
    lines = [f"{answer.organization} on {answer.server}, mode {answer.mode}"]
    if question is not None:
        lines.append(f"who {_asked(question)}: {_people(len(answer.people))}")
    for explained in answer.people:
        lines += [
            "",
            explained.principal.user_name,
            *_about(explained, answer.mode, writers, question is None),
        ]
        for scope in explained.scopes:
            lines += _scope(scope, answer.mode, writers)
        lines += _rest(explained, question is None)
    if answer.problems:
        lines += ["", "not resolved, so nobody loses what it could have given:"]
        lines += [f"  {problem}" for problem in answer.problems]
    return [printable(line) for line in lines]


def data(
    answers: Sequence[Answer],
    question: Question | None,
    writers: Writers,
    failures: Sequence[tuple[str, ReconcilerError]],
) -> Document:
    """Format `reconciler.explain/1`: one entry for each organization that could answer, and what failed."""
    return {
        "format": "reconciler.explain/1",
        "asked": None if question is None else _question(question),
        "organizations": [
            {
                "organization": answer.organization,
                "server": answer.server,
                "mode": answer.mode,
                "people": [_person(one, writers) for one in answer.people],
                "problems": [record(problem) for problem in answer.problems],
            }
            for answer in answers
        ],
        "failures": [failure(organization, error) for organization, error in failures],
    }


def _people(number: int) -> str:
    return "1 person" if number == 1 else f"{number or 'no'} people"


def _asked(question: Question) -> str:
    who = "has a role" if question.role is None else f"is {question.role}"
    if question.scope is None:
        return f"{who} anywhere"
    return f"{who} in {'the organization' if question.scope == ORGANIZATION else question.scope}"


def _about(explained: Explanation, mode: Mode, writers: Writers, in_full: bool) -> Iterator[str]:
    principal, member = explained.principal, explained.member
    if in_full:
        yield f"  {', '.join(_keys(principal))}"
    if not principal.entitled:
        yield "  not active on the server, and so entitled to nothing"
    if member is not None:
        since = f" since {minute(member.since)}" if member.since else ""
        status = member.status or ("active" if member.active else "not active")
        nothing = ", and so entitled to nothing" if member.active is False else ""
        yield f"  {status} in the directory{since}{nothing}"
    if explained.protected_at is not None:
        yield "  protected: no plan touches what they hold"
        yield f"    {_place(explained.protected_at, writers)}"
    if explained.classes:
        yield f"  class {', '.join(explained.classes)}"
    if explained.end is not None:
        over = "ended, and so they are entitled to nothing" if explained.over else "ends"
        yield f"  their time {over}: {minute(explained.end.moment)}"
        yield f"    {_place(explained.end.at, writers)}"
    for row, change in zip(account_rows(explained.account), explained.account, strict=True):
        yield f"  the account {row.due}: {row.why}{_left(change, mode)}"


def _left(change: AccountChange, mode: Mode) -> str:
    """That a mode leaves an account as it is, where it does."""
    if mode is Mode.REPORT:
        return ", but mode report never writes"
    is_loss = isinstance(change, DeleteUser) or (isinstance(change, SetActive) and not change.after)
    return ", but mode additive takes nothing away" if mode is Mode.ADDITIVE and is_loss else ""


def _keys(principal: Principal) -> Iterator[str]:
    is_there = not principal.provisional
    yield f"id {principal.id}" if is_there else "no account yet"
    if principal.external_id:
        yield f"externalId {principal.external_id}"
    if principal.display_name:
        yield principal.display_name
    if principal.email:
        yield f"e-mail {principal.email}"
    if principal.active and is_there:
        yield "active on the server"


def _rest(explained: Explanation, in_full: bool) -> Iterator[str]:
    if in_full and not explained.scopes:
        yield "  has nothing that the policy speaks for, and is given nothing by it"
    if explained.idle_groups:
        yield f"  groups that give them nothing here: {', '.join(explained.idle_groups)}"
    if explained.foreign:
        yield f"  not the policy's, and left alone: {', '.join(explained.foreign)}"
    yield from (f"  to look at: {told(one)}" for one in explained.findings)


def _scope(scope: ScopeExplanation, mode: Mode, writers: Writers) -> Iterator[str]:
    change = roles(scope.live)
    if scope.live != scope.desired:
        change += f" -> {roles(scope.desired)}"
    yield f"  {scope.scope}: {change}, {verdict(scope, mode)}"
    for reason in scope.reasons:
        yield from _reason(reason, writers)
    if told := nothing_applies(scope):
        yield f"    {told}"
    if remark := above(scope):
        yield f"    {remark}"
    for problem in scope.problems:
        yield f"    held by {problem}"
    if scope.written is not None:
        yield f"    {written(scope.written)}"


def verdict(scope: ScopeExplanation, mode: Mode) -> str:
    """What becomes of it, in a mode that may leave it as it is."""
    enough = scope.verdict is Verdict.TAKE and max(scope.live) == max(scope.desired, default=None)
    told = f"{scope.verdict}, as one role is enough" if enough else str(scope.verdict)
    match scope.verdict:
        case Verdict.ADD | Verdict.TAKE if mode is Mode.REPORT:
            return f"{told}, but mode report never writes"
        case Verdict.TAKE if mode is Mode.ADDITIVE:
            return f"{told}, but mode additive takes nothing away"
        case _:
            return told


def nothing_applies(scope: ScopeExplanation) -> str:
    """That no reason gives what they have, unless one would if they were not held or protected."""
    if scope.verdict is Verdict.PROTECTED or any(one.standing is Standing.APPLIES for one in scope.reasons):
        return ""
    if not scope.reasons:
        return "nothing in the policy gives it"
    return "" if scope.verdict is Verdict.HELD else "nothing in the policy gives it now"


def above(scope: ScopeExplanation) -> str:
    """That a role in the organization applies here, where it does."""
    if scope.above is None:
        return ""
    return f"outranked: {scope.above} in the organization is higher, and applies here, too"


def _reason(reason: Reason, writers: Writers) -> Iterator[str]:
    source = reason.source
    yield f"    {reason.standing:<{_STANDING}}  {source.role!s:<{_ROLE}}  {entry(source)}"
    yield from (f"{_MARGIN}{remark}" for remark in remarks(reason))
    yield f"{_MARGIN}{_place(source.at, writers)}"


def remarks(reason: Reason) -> Iterator[str]:
    """What else there is to say of a reason, a sentence each."""
    source = reason.source
    if reason.by is not None:
        yield f"below {reason.by.role} by {_name(reason.by)}"
    if source.asked is not None:
        yield f"{source.asked} was asked for: class {source.person_class} goes no higher"
    if source.withheld and source.person_class:
        yield f"not for class {source.person_class}, which it does not name"


def entry(source: Provenance) -> str:
    """An entry of the policy in words: what it is, from when until when, and for what reason."""
    return "".join((_name(source), _term(source), f", {source.reason}" if source.reason else ""))


def _name(source: Provenance) -> str:
    """The entry by what tells it from others; the person of a temporary grant is the one asked about."""
    match source.entry:
        case "binding":
            return f"group {source.name}"
        case "end":
            return f"their time as {source.person_class}" if source.person_class else "their time"
        case str(entry) if entry == DIRECTORY:
            return source.name
        case entry:
            return entry


def _term(source: Provenance) -> str:
    """From when until when."""
    since = f" from {minute(source.since)}" if source.since else ""
    if source.until is None:
        return since
    return f"{since} {'ended' if source.ended else 'until'} {minute(source.until)}"


def _place(at: Location, writers: Writers) -> str:
    return f"{at.file}:{at.line}, {_writer(_who(writers, at))}"


def _who(writers: Writers, at: Location) -> Writer:
    return writers.get((at.file, at.line), Untold("nobody asked git"))


def _writer(writer: Writer) -> str:
    match writer:
        case Untold():
            return writer.words
        case Commit():
            when = f" of {day(writer.at)}" if writer.at else ""
            earlier = ", or one before it: this clone ends there" if writer.or_earlier else ""
            return f"commit {writer.id[:SHORT]}{when} by {writer.author}: {writer.subject}{earlier}"
        case _ as never:
            assert_never(never)


def written(written: Written) -> str:
    """By which run it is so, or was."""
    begun = written.run.begun
    by = f"run {written.run.id} of {begun.who or 'nobody known'}, commit {begun.commit or 'unknown'}"
    if written.stands:
        return f"so on the server since {begun.at[:19]}Z, by {by}"
    return f"{by}, left {roles(written.after)} here at {begun.at[:19]}Z; somebody else changed it since"


def _question(question: Question) -> Document:
    return {
        "role": None if question.role is None else str(question.role),
        "scope": None if question.scope is None else scope_data(question.scope),
    }


def _person(explained: Explanation, writers: Writers) -> Document:
    principal, member, protected_at = explained.principal, explained.member, explained.protected_at
    return {
        "id": None if principal.provisional else principal.id,
        "user": principal.user_name,
        "external_id": principal.external_id,
        "email": principal.email,
        "active": principal.active,
        "directory": member
        and {"active": member.active, "status": member.status, "since": iso(member.since)},
        "protected": protected_at and _place_data(protected_at, writers),
        "classes": list(explained.classes),
        "end": explained.end
        and {
            "moment": iso(explained.end.moment),
            "over": explained.over,
            **_place_data(explained.end.at, writers),
        },
        "scopes": [_scope_data(scope, writers) for scope in explained.scopes],
        "idle_groups": list(explained.idle_groups),
        "foreign": list(explained.foreign),
        "account": [change_data(change) for change in explained.account],
        "findings": [finding(one) for one in explained.findings],
    }


def _place_data(at: Location, writers: Writers) -> Document:
    return {"file": at.file, "line": at.line, "origin": _writer_data(_who(writers, at))}


def _scope_data(scope: ScopeExplanation, writers: Writers) -> Document:
    return {
        "scope": scope_data(scope.scope),
        "live": words(scope.live),
        "desired": words(scope.desired),
        "verdict": scope.verdict,
        "above": None if scope.above is None else str(scope.above),
        "reasons": [_reason_data(reason, writers) for reason in scope.reasons],
        "problems": [record(problem) for problem in scope.problems],
        "last_run": scope.written and written_record(scope.written),
    }


def _reason_data(reason: Reason, writers: Writers) -> Document:
    source = reason.source
    return {
        "standing": reason.standing,
        "outranked_by": reason.by and _short(reason.by),
        **_short(source),
        "asked": None if source.asked is None else str(source.asked),
        "class": source.person_class or None,
        "reason": source.reason or None,
        "since": iso(source.since),
        "until": iso(source.until),
        "path": source.at.path,
        "origin": _writer_data(_who(writers, source.at)),
    }


def _short(source: Provenance) -> Document:
    """An entry of the policy, its role and its place."""
    return {
        "entry": source.entry,
        "name": source.name,
        "role": str(source.role),
        "file": source.at.file,
        "line": source.at.line,
    }


def _writer_data(writer: Writer) -> Document:
    match writer:
        case Untold():
            return {"commit": None, "unknown": writer.words}
        case Commit():
            return {
                "commit": writer.id,
                "author": writer.author,
                "at": iso(writer.at),
                "subject": writer.subject,
                "or_earlier": writer.or_earlier,
            }
        case _ as never:
            assert_never(never)
