"""Who on the provider a directory means: by id, by externalId, by userName, and by nothing else."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from reconciler.model import Member, Principal, fold
from reconciler.policy.document import PersonEntry
from reconciler.problem import did_you_mean


@dataclass(frozen=True, slots=True)
class People:
    """Principals by the keys that identify them. An e-mail is none of them."""

    by_id: Mapping[str, Principal]
    by_external_id: Mapping[str, list[Principal]]
    by_user_name: Mapping[str, Principal]
    earlier: Mapping[str, tuple[str, ...]]
    """By folded userName: the names that the policy says somebody had before."""

    @classmethod
    def of(cls, people: Iterable[Principal], entries: Iterable[PersonEntry] = ()) -> "People":
        """These principals; `entries` are the policy's, for earlier names."""
        by_external_id: dict[str, list[Principal]] = defaultdict(list)
        everybody = list(people)
        for person in everybody:
            if person.external_id:
                by_external_id[person.external_id].append(person)
        return cls(
            {person.id: person for person in everybody},
            by_external_id,
            {fold(person.user_name): person for person in everybody},
            {fold(entry.user): entry.previously for entry in entries},
        )

    def match(self, member: Member) -> Principal | None:
        """Who a directory means: by id where both sides share it, by externalId, then by userName."""
        if member.principal_id is not None:
            return self.by_id.get(member.principal_id)
        if member.external_id:
            found = self.by_external_id.get(member.external_id, [])
            if len(found) > 1:
                return None
            if found:
                return found[0]
        return self.named(member.user_name) if member.user_name else None

    def named(self, user_name: str) -> Principal | None:
        """Who is called so, or was before as the policy says."""
        for name in (user_name, *self.earlier.get(fold(user_name), ())):
            if found := self.by_user_name.get(fold(name)):
                return found
        return None

    def meant(self, user_name: str) -> str:
        """The end of a message that nobody is called so: `, did you mean 'ann@acme.example'?`, or nothing."""
        names = [person.user_name for person in self.by_id.values()]
        # Everybody is alike behind the @, so what stands before it has to be alike by itself.
        alike = [name for name in names if did_you_mean(_local(user_name), [_local(name)])]
        return did_you_mean(user_name, alike)


def _local(user_name: str) -> str:
    """What stands before the @ of a userName that looks like an address, else all of it."""
    return user_name.partition("@")[0] or user_name
