"""Thinking alone: `python -m benchmarks.thought URL POLICY` prints its seconds of CPU as JSON.

Reading is not counted. `cold` is the first time in a process, with all that is loaded only then; `warm` is
once more on what was read anew, which is what to compare sizes by.
"""

import gc
import json
import sys
from collections.abc import Collection
from datetime import UTC, datetime
from pathlib import Path
from time import process_time

from benchmarks.reading import opened
from reconciler import planning
from reconciler.directories.scim import ScimDirectory
from reconciler.model import LiveState, Membership
from reconciler.naming import RoleNames
from reconciler.policy import source
from reconciler.policy.document import GroupRef, Policy
from reconciler.ports import ProvisioningFailure
from reconciler.scim.client import Client
from reconciler.scim.provider import ScimReader
from reconciler.scim.reading import Readings

NOW = datetime(2026, 11, 26, tzinfo=UTC)


class Provider:
    """A `ports.ProviderReader` that was read before and sends nothing."""

    def __init__(self, server: str, live: LiveState) -> None:
        self.server = server
        self._live = live

    def read(self) -> LiveState:
        return self._live

    def read_back(self, principal_ids: Collection[str]) -> LiveState:
        raise AssertionError("a plan reads nothing back")

    def token_user(self) -> str | None:
        return None


class Directory:
    """A `ports.Directory` that was read before and sends nothing."""

    def __init__(self, membership: Membership) -> None:
        self._membership = membership

    def read(self, groups: Collection[GroupRef], *, everybody: bool = False) -> Membership:
        return self._membership

    def failures(self) -> tuple[ProvisioningFailure, ...]:
        return ()


def seconds(client: Client, policy: Policy) -> float:
    """The CPU time of planning, after both sides were read anew. Raises ValueError where nothing differs."""
    readings = Readings(client)
    live = ScimReader(client, RoleNames(policy.organization), policy.organization, readings).read()
    membership = ScimDirectory(client, policy.organization.directory, readings).read(policy.groups)
    provider, directory = Provider(client.server, live), Directory(membership)
    del live, membership, readings
    gc.collect()
    begun = process_time()
    plan = planning.survey(policy, provider, directory, NOW).prepared.plan
    taken = process_time() - begun
    if not plan.changes or plan.problems:
        raise ValueError(f"{len(plan.changes)} changes, {len(plan.problems)} problems")
    return taken


def main() -> None:
    """Think twice."""
    policy = source.load_all([Path(sys.argv[2])], now=NOW).policies[0]
    with opened(sys.argv[1]) as client:
        cold, warm = seconds(client, policy), seconds(client, policy)
    print(json.dumps({"cold": cold, "warm": warm}))


if __name__ == "__main__":
    main()
