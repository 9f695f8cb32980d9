"""Plans, edits and drift without names, to show to the public: what and why, but not whose. Writes nothing.

It is made of values, not of texts, so that no renderer has anything to hide. A sentence that may hold a name,
such as the message of a finding, is not searched for names: it is replaced by a sentence of ours.
"""

import hmac
from base64 import b32encode
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import assert_never

from reconciler import plan
from reconciler.change import (
    AccountChange,
    AttributeChange,
    Change,
    CreateGroup,
    CreateUser,
    DeleteUser,
    ScopeChange,
    SetActive,
    SetAttributes,
    SetRoles,
)
from reconciler.comparison import Comparison
from reconciler.drifted import Admin, Drifted, DriftedAccount, DriftedPerson, DriftedScope, Since
from reconciler.edits import THERE, Edit
from reconciler.edits import Value as Said
from reconciler.errors import ReadError
from reconciler.explanation import Case
from reconciler.finding import Finding, Kind
from reconciler.guardrails import ASSERTIONS, Violation
from reconciler.history import PastRun
from reconciler.model import (
    DIRECTORY,
    PROVISIONAL,
    UNDO,
    DesiredState,
    LiveState,
    Membership,
    Principal,
    Provenance,
    fold,
)
from reconciler.overview import Overview
from reconciler.planning import Prepared
from reconciler.policy.document import Organization, Policy, TemporaryGrant
from reconciler.policy.marked import Steps
from reconciler.problem import Location, Problem

LENGTH = 10
"""Of a pseudonym: 50 bits, so that among ten thousand people no two get the same one."""

ASK = "run it without `--redact` where only those read along who may, for what is withheld here"


