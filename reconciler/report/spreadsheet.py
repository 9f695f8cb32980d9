"""The evidence of an access review as CSV, for spreadsheets that compute none of it. Prints nothing."""

import csv
import io
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache

from reconciler.evidence import About, Access, Dossier, Evidence, Holder, Line
from reconciler.explanation import Explanation, Reason, Verdict, Written
from reconciler.git.commits import Approval, Untold, Writer
from reconciler.model import ORGANIZATION, Role
from reconciler.phrases import day, second
from reconciler.problem import Location
from reconciler.report.people import roles
from reconciler.report.plain import printable
from reconciler.reviews import Reviewed

BYTE_ORDER_MARK = "\ufeff"
"""By which a spreadsheet knows that a file is UTF-8."""

_FORMULA = re.compile(r"(^\s*|[;,|]\s*)(?=[=+\-@＝＋－＠])")
"""Where a spreadsheet, with one separator or another, could begin to read a formula."""


def rows(dossier: Dossier, digest: str) -> str:
    """A row for each person and scope, one header (RFC 4180, UTF-8 with its mark, every field in quotes).

    What is so of nobody in particular, what could not be resolved and an organization that could not be read
    have rows without a person. No cell begins a formula.
    """
    stream = io.StringIO(newline="")
    stream.write(BYTE_ORDER_MARK)
    table = csv.DictWriter(stream, COLUMNS, restval="", quoting=csv.QUOTE_ALL)
    table.writeheader()
    for row in _rows(dossier):
        table.writerow({name: cell(row[name]) for name in row} | {"digest": digest})
    return stream.getvalue()


@lru_cache(100_000)  # most cells stand in many rows
def cell(text: str) -> str:
    """A text that a spreadsheet shows and does not compute: an apostrophe is in front of any formula."""
    return _FORMULA.sub(r"\1'", printable(text))


COLUMNS = (
    "organization",
    "user",
    "display_name",
    "external_id",
    "id",
    "active",
    "classes",
    "ends",
    "scope",
    "role",
    "has",
    "should_have",
    "verdict",
    "given_by",
    "name",
    "reason",
    "starts",
    "until",
    "file",
    "line",
    "commit",
    "author",
    "authored",
    "subject",
    "approved_by",
    "merged_by",
    "merge",
    "merged",
    "review",
    "reviewed",
    "reviewed_by",
    "review_due",
    "written",
    "run",
    "run_by",
    "run_commit",
    "also",
    "exceptions",
    "server",
    "as_of",
    "digest",
)

Row = Mapping[str, str]


def _rows(dossier: Dossier) -> Iterator[Row]:
    for one in dossier.evidence:
        head = {"organization": one.organization, "server": one.server, "as_of": second(one.moment)}
        for holder in one.holders:
            person = {**head, **_person_cells(holder.person)}
            for access in holder.accesses:
                yield {**person, **_access_cells(holder, access, one, dossier.head)}
            for value in holder.person.foreign:
                yield {**person, **_foreign_cells(value, holder)}
        for finding in one.findings:
            words = f"{About.FINDING}: {finding.subject} {finding.message}"
            yield {**head, **_place_cells(finding.at), "exceptions": words}
        for problem in one.problems:
            words = f"not resolved: {problem.message}"
            yield {**head, **_place_cells(problem.at), "exceptions": words}
    for organization, error in dossier.failures:
        yield {"organization": organization, "exceptions": f"could not be read: {error.message}"}


def _person_cells(person: Explanation) -> Row:
    principal = person.principal
    active = {True: "yes", False: "no", None: "unknown: the server does not say"}[principal.active]
    if principal.provisional:
        active = "no account yet"
    return {
        "user": principal.user_name,
        "display_name": principal.display_name or "",
        "external_id": principal.external_id or "",
        "id": "" if principal.provisional else principal.id,
        "active": active,
        "classes": ", ".join(person.classes),
        "ends": second(person.end.moment) if person.end else "",
    }


