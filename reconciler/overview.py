"""One organization as it stands: its plan, what everybody has and should have, its past. Reads nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from reconciler import explanation
from reconciler.explanation import Case, Explanation, Question
from reconciler.history import PastRun
from reconciler.planning import Prepared, Sides, Survey
from reconciler.policy.document import Policy


@dataclass(frozen=True)
class Overview:
    """What a report tells of. `case` has both sides, `prepared` their plan."""

    case: Case
    prepared: Prepared

    @cached_property
    def people(self) -> tuple[Explanation, ...]:
        """Everybody who has or should have something, by userName, with the scopes in which that is so."""
        return explanation.holders(self.case, Question())

    @cached_property
    def runs(self) -> tuple[PastRun, ...]:
        """The runs of this organization on this server that a ledger tells of, oldest first."""
        ours = (self.case.policy.organization.name, self.case.server)
        return tuple(run for run in self.case.runs if (run.organization, run.begun.server) == ours)


def of(policy: Policy, server: str, survey: Survey, now: datetime, runs: Sequence[PastRun] = ()) -> Overview:
    """The overview of what was surveyed at the moment `now` (aware); `runs` are those of a ledger."""
    return Overview(case(policy, server, survey.sides, now, runs), survey.prepared)


def case(policy: Policy, server: str, sides: Sides, now: datetime, runs: Sequence[PastRun] = ()) -> Case:
    """Both sides as `explanation` asks about them."""
    return Case(
        policy,
        server,
        sides.course.live,
        sides.membership,
        sides.asked,
        now,
        runs,
        sides.course.changes,
    )
