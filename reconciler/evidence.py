"""The evidence of an access review: who has what and why, who let that in, what is out of the ordinary.

Made of an overview and of what git and the ledger tell; decides nothing, and reads nothing itself.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from functools import cached_property

from reconciler import explanation, reviews
from reconciler.errors import ReconcilerError
from reconciler.exact import canonical
from reconciler.explanation import Case, Explanation, Reason, ScopeExplanation, Standing, Verdict
from reconciler.finding import Finding
from reconciler.git.commits import NOT_COMMITTED, Approval, Approvals, Commit, Untold, Writer, Writers
from reconciler.history import Record
from reconciler.model import ORGANIZATION, Role, Roles, fold
from reconciler.overview import Overview
from reconciler.policy.document import Mode
from reconciler.problem import Location, Problem
from reconciler.reviews import Reviewed

FORMAT = "reconciler.review/1"

NOBODY_ASKED = Untold("nobody asked git")


class About(StrEnum):
    """What a remark is about: why somebody's access is out of the ordinary."""

    TEMPORARY = "temporary grant"
    SERVICE_ACCOUNT = "service account"
    PROTECTED = "protected"
    FOREIGN = "not the policy's"
    DRIFT = "drift"
    HELD = "held"
    INACTIVE = "not active"
    UNCOMMITTED = "not committed"
    REVIEW = "review"
    FINDING = "to look at"


_OF_LINES = (About.UNCOMMITTED, About.REVIEW)
"""What is so of a line of policy, and so of everybody whom it gives something."""


@dataclass(frozen=True, slots=True)
class Remark:
    """One thing that is out of the ordinary."""

    about: About
    words: str


@dataclass(frozen=True, slots=True)
class Exceptional:
    """A remark as a list has it. What is so of a line stands there once, with the number of its roles."""

    words: str
    user: str = ""
    scope: str = ""
    """Empty where it is so wherever the person has something."""
    roles: int = 0
    """How many roles a line gives, people and scopes; 0 of what is about a person."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line of policy that gives somebody something, keeps it or ends it: who wrote it, who let it in."""

    at: Location
    writer: Writer
    approval: Approval | Untold
    reviewed: Reviewed | None = None
    """How it stands with the review of its entry; None of a line that gives no role."""
    marked: Writer | None = None
    """Who wrote the mark of that review, which may be somebody else than it names."""


@dataclass(frozen=True, slots=True)
class Access:
    """What one person has in one scope."""

    scope: ScopeExplanation
    applies: Role | None
    """The highest role that they have here from any source, the organization's included."""
    inherited: bool = False
    """Whether that is the one in the organization, and not one in the project itself."""
    remarks: tuple[Remark, ...] = ()

    @property
    def source(self) -> Reason | None:
        """The reason that gives the role here; None where none does, or where it is inherited."""
        return next((one for one in self.scope.reasons if one.standing is Standing.APPLIES), None)


@dataclass(frozen=True, slots=True)
class Holder:
    """One person with all that they have."""

    person: Explanation
    accesses: tuple[Access, ...]
    remarks: tuple[Remark, ...] = ()
    """What is so wherever they have something."""


@dataclass(frozen=True)
class Evidence:
    """One organization at one moment (aware). `holders` is sorted by userName."""

    organization: str
    server: str
    mode: Mode
    tree: str
    moment: datetime
    longest_review: int | None
    holders: tuple[Holder, ...]
    lines: Mapping[Location, Line]
    problems: tuple[Problem, ...] = ()
    findings: tuple[Finding, ...] = ()
    """Those of nobody in particular."""

    @cached_property
    def exceptions(self) -> Mapping[About, tuple[Exceptional, ...]]:
        """All that is out of the ordinary, by what it is about, in the order of `About`."""
        found: dict[About, list[Exceptional]] = {about: [] for about in About}
        lines: dict[Remark, int] = defaultdict(int)
        for finding in self.findings:
            found[About.FINDING].append(Exceptional(finding.message, finding.subject))
        for holder in self.holders:
            user = holder.person.principal.user_name
            for remark in holder.remarks:
                found[remark.about].append(Exceptional(remark.words, user))
            for access in holder.accesses:
                for remark in access.remarks:
                    if remark.about in _OF_LINES:
                        lines[remark] += 1
                    else:
                        found[remark.about].append(Exceptional(remark.words, user, str(access.scope.scope)))
        for remark, roles in sorted(lines.items(), key=lambda pair: pair[0].words):
            found[remark.about].append(Exceptional(remark.words, roles=roles))
        return {about: tuple(several) for about, several in found.items() if several}


