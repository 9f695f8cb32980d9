"""Prints the fingerprint and the problems of plans that never change; run with several hash seeds."""

from build import NOW, WEB, Groups, Server, binding, group, holds, live, membership, organization, policy

from reconciler import planning
from reconciler.model import Role
from reconciler.policy.document import StoredAs


def main() -> None:
    for stored_as in StoredAs:
        state = live(
            {
                "ann": holds("admin viewer", web="viewer", app="contributor viewer"),
                "bob": holds(web="admin", app="admin"),
                "cat": holds("viewer contributor"),
            },
            role_groups=frozenset({(WEB, Role.ADMIN)}) if stored_as is StoredAs.GROUPS else None,
        )
        asked = policy(
            binding("eng", "contributor", web="admin", app="admin"),
            binding("ops", "admin", line=2),
            of=organization(stored_as=stored_as),
        )
        groups = membership(group("eng", "ann", "bob", *"vwxyz"), group("ops", "cat", "bob"))
        plan = planning.prepare(asked, Server(state), Groups(groups), NOW).plan
        print(plan.fingerprint)
        print(*plan.problems, sep="; ")


if __name__ == "__main__":
    main()