@dataclass(frozen=True, slots=True)
class Redaction:
    """Gives everybody a pseudonym, the same for the same name wherever it stands.

    `salt` has to be secret and new for each run. With a salt that others know they could try the e-mails of
    everybody they suspect; with one that stays, a name that is learned once would be known in every comment.
    """

    salt: bytes
    spared: frozenset[str] = frozenset()
    """Names and ids that stay: those of nobody, but of stand-ins for groups of the policy."""

    def prepared(self, prepared: Prepared) -> Prepared:
        """The same plan under its own fingerprint, with nobody's name in it."""
        planned = prepared.plan
        return replace(
            prepared,
            plan=replace(
                planned,
                changes=self._changes(planned.changes),
                withheld=self._changes(planned.withheld),
                problems=tuple(map(problem, planned.problems)),
                findings=tuple(sorted(map(self._finding, planned.findings), key=lambda one: one.rank)),
                shows=planned.fingerprint,
            ),
            live=self._live(prepared.live),
            violations=tuple(map(self._violation, prepared.violations)),
            leavers=None,
        )

    def comparison(self, found: Comparison) -> Comparison:
        """What an edit means, with nobody's name in it, nor what the policies say of anybody."""
        people = found.prepared.live.people if found.prepared else {}
        stand_ins = {people[id_].user_name for id_ in found.groups if id_ in people}
        by = replace(self, spared=found.groups | stand_ins)
        return replace(
            found,
            edits=tuple(sorted(map(self._edit, found.edits), key=lambda edit: edit.rank)),
            prepared=by.prepared(found.prepared) if found.prepared else None,
            faults=tuple(map(problem, found.faults)),
            but_for=tuple(map(by._violation, found.but_for)),
            problems=tuple(map(fault, found.problems)),
        )

    def drifted(self, found: Drifted) -> Drifted:
        """What drifted, without a name, and without the policy and the membership that it was found by.

        Good for telling how and since when; who has what else cannot be asked of it.
        """
        people = sorted(
            map(self._drifted, found.people), key=lambda one: (one.principal.user_name, one.principal.id)
        )
        admins = sorted(map(self._admin, found.admins), key=lambda one: one.principal.user_name)
        return Drifted(
            self._overview(found.overview),
            tuple(people),
            found.groups,
            tuple(admins),
            tuple(map(self._grant, found.grants)),
            self._run(found.last) if found.last else None,
        )

    def name(self, name: str) -> str:
        """The pseudonym of a userName, an e-mail or a display name."""
        return name if name in self.spared else f"person-{self._digits(f'name {fold(name)}')}"

    def _id(self, id_: str) -> str:
        if id_ in self.spared:
            return id_
        is_new = id_.startswith(PROVISIONAL)
        return f"{PROVISIONAL if is_new else 'id-'}{self._digits(f'id {id_}')}"

    def _digits(self, text: str) -> str:
        digest = hmac.digest(self.salt, text.encode("utf-8", "surrogatepass"), "sha256")
        return b32encode(digest).decode("ascii").lower()[:LENGTH]

    def _person(self, person: Principal) -> Principal:
        return Principal(self._id(person.id), self.name(person.user_name), active=person.active)

    def _live(self, live: LiveState) -> LiveState:
        return LiveState(
            {self._id(id_): self._person(person) for id_, person in live.people.items()},
            {self._id(id_): holdings for id_, holdings in live.roles.items()},
            live.role_groups,
        )

    def _changes(self, changes: Iterable[Change]) -> tuple[Change, ...]:
        """In an order that does not tell how names follow each other."""
        return tuple(sorted(map(self._change, changes), key=plan.order))

    def _change(self, change: Change) -> Change:
        match change:
            case CreateGroup():
                return change
            case SetRoles():
                return SetRoles(self._person(change.principal), tuple(map(self._scope, change.scopes)))
            case SetAttributes() | CreateUser() | SetActive() | DeleteUser():
                return self._account(change)
            case _ as never:
                assert_never(never)

    def _account(self, change: AccountChange) -> AccountChange:
        hidden = replace(change, principal=self._person(change.principal), why=_why(change))
        if isinstance(hidden, SetAttributes):
            return replace(hidden, attributes=tuple(map(self._attribute, hidden.attributes)))
        return hidden

    def _scope(self, change: ScopeChange) -> ScopeChange:
        return replace(change, why=tuple(map(self._reason, change.why)), entries=())

    def _attribute(self, change: AttributeChange) -> AttributeChange:
        before = None if change.before is None else self.name(change.before)
        return replace(change, before=before, after=self.name(change.after))

    def _reason(self, reason: Provenance) -> Provenance:
        """Groups, classes and lines stay: they are the policy's, and what a reviewer goes by."""
        match reason.entry:
            case str(entry) if entry in ("binding", UNDO):
                name = reason.name
            case str(entry) if entry == DIRECTORY:
                name = "as the directory has them"
            case _:
                name = self.name(reason.name)
        return replace(reason, name=name, reason="reason withheld" if reason.reason else "")

    def _finding(self, finding: Finding) -> Finding:
        return Finding(
            finding.kind, self.name(finding.subject), _said(finding.kind), "", finding.at, finding.since
        )

    def _violation(self, violation: Violation) -> Violation:
        """Of an assertion neither the sentence nor who breaks it by what: both name people."""
        people = tuple(sorted(map(self.name, violation.people)))
        if violation.guardrail == ASSERTIONS:
            message = "an assertion of the policy would be broken"
            return replace(violation, message=message, remedy=ASK, people=people)
        return replace(violation, people=people)

    # Edits of policy.

    def _edit(self, edit: Edit) -> Edit:
        before, after = (self._said(edit.steps, value) for value in (edit.before, edit.after))
        return replace(edit, steps=self._steps(edit.steps), before=before, after=after)

    def _steps(self, steps: Steps) -> Steps:
        match steps:
            case ("grants" | "people" | "service_accounts" as part, str(user), *rest):
                return (part, self.name(user), *rest)
            case ("assertions" as part, str(says), *rest):
                return (part, self.withheld(says), *rest)
            case _:
                return steps

    def _said(self, steps: Steps, value: Said) -> Said:
        """What stands under a key, if it is known to name nobody; what is unknown here is withheld."""
        if value is None or value == THERE or isinstance(value, bool | int):
            return value
        match steps:
            case (
                ("guardrails", "protected" | "required_admins" | "service_admins")
                | ("people", _, "previously")
                | ("service_accounts", _, "owner")
            ):
                return _each(self.name, value)
            case (
                (
                    "mode"
                    | "organization_roles"
                    | "projects"
                    | "directory"
                    | "roles"
                    | "lifecycle"
                    | "bindings"
                    | "grants",
                    *_,
                )
                | ("classes", _, "match", "groups")
                | ("classes", _, "ends", _)
                | ("classes", _, "highest_role" | "bindings")
                | ("people", _, "classes" | "ends")
                | ("service_accounts", _, "review")
            ):
                return value
            case _:
                return _each(self.withheld, value)

    def withheld(self, text: str) -> str:
        """What stands for a text, so that it is seen whether two are the same."""
        return f"withheld-{self._digits(f'text {text}')}"

    # Drift.

    def _overview(self, overview: Overview) -> Overview:
        """No more of it than reports of drift without names show."""
        case = overview.case
        organization = case.policy.organization
        policy = Policy(Organization(organization.name, organization.mode, organization.at))
        runs = tuple(map(self._run, overview.runs))
        live, nobody, nothing = self._live(case.live), Membership(()), DesiredState({}, {})
        return Overview(
            Case(policy, case.server, live, nobody, nothing, case.now, runs), self.prepared(overview.prepared)
        )

    def _run(self, run: PastRun) -> PastRun:
        """When it was, of which commit and how much it planned; not what it wrote."""
        who = self.name(run.begun.who) if run.begun.who else None
        begun = replace(run.begun, who=who, pipeline=None, leavers=None)
        ended = run.ended and replace(run.ended, refused=run.ended.refused and "reason withheld")
        return PastRun(run.id, begun, (), (), ended)

    def _drifted(self, person: DriftedPerson) -> DriftedPerson:
        return DriftedPerson(
            self._person(person.principal),
            tuple(map(self._drifted_scope, person.scopes)),
            tuple(map(self._drifted_account, person.accounts)),
            tuple(map(self._finding, person.findings)),
            person.loses_everything,
        )

    def _drifted_scope(self, one: DriftedScope) -> DriftedScope:
        return replace(
            one,
            change=self._scope(one.change),
            since=self._since(one.since),
            left=self._run(one.left) if one.left else None,
            tried=self._run(one.tried) if one.tried else None,
        )

    def _drifted_account(self, one: DriftedAccount) -> DriftedAccount:
        return replace(
            one,
            change=self._account(one.change),
            since=self._since(one.since),
            tried=self._run(one.tried) if one.tried else None,
        )

    def _since(self, since: Since | None) -> Since | None:
        match since and since.evidence:
            case PastRun() as run:
                evidence: PastRun | Provenance | None = self._run(run)
            case Provenance() as reason:
                evidence = self._reason(reason)
            case _:
                evidence = None
        return since and replace(since, evidence=evidence)

    def _admin(self, admin: Admin) -> Admin:
        return replace(admin, principal=self._person(admin.principal))

    def _grant(self, grant: TemporaryGrant) -> TemporaryGrant:
        return replace(grant, user=self.name(grant.user), reason="reason withheld", reviewed=None)


