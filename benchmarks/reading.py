"""Our reading alone: `python -m benchmarks.reading URL` lists everybody and every group, as a run does.

It prints how many people and groups there are, and how many seconds of CPU it took to read them. What roles
and members mean is no part of it, as it is none of what its peer does.
"""

import gc
import sys
from time import process_time

import httpx  # noqa: F401 (the program loads it when it first sends; the peer has it loaded, too)

from reconciler.scim.client import open_client
from reconciler.scim.reading import Readings
from reconciler.settings import Connection, Token


def listed(url: str) -> tuple[int, int]:
    """How many people and groups there are, all of them held at once. No token is checked there."""
    with open_client(Connection(url, Token("nobody-looks-at-this"))) as client:
        reading = Readings(client).take("both")
        return len(reading.people), len(reading.groups)


def main() -> None:
    """Read everything. The command line collects garbage so rarely that it would not here."""
    gc.disable()
    begun = process_time()
    print(*listed(sys.argv[1]), process_time() - begun)


if __name__ == "__main__":
    main()
