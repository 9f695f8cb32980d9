"""What grows with an organization grows no faster than the organization: four times as much takes four times.

Measured is CPU time, the best of three, of sizes at which anything quadratic would take sixteen times.
"""

from collections.abc import Callable
from dataclasses import replace
from time import process_time

import pytest
from build import NOW, at, organization, policy

from reconciler.model import DirectoryGroup, LiveState, Member, Membership, Principal
from reconciler.people import groups, population
from reconciler.policy.document import DirectoryKind, DirectorySettings, GroupRef

SMALL, LARGE = 1500, 6000
MOST = 9
"""So much longer may the larger take, on a machine that others use as well."""


def finding_groups(number: int) -> Callable[[], object]:
    """Every group of a directory, by its name."""
    everything = tuple(DirectoryGroup(f"g-{n}", f"Group {n}", frozenset()) for n in range(number))
    names = [GroupRef(group.name) for group in everything]
    # A membership of its own for each measurement: what it remembers is part of the work.
    return lambda: [
        groups.find(name, at(), membership) for membership in [Membership(everything)] for name in names
    ]


def sorting_people(number: int) -> Callable[[], object]:
    """Everybody of a directory, all of whom have an account."""
    accounts = [Principal(f"u-{n}", f"p{n}@acme.example", f"x-{n}", active=True) for n in range(number)]
    people = frozenset(Member(None, one.external_id, one.user_name, active=True) for one in accounts)
    live = LiveState({one.id: one for one in accounts}, {})
    asks = policy(of=replace(organization(), directory=DirectorySettings(DirectoryKind.FILE)))
    return lambda: population.of(asks, Membership((), people=people), live, NOW)


def seconds(work: Callable[[], object]) -> float:
    def once() -> float:
        begun = process_time()
        work()
        return process_time() - begun

    return min(once() for _ in range(3))


@pytest.mark.parametrize("work", [finding_groups, sorting_people])
def test_four_times_as_many_take_no_more_than_some_four_times_as_long(
    work: Callable[[int], Callable[[], object]],
) -> None:
    assert seconds(work(LARGE)) < MOST * seconds(work(SMALL))
