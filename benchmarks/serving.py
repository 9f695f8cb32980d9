"""The server of the benchmarks in a process of its own, and the word with it: settings there, counts back."""

import json
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from urllib.request import Request, urlopen

from benchmarks.processes import ROOT, python
from benchmarks.server import BASE, Counts, Settings
from benchmarks.world import World

TOKEN = "nobody-looks-at-this-token"


@dataclass(frozen=True, slots=True)
class Server:
    """A server that runs, and its world."""

    url: str
    world: World

    @property
    def environ(self) -> Mapping[str, str]:
        """What leads the program to it."""
        return {"CIRCLECI_SCIM_URL": self.url, "CIRCLECI_SCIM_TOKEN": TOKEN}

    def behave(self, settings: Settings) -> None:
        """Put everything back to the beginning."""
        content = json.dumps(asdict(settings)).encode()
        with urlopen(Request(self._beside("/settings"), content, method="PUT")):
            pass

    def counts(self) -> Counts:
        """What it was asked since."""
        with urlopen(self._beside("/counts")) as answer:
            return Counts(**json.load(answer))

    def _beside(self, path: str) -> str:
        return self.url.removesuffix(BASE) + path


@contextmanager
def running(world: World) -> Iterator[Server]:
    """A server of this world, until it is not needed any more."""
    command = python("server", "--people", str(world.people), "--groups", str(world.groups))
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None
    assert process.stdout is not None
    with process:  # which closes its input, and so ends it
        yield Server(process.stdout.readline().strip(), world)
