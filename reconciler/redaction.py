"""A plan without names, to be shown to the public: what changes and why, but not for whom. Writes nothing.

It is made of values, not of texts, so that no renderer has anything to hide. A sentence that may hold a name,
such as the message of a finding, is not searched for names: it is replaced by a sentence of ours.
"""

import hmac
from base64 import b32encode
from collections.abc import Iterable
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
from reconciler.errors import ReadError
from reconciler.finding import Finding, Kind
from reconciler.guardrails import ASSERTIONS, Violation
from reconciler.model import DIRECTORY, PROVISIONAL, LiveState, Principal, Provenance, fold
from reconciler.planning import Prepared
from reconciler.problem import Problem
from reconciler.undo import ENTRY as UNDO

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

    def name(self, name: str) -> str:
        """The pseudonym of a userName, an e-mail or a display name."""
        return f"person-{self._digits(f'name {fold(name)}')}"

    def _id(self, id_: str) -> str:
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
            case SetAttributes():
                attributes = tuple(map(self._attribute, change.attributes))
                return replace(
                    change, principal=self._person(change.principal), attributes=attributes, why=_why(change)
                )
            case CreateUser() | SetActive() | DeleteUser():
                return replace(change, principal=self._person(change.principal), why=_why(change))
            case _ as never:
                assert_never(never)

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


def problem(problem: Problem) -> Problem:
    """Where the problem is, and no more."""
    return Problem(problem.at, "something that this names could not be resolved", ASK)


def unread() -> ReadError:
    """That something could not be read, and no more: what was seen may name people."""
    return ReadError("the server or the directory could not be read whole, so nothing follows from it", ASK)


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
