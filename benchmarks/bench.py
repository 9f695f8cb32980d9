"""Where rows find servers and policies, and the program run on them, measured from outside."""

from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import mkdtemp

from benchmarks import serving
from benchmarks.processes import Cost, WorkError, cost, python, script
from benchmarks.server import Settings
from benchmarks.serving import Server
from benchmarks.world import World


@dataclass(frozen=True, slots=True)
class Scale:
    """How big everything is."""

    people: int = 100_000
    groups: int = 2_000
    policy_files: int = 40
    page: int = 1_000
    slow_page: int = 100
    slow_seconds: float = 0.05
    changed: int = 5_000
    write_seconds: float = 0.02
    at_once: int = 8
    rate: int = 50
    files: int = 1_000
    bindings: int = 5_000
    short: int = 11
    """How often what takes no time is repeated."""
    usual: int = 5
    long: int = 3
    few: int = 2
    """How often what takes longest is."""

    def times(self, factor: float) -> "Scale":
        """The same with so many times as much work, each once; the goals are not meant for it."""
        names = ("people", "changed", "files", "bindings", "policy_files")
        sizes = {name: max(1, round(getattr(self, name) * factor)) for name in names}
        return replace(
            self, **sizes, groups=max(2, round(self.groups * factor)), short=1, usual=1, long=1, few=1
        )


@dataclass(slots=True)
class Bench:
    """Where rows find servers and policies: each is made when first asked for, and kept."""

    scale: Scale
    folder: Path
    stack: ExitStack
    servers: dict[World, Server] = field(default_factory=dict)

    @property
    def world(self) -> World:
        return World(self.scale.people, self.scale.groups)

    @property
    def tenth(self) -> World:
        """A world that is ten times smaller."""
        return World(max(1, self.scale.people // 10), max(2, self.scale.groups // 10))

    def server(self, world: World, settings: Settings) -> Server:
        """The server of a world, at its beginning; rows have it one at a time."""
        if world not in self.servers:
            self.servers[world] = self.stack.enter_context(serving.running(world))
        self.servers[world].behave(settings)
        return self.servers[world]

    def policy(self, world: World, files: int) -> Path:
        """The folder of a policy that binds all groups of a world in so many files."""
        folder = self.folder / f"{world.groups}-groups-{files}-files"
        write(folder, world.policy(files))
        return folder

    def plan(self, server: Server, organizations: int = 1) -> Cost:
        """What a plan of everything costs. Raises WorkError where it finds something to do.

        Several organizations have the same people, on the same server.
        """
        names = [f"acme-{number}" for number in range(organizations)]
        folder = self.folder / f"{organizations}-of-{server.world.groups}-groups"
        for name in names:
            write(folder / name, server.world.policy(self.scale.policy_files, name))
        return cost(script("reconciler", "plan", "--exit-code", str(folder)), server.environ)

    def apply(self, server: Server) -> Cost:
        """What it costs to apply everything that differs."""
        policy = self.policy(server.world, self.scale.policy_files)
        ledger = Path(mkdtemp(dir=self.folder), "ledger.jsonl")
        return cost(script("reconciler", "apply", str(policy), "--ledger", str(ledger)), server.environ)

    def floor(self, server: Server, page: int) -> Cost:
        """What it costs just to list everything."""
        return listed(cost(python("floor", server.url, str(page))), server.world)


def listed(found: Cost, world: World) -> Cost:
    """The same. Raises WorkError where it did not find everybody."""
    if found.output.split()[:2] != [str(world.people), str(world.groups)]:
        raise WorkError(f"{found.output.strip()} were listed of {world.people} people, {world.groups} groups")
    return found


def write(folder: Path, files: Iterable[tuple[str, str]]) -> None:
    """Write the files of a policy, unless its folder is there."""
    if folder.exists():
        return
    for name, text in files:
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
