"""Our reading alone: `python -m benchmarks.reading URL GROUPS`, as a run reads both sides, and no policy.

It prints how many people there are, how many groups of a policy that names all of them, and how many seconds
of CPU it took to read them.
"""

import gc
import sys
from time import process_time

import httpx  # noqa: F401 (the program loads it when it first sends; the peer has it loaded, too)

from benchmarks.world import ORGANIZATION, World, group_name
from reconciler.directories.scim import ScimDirectory
from reconciler.naming import RoleNames
from reconciler.policy.document import DirectorySettings, GroupRef, Mode, Organization
from reconciler.problem import Location
from reconciler.scim.client import Client, open_client
from reconciler.scim.provider import ScimReader
from reconciler.scim.reading import Readings
from reconciler.settings import Connection, Token


def opened(url: str) -> Client:
    """A client of the server there, which checks no token."""
    return open_client(Connection(url, Token("nobody-looks-at-this")))


def listed(url: str, number: int) -> tuple[int, int]:
    """How many people there are, and how many of so many groups; both sides read as a run reads them."""
    projects = {name: name for name in World(0, number).project_names}
    here = Location("organization.yaml", 1, 1)
    organization = Organization(ORGANIZATION, Mode.ENFORCE, here, projects=projects)
    with opened(url) as client:
        readings = Readings(client)
        provider = ScimReader(client, RoleNames(organization), organization, readings)
        live = provider.read()
        directory = ScimDirectory(client, DirectorySettings(), readings)
        membership = directory.read({GroupRef(group_name(n)) for n in range(number)})
    return len(live.people), len(membership.groups)


def main() -> None:
    """Read everything. The command line collects garbage so rarely that it would not here."""
    gc.disable()
    begun = process_time()
    print(*listed(sys.argv[1], int(sys.argv[2])), process_time() - begun)


if __name__ == "__main__":
    main()
