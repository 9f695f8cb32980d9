"""The evidence of an access review as text and as JSON. Returns it, prints nothing."""

import json
from collections.abc import Sequence
from typing import assert_never

from reconciler import evidence
from reconciler.change import scope_data, words
from reconciler.evidence import FORMAT, Access, Dossier, Evidence, Exceptional, Holder, Line, Remark
from reconciler.explanation import Reason
from reconciler.git.commits import Approval, Commit, Untold, Writer
from reconciler.model import ORGANIZATION, Role
from reconciler.phrases import counted, counted_people, minute
from reconciler.problem import Location
from reconciler.report.data import Document, failure, finding, iso, written_record
from reconciler.report.plain import printable
from reconciler.report.problems import record
from reconciler.reviews import Reviewed

SHOWN = 20
"""So many remarks about one thing are shown in text before they are only counted."""

# As plain data


def data(dossier: Dossier) -> Document:
    """Format `reconciler.review/1`; `digest` is over all the rest of it (`evidence.digest`)."""
    document: Document = {
        "format": FORMAT,
        "made": iso(dossier.moment),
        "commit": dossier.commit,
        "dirty": dossier.dirty,
        "who": dossier.who,
        "pipeline": dossier.pipeline,
        "ledger": dossier.head,
        "organizations": [_organization(one) for one in dossier.evidence],
        "failures": [failure(organization, error) for organization, error in dossier.failures],
    }
    return {"format": FORMAT, "digest": evidence.digest(document), **document}


def as_json(document: Document) -> str:
    """The document with a line for each person and for each line of policy, so that two can be compared."""
    return _spread(document, 4)


def _spread(value: object, levels: int, margin: str = "") -> str:
    """A value as JSON that is spread over lines down to so many levels, and in one line below them."""
    if not levels or not value or not isinstance(value, dict | list):
        return json.dumps(value)
    inside = f"\n{margin} "
    if isinstance(value, list):
        parts = [_spread(one, levels - 1, f"{margin} ") for one in value]
        return f"[{inside}{f',{inside}'.join(parts)}\n{margin}]"
    parts = [f"{json.dumps(key)}: {_spread(one, levels - 1, f'{margin} ')}" for key, one in value.items()]
    return f"{{{inside}{f',{inside}'.join(parts)}\n{margin}}}"


def _organization(one: Evidence) -> Document:
    return {
        "organization": one.organization,
        "server": one.server,
        "mode": one.mode,
        "tree": one.tree,
        "at": iso(one.moment),
        "longest_review": one.longest_review,
        "people": [_holder(holder) for holder in one.holders],
        "lines": {_key(at): _line(line) for at, line in one.lines.items()},
        "problems": [record(problem) for problem in one.problems],
        "findings": [finding(found) for found in one.findings],
    }


def _holder(holder: Holder) -> Document:
    person, principal = holder.person, holder.person.principal
    return {
        "user": principal.user_name,
        "id": None if principal.provisional else principal.id,
        "display_name": principal.display_name,
        "external_id": principal.external_id,
        "active": principal.active,
        "classes": list(person.classes),
        "ends": person.end and {"at": iso(person.end.moment), "line": _key(person.end.at)},
        "protected": person.protected_at and _key(person.protected_at),
        "foreign": list(person.foreign),
        "exceptions": [_remark(one) for one in holder.remarks],
        "scopes": [_access(one) for one in holder.accesses],
    }


def _access(access: Access) -> Document:
    scope = access.scope
    return {
        "scope": scope_data(scope.scope),
        "role": None if access.applies is None else str(access.applies),
        "inherited": access.inherited,
        "live": words(scope.live),
        "desired": words(scope.desired),
        "verdict": scope.verdict,
        "sources": [_reason(one) for one in scope.reasons],
        "written": scope.written and written_record(scope.written),
        "exceptions": [_remark(one) for one in access.remarks],
    }