def _access_cells(holder: Holder, access: Access, one: Evidence, head: str | None) -> Row:
    scope, source = access.scope, None if access.inherited else access.source
    remarks = (*access.remarks, *holder.remarks)
    return {
        "scope": str(scope.scope) if scope.scope == ORGANIZATION else f"project {scope.scope}",
        "role": _role(access.applies),
        "has": roles(scope.live),
        "should_have": roles(scope.desired),
        "verdict": scope.verdict,
        "given_by": _given_by(access),
        **(_source_cells(source, one.lines[source.source.at]) if source else {}),
        **_written_cells(scope.written, head),
        "also": " | ".join(_in_short(reason) for reason in scope.reasons if reason is not source),
        "exceptions": " | ".join(f"{remark.about}: {remark.words}" for remark in remarks),
    }


def _foreign_cells(value: str, holder: Holder) -> Row:
    remarks = [one for one in holder.remarks if one.about is not About.FOREIGN]
    return {
        "has": value,
        "given_by": About.FOREIGN,
        "exceptions": " | ".join(f"{remark.about}: {remark.words}" for remark in remarks),
    }


def _given_by(access: Access) -> str:
    """What gives the role that applies, in a word or two."""
    if access.inherited:
        return "role in the organization"
    if access.scope.verdict in (Verdict.PROTECTED, Verdict.HELD):
        return str(access.scope.verdict)
    return access.source.source.entry if access.source else "nothing in the policy"


def _place_cells(at: Location | None) -> Row:
    return {"file": at.file, "line": str(at.line)} if at else {}


def _source_cells(reason: Reason, line: Line) -> Row:
    source = reason.source
    return {
        "name": source.name,
        "reason": source.reason,
        "starts": second(source.since) if source.since else "",
        "until": second(source.until) if source.until else "",
        **_place_cells(line.at),
        **_writer_cells(line.writer),
        **_approval_cells(line.approval),
        **(_review_cells(line.reviewed) if line.reviewed else {}),
    }


def _writer_cells(writer: Writer) -> Row:
    if isinstance(writer, Untold):
        return {"commit": _unknown(writer), "author": _unknown(writer)}
    return {
        "commit": f"{writer.id}{' or earlier' if writer.or_earlier else ''}",
        "author": writer.author,
        "authored": second(writer.at) if writer.at else "unknown: it has no date",
        "subject": writer.subject,
    }


def _approval_cells(approval: Approval | Untold) -> Row:
    if isinstance(approval, Untold):
        return {"approved_by": _unknown(approval), "merged_by": _unknown(approval)}
    merge = approval.merge
    return {
        "approved_by": ", ".join(approval.reviewers) or "unknown: no commit names anybody",
        "merged_by": merge.author if merge else f"no merge: committed by {approval.committer}",
        "merge": f"{merge.id} {merge.subject}" if merge else "",
        "merged": second(merge.at) if merge and merge.at else "",
    }


def _review_cells(reviewed: Reviewed) -> Row:
    mark = reviewed.mark
    return {
        "review": reviewed.standing,
        "reviewed": day(mark.date) if mark else "",
        "reviewed_by": mark.by if mark else "",
        "review_due": day(reviewed.due) if reviewed.due else "",
    }


def _written_cells(written: Written | None, head: str | None) -> Row:
    if written is None:
        why = "no ledger was read" if head is None else "no run of the ledger wrote it"
        return {"written": f"unknown: {why}"}
    begun = written.run.begun
    return {
        "written": f"{begun.at}{'' if written.stands else ', and changed since'}",
        "run": written.run.id,
        "run_by": begun.who or "unknown",
        "run_commit": begun.commit or "unknown",
    }


def _in_short(reason: Reason) -> str:
    source = reason.source
    place = f"{source.at.file}:{source.at.line}"
    return f"{reason.standing}: {source.role} by {source.entry} {source.name} ({place})"


def _role(role: Role | None) -> str:
    return "none" if role is None else str(role)


def _unknown(untold: Untold) -> str:
    return f"unknown: {untold.words}"
