"""The rows of the table: each measures its work beside the floor of that work, in turns."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from json import loads
from math import ceil
from pathlib import Path
from statistics import median
from tempfile import mkdtemp

from benchmarks import serving, sockets
from benchmarks.processes import ROOT, Cost, WorkError, cost, python, script
from benchmarks.results import AtLeast, AtMost, Figure, Line, Result
from benchmarks.server import Settings
from benchmarks.serving import Server
from benchmarks.world import World, group_id, user_id

MEMORY = 400.0
"""Megabytes of a whole plan."""


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

    def smaller(self, by: int) -> "Scale":
        """The same with so many times less work: to try the benchmarks out, for no goal is meant for it."""
        sizes = {
            name: max(1, getattr(self, name) // by) for name in ("people", "changed", "files", "bindings")
        }
        groups, files = max(2, self.groups // by), max(1, self.policy_files // by)
        return replace(self, **sizes, groups=groups, policy_files=files, short=1, usual=1, long=1)


@dataclass(slots=True)
class Bench:
    """Where rows find servers and policies: each is made when first asked for, and kept."""

    scale: Scale
    folder: Path
    stack: ExitStack
    servers: dict[str, Server] = field(default_factory=dict)

    @property
    def world(self) -> World:
        return World(self.scale.people, self.scale.groups)

    @property
    def tenth(self) -> World:
        """A world that is ten times smaller."""
        return World(max(1, self.scale.people // 10), max(2, self.scale.groups // 10))

    def server(self, world: World, settings: Settings, name: str = "") -> Server:
        """A server of a world, at its beginning; several rows may have the one of a name, one at a time."""
        key = f"{world.people}{name}"
        if key not in self.servers:
            self.servers[key] = self.stack.enter_context(serving.running(world))
        self.servers[key].behave(settings)
        return self.servers[key]

    def policy(self, world: World, files: int) -> Path:
        """The folder of a policy that binds all groups of a world in so many files."""
        folder = self.folder / f"{world.groups}-groups-{files}-files"
        for name, text in world.policy(files) if not folder.exists() else ():
            file = folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        return folder

    def plan(self, server: Server) -> Cost:
        """What a plan of everything costs. Raises WorkError where it finds something to do."""
        policy = self.policy(server.world, self.scale.policy_files)
        return cost(script("reconciler", "plan", "--exit-code", str(policy)), server.environ)

    def apply(self, server: Server) -> Cost:
        """What it costs to apply everything that differs."""
        policy = self.policy(server.world, self.scale.policy_files)
        ledger = Path(mkdtemp(dir=self.folder), "ledger.jsonl")
        return cost(script("reconciler", "apply", str(policy), "--ledger", str(ledger)), server.environ)

    def floor(self, server: Server, page: int) -> Cost:
        """What it costs just to list everything."""
        return _listed(cost(python("floor", server.url, str(page))), server.world)


def plan(bench: Bench) -> Iterator[Line]:
    """A whole plan where nothing differs and the wire costs nothing."""
    scale = bench.scale
    server = bench.server(bench.world, Settings(page=scale.page))
    floors, ours = _in_turns(scale.usual, lambda: bench.floor(server, scale.page), lambda: bench.plan(server))
    size = f"{scale.people:,} people, {scale.groups:,} groups, pages of {scale.page:,}, no latency"
    cpu = f"CPU time: ours {_cpu(ours):.3g} s, the floor's {_cpu(floors):.3g} s"
    raw = "a process that lists all by raw sockets, 8 connections, msgspec into the fields that are needed"
    command = f"reconciler plan, a policy of {scale.policy_files} files, whole process"
    yield Result(
        "plan", "plan, wall time", "s", _wall(command, ours), _wall(raw, floors), AtMost(4), (size, cpu)
    )
    memory = f"the floor held {max(one.memory for one in floors):.0f} MB"
    peak = Figure(f"{command}, peak memory", tuple(one.memory for one in ours))
    yield Result("plan", "plan, memory", "MB", peak, None, AtMost(MEMORY), (size, memory))


def latency(bench: Bench) -> Iterator[Line]:
    """A whole plan where each request takes its time."""
    scale = bench.scale
    pages = ceil(scale.people / scale.slow_page) + ceil(scale.groups / scale.slow_page)
    server = bench.server(bench.world, Settings(latency=scale.slow_seconds, page=scale.slow_page))
    ours = [bench.plan(server) for _ in range(scale.long)]
    sent = server.counts().requests // scale.long
    floor = Figure(
        f"{pages:,} pages, 8 at once, {scale.slow_seconds * 1000:.0f} ms each",
        (pages / sockets.CONNECTIONS * scale.slow_seconds,),
    )
    figure = _wall("reconciler plan, whole process", ours)
    note = f"pages of {scale.slow_page}; {sent:,} requests sent by each plan"
    yield Result("latency", "plan at a distance, wall time", "s", figure, floor, AtMost(1.5), (note,))


def peer(bench: Bench) -> Iterator[Line]:
    """Reading alone, beside a client that many use."""
    scale = bench.scale
    server = bench.server(bench.world, Settings(page=scale.page), "peer")
    ours = [
        _listed(cost(python("reading", server.url, str(scale.groups))), server.world)
        for _ in range(scale.usual)
    ]
    cost([*script("python"), "-c", "import benchmarks.peer"])  # compiled by now, as ours is
    theirs = _listed(cost(python("peer", server.url, str(scale.page))), server.world)
    what = "scim2-client lists everything, its models validate: its normal use; CPU time, once"
    fair = f"its wall time was {theirs.wall:.3g} s; ours is compared by wall time, which is more"
    reading = "the program's reading of both sides, whole process"
    yield Result(
        "peer", "reading, times faster", "s",
        _wall(reading, ours), Figure(what, (theirs.cpu,)), AtLeast(40), (fair,),
    )  # fmt: skip
    yield Result(
        "peer", "reading, times less memory", "MB",
        Figure(f"{reading}, peak memory", tuple(one.memory for one in ours)),
        Figure("scim2-client, peak memory", (theirs.memory,)), AtLeast(5),
    )  # fmt: skip


def validate(bench: Bench) -> Iterator[Line]:
    """Many files, and a mistake in one of them is told by its place."""
    scale = bench.scale
    policy = bench.policy(World(0, scale.bindings), scale.files)
    files = sorted(map(str, (policy / "teams").iterdir()))
    schema = str(ROOT / "schemas" / "policy.schema.json")
    floors, ours = _in_turns(
        scale.long,
        lambda: cost(script("check-jsonschema", "--schemafile", schema, *files)),
        lambda: cost(script("reconciler", "validate", str(policy))),
    )
    _check_place(bench)
    size = f"{scale.files:,} files, {scale.bindings:,} bindings in all"
    told = "a mistake is told with its line and column: looked at in the same run"
    yield Result(
        "validate", "validate, wall time", "s",
        _wall("reconciler validate, whole process", ours),
        _wall("check-jsonschema of the same files with the same schema", floors),
        AtMost(0.5), (size, told),
    )  # fmt: skip


def think(bench: Bench) -> Iterator[Line]:
    """Thinking alone, in CPU time, and how it grows."""
    scale = bench.scale
    sizes = {bench.world: scale.changed, bench.tenth: scale.changed // 10}
    large, small = (
        [_thought(bench, world, changed) for _ in range(scale.long)] for world, changed in sizes.items()
    )
    what = "desired, drift, plan and guardrails of what was read: CPU time"
    size = f"{scale.people:,} people, {scale.groups:,} groups, {scale.changed:,} people change"
    cold = Figure(f"{what}, the first time in a process", tuple(one["cold"] for one in large))
    yield Result("think", "thinking, CPU", "s", cold, None, AtMost(1), (size,))
    yield Result(
        "think", "thinking, growth", "s",
        Figure(f"{scale.people:,} people, the second time", tuple(one["warm"] for one in large)),
        Figure(f"{bench.tenth.people:,} people, the second time", tuple(one["warm"] for one in small)),
        AtMost(11),
    )  # fmt: skip


def apply(bench: Bench) -> Iterator[Line]:
    """Many changes, on a server that allows some at once."""
    scale = bench.scale
    settings = Settings(
        latency=scale.write_seconds, page=scale.page, at_once=scale.at_once, differing=scale.changed
    )
    floor = Figure(
        f"{scale.changed:,} writes, {scale.at_once} at once, {scale.write_seconds * 1000:.0f} ms each",
        (scale.changed / scale.at_once * scale.write_seconds,),
    )
    yield from _applied(bench, "apply", "apply", settings, floor, 1.3, scale.long)


def rate(bench: Bench) -> Iterator[Line]:
    """The same, on a server that allows some a second."""
    scale = bench.scale
    settings = Settings(
        latency=scale.write_seconds, page=scale.page, rate=scale.rate, differing=scale.changed
    )
    floor = Figure(f"{scale.changed:,} writes, {scale.rate} a second", (scale.changed / scale.rate,))
    yield from _applied(bench, "rate", "apply at a limit", settings, floor, 1.1, 1)


def requests(bench: Bench) -> Iterator[Line]:
    """How many requests it takes, beside tools that ask for each resource by itself, as Terraform does."""
    world, changed = bench.tenth, max(1, bench.scale.changed // 10)
    settings = Settings(page=bench.scale.page, differing=changed)
    server = bench.server(world, settings)
    bench.apply(server)
    ours = server.counts().requests
    server.behave(settings)
    sockets.abreast(server.url, _one_by_one(world, changed))
    theirs = server.counts().requests
    what = (
        f"a model of tools that know one resource at a time, sent and counted: a GET for each of "
        f"{world.people:,} people and {world.groups:,} groups, a PATCH for each change"
    )
    yield Result(
        "requests", "requests of an apply", "requests",
        Figure(f"reconciler apply, {changed:,} people change, counted by the server", (ours,)),
        Figure(what, (theirs,)), None,
    )  # fmt: skip


def starting(bench: Bench) -> Iterator[Line]:
    """What there is to wait for before anything happens."""
    floors, ours = _in_turns(
        bench.scale.short,
        lambda: cost([*script("python"), "-c", "import click"]),
        lambda: cost(script("reconciler", "--help")),
    )
    yield Result(
        "help", "help, wall time", "s",
        _wall("reconciler --help", ours), _wall('python -c "import click"', floors), AtMost(2),
    )  # fmt: skip


Row = Callable[[Bench], Iterator[Line]]

ROWS: Mapping[str, Row] = {
    "plan": plan,
    "latency": latency,
    "validate": validate,
    "think": think,
    "apply": apply,
    "help": starting,
    "requests": requests,
    "rate": rate,
    "peer": peer,
}
WAITING = "rate"
"""The row that does nothing but wait, for as long as all others take together."""


def _applied(
    bench: Bench, row: str, title: str, settings: Settings, floor: Figure, limit: float, times: int
) -> list[Line]:
    """What an apply takes, each on a server at its beginning. Raises WorkError where it writes too much."""
    ours, refused, all_sent = [], 0, 0
    for _ in range(times):
        server = bench.server(bench.world, settings, "waiting" if row == WAITING else "")
        ours.append(bench.apply(server))
        counts = server.counts()
        if counts.writes != settings.differing:
            raise WorkError(f"{counts.writes:,} writes for {settings.differing:,} changes")
        refused, all_sent = refused + counts.refused, all_sent + counts.requests
    figure = _wall("reconciler apply, whole process", ours)
    note = f"{settings.differing:,} of {bench.scale.people:,} people change; exactly so many writes"
    share = Figure("refused requests, of all that were sent", (100 * refused / all_sent,))
    return [
        Result(row, f"{title}, wall time", "s", figure, floor, AtMost(limit), (note,)),
        Result(row, f"{title}, refused", "%", share, None, AtMost(1)),
    ]


def _thought(bench: Bench, world: World, changed: int) -> Mapping[str, float]:
    server = bench.server(world, Settings(page=bench.scale.page, differing=max(1, changed)))
    policy = bench.policy(world, bench.scale.policy_files)
    seconds: Mapping[str, float] = loads(cost(python("thought", server.url, str(policy))).output)
    return seconds


def _check_place(bench: Bench) -> None:
    """Raises WorkError where a mistake is not told by its line and column."""
    folder = bench.folder / "mistaken"
    for name, text in World(0, 5).policy(1):
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text.replace("organization: viewer", "organization: viewr", 1), encoding="utf-8")
    told = cost(script("reconciler", "validate", str(folder)), expected=6).output
    if ":7:19 " not in told:
        raise WorkError(f"a mistake in line 7, column 19 is told as {told!r}")


def _one_by_one(world: World, changed: int) -> Iterator[tuple[str, str, bytes]]:
    for person in range(world.people):
        yield "GET", f"/Users/{user_id(person)}", b""
    for group in range(world.groups):
        yield "GET", f"/Groups/{group_id(group)}", b""
    for person in world.differing(changed):
        roles = ", ".join(f'{{"value": "{one["value"]}"}}' for one in world.roles(person))
        operation = f'{{"op": "replace", "path": "roles", "value": [{roles}]}}'
        yield "PATCH", f"/Users/{user_id(person)}", f'{{"Operations": [{operation}]}}'.encode()


def _in_turns(
    times: int, floor: Callable[[], Cost], ours: Callable[[], Cost]
) -> tuple[list[Cost], list[Cost]]:
    """Both again and again, one after the other, so that what slows the machine down slows both."""
    pairs = [(floor(), ours()) for _ in range(times)]
    return [one for one, _ in pairs], [one for _, one in pairs]


def _cpu(costs: list[Cost]) -> float:
    return median(one.cpu for one in costs)


def _wall(what: str, costs: list[Cost]) -> Figure:
    return Figure(what, tuple(one.wall for one in costs))


def _listed(found: Cost, world: World) -> Cost:
    """The same. Raises WorkError where it did not find everybody."""
    if found.output.split() != [str(world.people), str(world.groups)]:
        raise WorkError(f"{found.output.strip()} were listed of {world.people} people, {world.groups} groups")
    return found