def _reason(reason: Reason) -> Document:
    source = reason.source
    return {
        "standing": reason.standing,
        "entry": source.entry,
        "name": source.name,
        "role": str(source.role),
        "reason": source.reason or None,
        "since": iso(source.since),
        "until": iso(source.until),
        "line": _key(source.at),
    }


def _remark(remark: Remark) -> Document:
    return {"about": remark.about, "words": remark.words}


def _line(line: Line) -> Document:
    return {
        "file": line.at.file,
        "line": line.at.line,
        "path": line.at.path,
        "writer": _writer(line.writer),
        "approval": _approval(line.approval),
        "review": line.reviewed and _review(line.reviewed, line.marked),
    }


def _review(reviewed: Reviewed, marked: Writer | None) -> Document:
    mark = reviewed.mark
    return {
        "standing": reviewed.standing,
        "date": mark and iso(mark.date),
        "by": mark and mark.by,
        "due": iso(reviewed.due),
        "line": mark and _key(mark.at),
        "writer": marked and _writer(marked),
    }


def _writer(writer: Writer) -> Document:
    match writer:
        case Untold():
            return {"unknown": writer.words}
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


def _approval(approval: Approval | Untold) -> Document:
    match approval:
        case Untold():
            return {"unknown": approval.words}
        case Approval():
            return {
                "reviewers": list(approval.reviewers),
                "merge": approval.merge and _writer(approval.merge),
                "committer": approval.committer,
            }
        case _ as never:
            assert_never(never)


def _key(at: Location) -> str:
    """How a line of policy is called in this document."""
    return f"{at.file}:{at.line}:{at.column}"


# For people


def text(dossier: Dossier, digest: str) -> list[str]:
    """How much there is, what is out of the ordinary, and what ties it to commit and ledger."""
    lines: list[str] = []
    for one in dossier.evidence:
        lines += [*_heading(one), *_exceptions(one), ""]
    for organization, error in dossier.failures:
        lines += [f"{organization} could not be read: {error.message}", ""]
    lines += _ties(dossier, digest)
    return [printable(line) for line in lines]


def _heading(one: Evidence) -> list[str]:
    accesses = [access for holder in one.holders for access in holder.accesses]
    admins = [one for one in accesses if one.scope.scope == ORGANIZATION and one.applies is Role.ADMIN]
    people = counted_people(len(one.holders))
    return [
        f"{one.organization} on {one.server}, mode {one.mode}, as of {minute(one.moment)}",
        f"{people}, {counted(len(accesses), 'role')} looked at, {counted(len(admins), 'organization admin')}",
    ]


def _exceptions(one: Evidence) -> list[str]:
    """What is out of the ordinary, by what it is about; of many the first."""
    lines: list[str] = []
    for about, several in one.exceptions.items():
        lines += _listed(about, [_exceptional(found) for found in several])
    if one.problems:
        lines += _listed("not resolved", list(map(str, one.problems)))
    return ["exceptions:", *lines] if lines else ["no exceptions"]


def _listed(about: str, several: Sequence[str]) -> list[str]:
    more = len(several) - SHOWN
    shown = [f"    {one}" for one in several[:SHOWN]]
    return [f"  {about}: {len(several)}", *shown, *([f"    and {more} more"] if more > 0 else [])]


def _exceptional(found: Exceptional) -> str:
    if found.roles:
        return f"{found.words}, which gives {counted(found.roles, 'role')}"
    return f"{found.user}{f', {found.scope}' if found.scope else ''}: {found.words}"


def _ties(dossier: Dossier, digest: str) -> Sequence[str]:
    dirty = ", and files that differ from it" if dossier.dirty else ""
    return [
        f"commit  {f'{dossier.commit}{dirty}' if dossier.commit else 'unknown: git does not tell'}",
        f"ledger  {dossier.head or 'unknown: none was read'}",
        f"digest  {digest}",
    ]