def problem(problem: Problem) -> Problem:
    """Where the problem is, and no more."""
    return Problem(problem.at, "something that this names could not be resolved", ASK)


def fault(problem: Problem) -> Problem:
    """On which line of a policy file the problem is, and no more: keys that are wrong may be names."""
    at = problem.at
    return Problem(Location(at.file, at.line, at.column), "something is wrong here", ASK)


def unread() -> ReadError:
    """That something could not be read, and no more: what was seen may name people."""
    return ReadError("the server or the directory could not be read whole, so nothing follows from it", ASK)


def _each(shown: Callable[[str], str], value: str | tuple[str, ...]) -> Said:
    """A text or each of a list in another form; a list in an order that tells nothing."""
    return shown(value) if isinstance(value, str) else tuple(sorted(map(shown, value)))


def _why(change: AccountChange) -> str:
    match change:
        case CreateUser():
            return "in a group of the policy, and not on the server"
        case SetAttributes():
            return "as in the directory"
        case SetActive():
            return "active in the directory" if change.after else "not active in the directory, or not in it"
        case DeleteUser():
            return "deactivated by this program"
        case _ as never:
            assert_never(never)


def _said(kind: Kind) -> str:
    """What a finding of some kind says of whomever it is about."""
    match kind:
        case Kind.UNPROVISIONED:
            return "is in the directory, and not or not wholly on the server"
        case Kind.UNKNOWN:
            return "is on the server, and not or not wholly in the directory"
        case Kind.LEAVER:
            return "is active on the server, and left by the directory"
        case Kind.RETURNER:
            return "is inactive on the server, and active in the directory"
        case Kind.ATTRIBUTE:
            return "has a name, an e-mail or a key that differs between the server and the directory"
        case Kind.GRANT:
            return "has a temporary grant that ends soon, or ended long ago"
        case Kind.CLASS:
            return "has a class or an end that should be looked at"
        case Kind.SERVICE_ACCOUNT:
            return "is a service account that should be looked at"
        case Kind.REVIEW:
            return "is due for review, or named as a reviewer and known to nobody"
        case Kind.ASSERTION:
            return "is why an assertion of the policy does not hold, or is named in one and is nobody"
        case _ as never:
            assert_never(never)
