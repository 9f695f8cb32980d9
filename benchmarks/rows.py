"""The rows of the table: each measures its work beside the floor of that work, in turns."""

from collections.abc import Callable, Iterator, Mapping
from json import loads
from math import ceil

from benchmarks import sockets, thinking
from benchmarks.bench import Bench, listed, write
from benchmarks.processes import ROOT, Cost, WorkError, cost, python, script
from benchmarks.results import AtLeast, AtMost, Figure, Line, Result
from benchmarks.server import Settings
from benchmarks.world import World, group_id, user_id

SEVERAL = 5
"""Organizations, to see what each one more takes."""
MEMORY = 400.0
"""Megabytes of a whole plan."""


def plan(bench: Bench) -> Iterator[Line]:
    """A whole plan where nothing differs and the wire costs nothing."""
    scale = bench.scale
    server = bench.server(bench.world, Settings(page=scale.page))
    floors, ours = _in_turns(scale.usual, lambda: bench.floor(server, scale.page), lambda: bench.plan(server))
    size = f"{scale.people:,} people, {scale.groups:,} groups, pages of {scale.page:,}, no latency"
    raw = "a process that lists all by raw sockets, 8 connections, msgspec into the fields that are needed"
    command = f"reconciler plan, a policy of {scale.policy_files} files, whole process"
    yield Result("plan", "plan, wall time", "s", _wall(command, ours), _wall(raw, floors), AtMost(4), (size,))
    yield Result("plan", "plan, CPU time", "s", _cpu(command, ours), _cpu(raw, floors), None)
    memory = f"the floor held {max(one.memory for one in floors):.0f} MB"
    yield Result("plan", "plan, memory", "MB", _memory(command, ours), None, AtMost(MEMORY), (size, memory))


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
    server = bench.server(bench.world, Settings(page=scale.page))
    ours = [listed(cost(python("reading", server.url)), server.world) for _ in range(scale.usual)]
    cost([*script("python"), "-c", "import benchmarks.peer"])  # compiled by now, as ours is
    theirs = listed(cost(python("peer", server.url, str(scale.page))), server.world)
    what = "scim2-client lists everything, its models validate: its normal use"
    reading = "the program lists everything as a run does, complete or not at all"
    whole = f"as whole processes: {theirs.wall:.3g} s, and ours {_wall(reading, ours).median:.3g} s"
    yield Result(
        "peer", "reading, times faster, CPU time", "s",
        Figure(reading, tuple(map(_reading, ours))), Figure(what, (_reading(theirs),)), AtLeast(40), (whole,),
    )  # fmt: skip
    yield Result(
        "peer", "reading, times less memory", "MB",
        _memory(reading, ours), _memory("scim2-client", [theirs]), AtLeast(5),
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
    command = python("thinking", "--people", str(scale.people), "--changed", str(scale.changed))
    found = [loads(cost(command).output) for _ in range(scale.few)]
    what = "desired, drift, plan and guardrails of what is in memory: CPU time"
    size = (
        f"{scale.people:,} people, a group for every {thinking.IN_A_GROUP}, {scale.changed:,} people change"
    )
    cold = Figure(f"{what}, the first time in a process", tuple(one["cold"] for one in found))
    yield Result("think", "thinking, CPU", "s", cold, None, AtMost(1), (size,))
    yield Result(
        "think", "thinking, growth", "s",
        Figure(f"{scale.people:,} people, once it is warm", tuple(s for one in found for s in one["large"])),
        Figure(
            f"{scale.people // 10:,} people, each of ten organizations in turns with it",
            tuple(s for one in found for s in one["small"]),
        ),
        AtMost(11),
    )  # fmt: skip
    alone = loads(cost([*command, "--kind", "file", "--times", "0"]).output)["cold"]
    whole = "it tells of everybody, and has a say in accounts; classes of people, too"
    own = Figure(f"{what}, the first time in a process", (alone,))
    yield Result("think", "thinking, a directory of its own", "s", own, None, None, (whole,))


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
        latency=scale.write_seconds,
        page=scale.page,
        rate=scale.rate,
        burst=scale.rate,  # what it saves up while nothing comes is that of a second, as is usual
        differing=scale.changed,
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


def smallest(bench: Bench) -> Iterator[Line]:
    """A plan of hardly anybody: what every run costs."""
    server = bench.server(World(10, 2), Settings(page=bench.scale.page))
    ours = [bench.plan(server) for _ in range(bench.scale.usual)]
    what = "reconciler plan of 10 people, whole process"
    yield Result("smallest", "plan of hardly anybody, CPU time", "s", _cpu(what, ours), None, None)
    yield Result("smallest", "plan of hardly anybody, memory", "MB", _memory(what, ours), None, None)


def several(bench: Bench) -> Iterator[Line]:
    """What a run over several organizations keeps of those that it is done with."""
    server = bench.server(bench.tenth, Settings(page=bench.scale.page))
    one, all_ = _in_turns(bench.scale.long, lambda: bench.plan(server), lambda: bench.plan(server, SEVERAL))
    each = f"{bench.tenth.people:,} people"
    yield Result(
        "several", "plan of several organizations, memory", "MB",
        _memory(f"reconciler plan of {SEVERAL} organizations of {each}", all_),
        _memory(f"reconciler plan of one organization of {each}", one), None,
    )  # fmt: skip


Row = Callable[[Bench], Iterator[Line]]

ROWS: Mapping[str, Row] = {
    "plan": plan,
    "latency": latency,
    "validate": validate,
    "think": think,
    "apply": apply,
    "help": starting,
    "smallest": smallest,
    "several": several,
    "requests": requests,
    "peer": peer,
    "rate": rate,
}
WAITING = "rate"
"""The row that does nothing but wait, nearly as long as all others take together."""


def _applied(
    bench: Bench, row: str, title: str, settings: Settings, floor: Figure, limit: float, times: int
) -> list[Line]:
    """What an apply takes, each on a server at its beginning. Raises WorkError where it writes too much."""
    ours, refused, all_sent = [], 0, 0
    for _ in range(times):
        server = bench.server(bench.tenth, settings)
        ours.append(bench.apply(server))
        counts = server.counts()
        if counts.writes != settings.differing:
            raise WorkError(f"{counts.writes:,} writes for {settings.differing:,} changes")
        refused, all_sent = refused + counts.refused, all_sent + counts.requests
    figure = _wall("reconciler apply, whole process", ours)
    note = f"{settings.differing:,} of {bench.tenth.people:,} people change; exactly so many writes"
    share = Figure("refused requests, of all that were sent", (100 * refused / all_sent,))
    return [
        Result(row, f"{title}, wall time", "s", figure, floor, AtMost(limit), (note,)),
        Result(row, f"{title}, CPU time", "s", _cpu("reconciler apply, whole process", ours), None, None),
        Result(row, f"{title}, refused", "%", share, None, AtMost(1)),
    ]


def _check_place(bench: Bench) -> None:
    """Raises WorkError where a mistake is not told by its line and column."""
    folder = bench.folder / "mistaken"
    spoilt = "organization: viewer", "organization: viewr"
    write(folder, ((name, text.replace(*spoilt, 1)) for name, text in World(0, 5).policy(1)))
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


def _reading(one: Cost) -> float:
    """The seconds that it says it took, which is without the start of the process."""
    return float(one.output.split()[2])


def _wall(what: str, costs: list[Cost]) -> Figure:
    return Figure(what, tuple(one.wall for one in costs))


def _cpu(what: str, costs: list[Cost]) -> Figure:
    return Figure(what, tuple(one.cpu for one in costs))


def _memory(what: str, costs: list[Cost]) -> Figure:
    return Figure(f"{what}, peak memory", tuple(one.memory for one in costs))