@dataclass(frozen=True, slots=True)
class Dossier:
    """All that one review hands over: the evidence, and what ties it to a commit and to a ledger."""

    evidence: tuple[Evidence, ...]
    moment: datetime
    """When it was made, aware."""
    commit: str | None = None
    """What is checked out, as far as git tells."""
    dirty: bool = False
    """Whether the files differ from that commit."""
    who: str | None = None
    pipeline: str | None = None
    head: str | None = None
    """The hash of the ledger's last record; None where no ledger was read."""
    failures: tuple[tuple[str, ReconcilerError], ...] = ()
    """The organizations that could not be read, and why."""


def places(overview: Overview) -> list[Location]:
    """Every line that the evidence tells of."""
    entries = overview.case.policy.reviewables
    marks = [entry.reviewed.at for entry in entries if entry.reviewed]
    return [*explanation.sources(_everybody(overview)), *marks]


def of(overview: Overview, writers: Writers, approvals: Approvals) -> Evidence:
    """The evidence of what was surveyed; `writers` are those of `places`, `approvals` of their commits."""
    case = overview.case
    people = _everybody(overview)
    lines = _lines(overview, people, writers, approvals)
    subjects = {fold(one.principal.user_name) for one in people}
    return Evidence(
        case.policy.organization.name,
        case.server,
        case.policy.organization.mode,
        case.policy.tree,
        case.now,
        case.policy.organization.longest_review,
        tuple(_holder(case, one, lines) for one in people),
        lines,
        case.desired.problems,
        tuple(one for one in case.desired.findings if fold(one.subject) not in subjects),
    )


def digest(document: Record) -> str:
    """The SHA-256, in hexadecimal, of all that a document of evidence says but its own digest."""
    content = {name: value for name, value in document.items() if name != "digest"}
    return hashlib.sha256(canonical(content).encode()).hexdigest()


def _everybody(overview: Overview) -> tuple[Explanation, ...]:
    """Everybody who has or should have something, or has a role value that is not the policy's."""
    case = overview.case
    known = {one.principal.id: one for one in overview.people}
    others = (case.live.people[id_] for id_ in case.live.foreign if id_ not in known)
    everybody = [*overview.people, *(Explanation(one, ()) for one in others)]
    everybody.sort(key=lambda one: (fold(one.principal.user_name), one.principal.id))
    findings: dict[str, list[Finding]] = defaultdict(list)
    for finding in case.desired.findings:
        findings[fold(finding.subject)].append(finding)
    return tuple(_completed(case, one, findings) for one in everybody)


def _completed(case: Case, one: Explanation, findings: Mapping[str, Sequence[Finding]]) -> Explanation:
    """With what an answer about many leaves out."""
    standing = case.classes.of(one.principal.id)
    return replace(
        one,
        classes=standing.classes,
        end=standing.end,
        over=standing.over(case.now),
        foreign=case.live.foreign.get(one.principal.id, ()),
        findings=tuple(findings.get(fold(one.principal.user_name), ())),
    )


def _lines(
    overview: Overview, people: Sequence[Explanation], writers: Writers, approvals: Approvals
) -> Mapping[Location, Line]:
    policy, now = overview.case.policy, overview.case.now
    entries = {role.at: entry for entry in policy.reviewables for role in entry.roles}
    found = {}
    for at in sorted(set(explanation.sources(people))):
        writer, entry = writers.get((at.file, at.line), NOBODY_ASKED), entries.get(at)
        approval = approvals.get(writer.id, NOBODY_ASKED) if isinstance(writer, Commit) else writer
        reviewed = reviews.of(entry, policy.organization, now) if entry else None
        mark = reviewed.mark.at if reviewed and reviewed.mark else None
        marked = writers.get((mark.file, mark.line), NOBODY_ASKED) if mark else None
        found[at] = Line(at, writer, approval, reviewed, marked)
    return found


