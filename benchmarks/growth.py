"""How the time that thinking takes grows with an organization: `.venv/bin/python benchmarks/growth.py`.

For each kind of work it prints the CPU time of four times as much, as a ratio of the time of as much; best of
five. Four is linear, sixteen would be quadratic.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from time import process_time

from reconciler.model import DirectoryGroup, LiveState, Member, Membership, Principal
from reconciler.people import groups, population
from reconciler.policy.document import DirectoryKind, DirectorySettings, GroupRef, Mode, Organization, Policy
from reconciler.problem import Location

HERE = Location("organization.yaml", 1, 1)
SMALL, LARGE = 5_000, 20_000
TIMES = 5
NOW = datetime(2026, 11, 26, tzinfo=UTC)


def finding_groups(number: int) -> Callable[[], object]:
    """Every group of a directory, by its name."""
    everything = tuple(DirectoryGroup(f"g-{n}", f"Group {n}", frozenset()) for n in range(number))
    names = [GroupRef(group.name) for group in everything]

    def work() -> None:
        membership = Membership(everything)  # a new one each time: what it remembers is part of the work
        for name in names:
            groups.find(name, HERE, membership)

    return work


def sorting_people(number: int) -> Callable[[], object]:
    """Everybody of a directory, all of whom have an account."""
    accounts = [Principal(f"u-{n}", f"p{n}@acme.example", f"x-{n}", active=True) for n in range(number)]
    people = frozenset(Member(None, one.external_id, one.user_name, active=True) for one in accounts)
    live = LiveState({one.id: one for one in accounts}, {})
    organization = Organization("acme", Mode.REPORT, HERE, directory=DirectorySettings(DirectoryKind.FILE))
    return lambda: population.of(Policy(organization), Membership((), people=people), live, NOW)


def seconds(work: Callable[[], object]) -> float:
    """The CPU time of the fastest of several tries."""

    def once() -> float:
        begun = process_time()
        work()
        return process_time() - begun

    return min(once() for _ in range(TIMES))


def main() -> None:
    """Print a line for each kind of work."""
    for work in finding_groups, sorting_people:
        small, large = seconds(work(SMALL)), seconds(work(LARGE))
        print(f"{work.__name__.replace('_', ' ')}: {LARGE} to {SMALL}: {large / small:.1f} times")


if __name__ == "__main__":
    main()
