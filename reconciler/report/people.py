"""A plan as people read it: who gains or loses what, and why. Words only; layout is the renderers'."""

from collections.abc import Iterable, Set
from dataclasses import dataclass, replace
from typing import assert_never

from reconciler.change import (
    AccountChange,
    Attribute,
    AttributeChange,
    CreateUser,
    DeleteUser,
    ScopeChange,
    SetActive,
    SetAttributes,
    SetRoles,
)
from reconciler.model import DIRECTORY, UNDO, Provenance, Roles, highest
from reconciler.phrases import minute
from reconciler.plan import after
from reconciler.planning import Prepared
from reconciler.problem import Location


@dataclass(frozen=True, slots=True)
class Name:
    """What something outside is called, such as a group, where it stands among our words."""

    text: str

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Place:
    """A line of policy among words."""

    at: Location

    def __str__(self) -> str:
        return f"{self.at.file}:{self.at.line}"


Words = tuple[str | Name | Place, ...]
"""A reason in pieces: joined, they are its words. A renderer may show each kind in its own way."""


@dataclass(frozen=True, slots=True)
class ScopeRow:
    """One scope of one person: `before` and `after` are role names or `none`."""

    scope: str
    before: str
    after: str
    told: Words

    @property
    def why(self) -> str:
        return "".join(map(str, self.told))


@dataclass(frozen=True, slots=True)
class PersonRow:
    """One person of a plan: `verb` says what happens to them, such as `loses everything`."""

    user: str
    verb: str
    scopes: tuple[ScopeRow, ...]


@dataclass(frozen=True, slots=True)
class AccountRow:
    """What happens to one person's account: `verb` is the end of a sentence about them, `is deactivated`."""

    user: str
    verb: str
    why: str

    @property
    def due(self) -> str:
        """What is yet to happen: `is to be deactivated`."""
        return self.verb.replace("is ", "is to be ", 1)


def rows(people: Iterable[SetRoles], emptied: Set[str] = frozenset()) -> tuple[PersonRow, ...]:
    """One row for each person, in the order given. `emptied` are the ids of those who lose everything."""
    return tuple(
        PersonRow(
            change.principal.user_name,
            "loses everything" if change.principal.id in emptied else verb(change),
            tuple(
                ScopeRow(str(s.scope), roles(s.before), roles(s.after), _why(change, s))
                for s in change.scopes
            ),
        )
        for change in people
    )


def verb(change: SetRoles) -> str:
    """What a change means for its person, in a word or two."""
    gains = any(scope.gains for scope in change.scopes)
    loses = any(scope.loses for scope in change.scopes)
    if gains and loses:
        return "moves"
    if gains:
        return "gains"
    if loses:
        return "loses"
    return "keeps access"


def account_rows(changes: Iterable[AccountChange]) -> tuple[AccountRow, ...]:
    """One row for each change of an account, in the order given."""
    return tuple(
        AccountRow(change.principal.user_name, f"is {participle(change)}", _account_why(change))
        for change in changes
    )


def participle(change: AccountChange) -> str:
    """What is done to an account, in a word, such as `deactivated`."""
    match change:
        case CreateUser():
            return "created"
        case SetAttributes():
            renamed = any(one.attribute is Attribute.USER_NAME for one in change.attributes)
            return "renamed" if renamed else "corrected"
        case SetActive():
            return "reactivated" if change.after else "deactivated"
        case DeleteUser():
            return "deleted"
        case _ as never:
            assert_never(never)


def _account_why(change: AccountChange) -> str:
    corrected = map(_corrected, change.attributes) if isinstance(change, SetAttributes) else ()
    return "; ".join([*corrected, *([change.why] if change.why else [])])


def _corrected(change: AttributeChange) -> str:
    return f"{change.attribute} {change.before or 'none'} -> {change.after}"


def emptied(prepared: Prepared) -> frozenset[str]:
    """The ids of those who hold something before the plan and nothing after it."""
    before = prepared.live.roles
    left = after(prepared.plan, before)
    changed = (change.principal.id for change in prepared.plan.people)
    return frozenset(id_ for id_ in changed if before.get(id_) and id_ not in left)


def unhindered(prepared: Prepared) -> Prepared:
    """The same plan as if its mode left nothing as it is: what all of the drift comes to."""
    plan = prepared.plan
    return replace(prepared, plan=replace(plan, changes=(*plan.changes, *plan.withheld), withheld=()))


def roles(held: Roles) -> str:
    """Role names, the highest first, or `none`."""
    return " + ".join(str(role) for role in sorted(held, reverse=True)) or "none"


def _why(change: SetRoles, scope: ScopeChange) -> Words:
    applies = highest(scope.after)
    if scope.why and scope.why[0].entry == UNDO:
        return _source(scope.why[0])
    former = [_source(reason) for reason in scope.why if reason.former]
    holding = [r for r in scope.why if not (r.ended or r.withheld or r.former)]
    given = [_source(reason) for reason in holding if reason.role == applies]
    idle = [r for r in scope.why if r.role > applies and r not in holding and not r.former]
    ends = [reason for reason in idle if reason.entry in ("end", DIRECTORY)]
    over = [_source(reason) for reason in ends[:1] or idle] + former[:1]
    if not change.principal.entitled and not scope.after:
        return ("not active",)
    if scope.loses and not given and not over:
        return ("nothing in the policy gives more" if scope.after else "nothing in the policy gives it",)
    if not scope.gains and not scope.loses:
        return _joined([("one role is enough",), *given[:1]])
    return _joined([*(over if scope.loses else ()), *given[:1]])


def _joined(reasons: Iterable[Words]) -> Words:
    """Several reasons as one."""
    pieces = [piece for reason in reasons for piece in ("; ", *reason)]
    return tuple(pieces[1:])


def _source(reason: Provenance) -> Words:
    if reason.former:
        was = _source(replace(reason, former=False))
        # No line of the policy that is looked at, so nothing to lead to.
        return ("no longer ", *(Name(str(piece)) if isinstance(piece, Place) else piece for piece in was))
    place: Words = (" (", Place(reason.at), ")")
    until = minute(reason.until) if reason.until else ""
    group: Words = ("group ", Name(reason.name))
    match reason.entry:
        case str(entry) if entry == UNDO:
            return ("undoes run ", Name(reason.name), *place)
        case "temporary grant":
            return (
                f"temporary grant {'ended' if reason.ended else 'until'} {until}, {reason.reason}",
                *place,
            )
        case "service account":
            return (f"service account, {reason.reason}", *place)
        case str(entry) if entry == DIRECTORY:
            return (reason.name, *place)
        case "end" if not reason.person_class:
            return (f"access until {until}", *place)
        case "end":
            return (Name(reason.person_class), f" until {until}", *place)
        case _ if reason.withheld:
            return (*group, " gives ", Name(reason.person_class), " nothing", *place)
        case _ if reason.asked is not None:
            return (*group, *place, f", {reason.role} at most as ", Name(reason.person_class))
        case _:
            return (*group, *place)
