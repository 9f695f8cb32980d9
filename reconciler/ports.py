"""What an adapter must do: read roles, write roles, read groups. Reading and writing are two types."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from reconciler.change import Change
from reconciler.model import LiveState, Member, Membership
from reconciler.policy.document import GroupRef

Portion = Sequence[Change]
"""Changes that are written together, of as many people; never empty."""


class ProviderReader(Protocol):
    """Reads roles. Has no method that writes: whatever only reads is given this type."""

    @property
    def server(self) -> str:
        """The base URL, for people and for the fingerprint; holds no secret."""
        ...

    def read(self) -> LiveState:
        """Everybody and their roles in the policy's scopes, complete.

        Raises ReadError where anything suggests that the answer is not whole.
        """
        ...

    def read_back(self, principal_ids: Collection[str]) -> LiveState:
        """These principals and the roles that they hold now, read anew. Who is gone is absent.

        The answer is by the ids that were asked for. A provisional id (`model.provisional`) stands for the
        account that `write` created for it, as it does in later changes; else it is nobody's. Raises
        ReadError.
        """
        ...

    def token_user(self) -> str | None:
        """The principal id of the user whose token this is (RFC 7644 section 3.11); None: of no user.

        Raises ReadError where it cannot be told.
        """
        ...


class Provider(ProviderReader, Protocol):
    """Reads and writes roles. What writes may be called from several threads, for different people."""

    @property
    def at_once(self) -> int:
        """How many writes may be under way."""
        ...

    def portions(self, changes: Sequence[Change]) -> Iterable[Portion]:
        """All of these changes, of as many people, each in one of the portions in which to write them."""
        ...

    def write_together(self, portion: Portion) -> Collection[Change]:
        """Carry out several changes in fewer requests, as `write` would one by one.

        Returns those that are to be written one by one after all: who is not among them has what their
        change gives them, as far as the server says. Nothing is sent twice.
        """
        ...

    def write(self, change: Change) -> None:
        """Carry out one change; touches nothing that the change does not name.

        Writing what is already so succeeds; so does creating an account that is there meanwhile with the
        same userName and externalId, and deleting one that is gone. An account that is not inactive is
        never deleted. Raises ConflictError where somebody else changed the
        same person meanwhile, WriteError for every other failure; never retries a write that may
        have happened without looking first.
        """
        ...


@dataclass(frozen=True, slots=True)
class ProvisioningFailure:
    """What the log of an identity provider says it could not carry over to the server."""

    person: Member | None
    """None where the log tells only of a group as a whole."""
    since: datetime
    """The first failure after the last success, aware."""
    words: str
    """Why, as the log has it."""
    group: str | None = None
    """The group whose membership it is about; None where the person's account is."""


class Directory(Protocol):
    """Reads group membership, and who there is."""

    def read(self, groups: Collection[GroupRef], *, everybody: bool = False) -> Membership:
        """Every group that one of these references could mean, with everybody in it.

        A reference is matched by id, name or earlier name; a group found twice is answered twice. With
        `everybody`, also all people (`Membership.people`), as far as this kind of directory has them.
        Raises ReadError where the answer cannot be known to be complete.
        """
        ...

    def failures(self) -> tuple[ProvisioningFailure, ...]:
        """What the directory's log says it could not provision, and has not since; () where it has no log.

        Raises ReadError where the log could not be read.
        """
        ...