def _holder(case: Case, person: Explanation, lines: Mapping[Location, Line]) -> Holder:
    everywhere = case.live.holdings(person.principal.id).get(ORGANIZATION, frozenset())
    return Holder(
        person,
        tuple(_access(case, person, one, everywhere, lines) for one in person.scopes),
        tuple(_of_person(person)),
    )


def _access(
    case: Case,
    person: Explanation,
    scope: ScopeExplanation,
    everywhere: Roles,
    lines: Mapping[Location, Line],
) -> Access:
    here, above = max(scope.live, default=None), max(everywhere, default=None)
    inherited = scope.scope != ORGANIZATION and (above or 0) > (here or 0)
    access = Access(scope, above if inherited else here, inherited)
    return replace(access, remarks=tuple(_of_scope(case, person, access, lines)))


def _of_person(person: Explanation) -> Iterator[Remark]:
    if person.protected_at is not None:
        yield Remark(About.PROTECTED, "no plan touches what they hold")
    if not person.principal.entitled:
        yield Remark(About.INACTIVE, "the account is not active, and entitled to nothing")
    if person.over and person.end:
        yield Remark(About.INACTIVE, f"their time ended {_day(person.end.moment)}")
    for value in person.foreign:
        yield Remark(About.FOREIGN, value)
    for finding in person.findings:
        yield Remark(About.FINDING, finding.message)


def _of_scope(
    case: Case, person: Explanation, access: Access, lines: Mapping[Location, Line]
) -> Iterator[Remark]:
    scope = access.scope
    if scope.live != scope.desired:
        yield Remark(About.DRIFT, f"has {_words(scope.live)}, should have {_words(scope.desired)}")
    if scope.verdict is Verdict.HELD:
        yield Remark(About.HELD, _problems(scope.problems))
    for reason in scope.reasons:
        if reason.standing is Standing.DENIED:
            yield Remark(About.INACTIVE, reason.source.name)
        if reason.standing is Standing.APPLIES:
            yield from _of_reason(case, person, reason, lines[reason.source.at])


def _of_reason(case: Case, person: Explanation, reason: Reason, line: Line) -> Iterator[Remark]:
    source, where = reason.source, f"{line.at.file}:{line.at.line}"
    match source.entry:
        case "temporary grant":
            until = f" until {_day(source.until)}" if source.until else ""
            yield Remark(About.TEMPORARY, f"{source.role}{until}, {source.reason}")
        case "service account":
            owner = _owner(case, source.name)
            yield Remark(About.SERVICE_ACCOUNT, f"{source.reason}{owner}")
        case _:
            pass
    if line.writer == NOT_COMMITTED:
        yield Remark(About.UNCOMMITTED, f"{where} is not committed")
    if line.reviewed:
        yield from (Remark(About.REVIEW, f"{where} {words}") for words in _of_review(person, line))


def _of_review(person: Explanation, line: Line) -> Iterator[str]:
    """What is out of the ordinary about the review of a line."""
    reviewed = line.reviewed
    if reviewed is None:
        return
    match reviewed.standing:
        case reviews.Standing.OVERDUE if reviewed.due:
            yield f"was due for review by {_day(reviewed.due)}"
        case reviews.Standing.MISSING:
            yield "was never reviewed"
        case reviews.Standing.AHEAD:
            yield "has a review of a day that is yet to come"
        case _:
            pass
    if mark := reviewed.mark:
        if fold(mark.by) == fold(person.principal.user_name):
            yield f"was reviewed by {mark.by}, whom it gives this"
        if isinstance(line.writer, Commit) and line.writer.at and line.writer.at > mark.date:
            yield f"was written after its review of {_day(mark.date)}"


def _owner(case: Case, user: str) -> str:
    accounts = (one for one in case.policy.service_accounts if fold(one.user) == fold(user))
    account = next(accounts, None)
    return f", {account.owner} answers for it, to be looked at by {_day(account.review)}" if account else ""


def _problems(problems: Sequence[Problem]) -> str:
    """What holds somebody: the first problem of perhaps many, which the evidence has all."""
    if not problems:
        return "not all of the policy could be resolved"
    more = f"; and {len(problems) - 1} more" if len(problems) > 1 else ""
    return f"{problems[0]}{more}"


def _words(roles: Roles) -> str:
    return " + ".join(str(role) for role in sorted(roles, reverse=True)) or "none"


def _day(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d}"
