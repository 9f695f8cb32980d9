"""`make bench`: its table, its exit code, its server, and what it runs, on a handful of people."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks import __main__ as command
from benchmarks import capacity, floor, peer, reading, results, serving, sockets, thinking
from benchmarks.bench import Bench
from benchmarks.capacity import Case, apply_requests, plan_requests
from benchmarks.results import AtLeast, AtMost, Failure, Figure, Line, Result
from benchmarks.server import Counts, Settings
from benchmarks.world import World, user_id
from reconciler.policy.document import DirectoryKind

FAST = Result(
    "plan",
    "plan, wall time",
    "s",
    Figure("reconciler plan", (3.0, 1.0, 2.0)),
    Figure("raw", (1.0,)),
    AtMost(4),
)
SLOW = Result("rate", "refused", "%", Figure("of all that were sent", (2.5,)), None, AtMost(1), ("once",))
BEATEN = Result("peer", "reading", "MB", Figure("ours", (100.0,)), Figure("theirs", (1234.0,)), AtLeast(5))
SHOWN = Result("requests", "requests", "requests", Figure("ours", (12.0,)), Figure("model", (1200.0,)), None)
BROKEN = Failure("apply", "apply", "4,999 writes for 5,000 changes")


def test_the_table_tells_every_figure_beside_its_floor_its_goal_and_how_to_repeat_it() -> None:
    assert results.table([FAST, SLOW, BEATEN, SHOWN, BROKEN]) == (
        "result                    floor         ours       ratio         goal\n"
        "\n"
        "plan, wall time             1 s          2 s     2 times    at most 4  met\n"
        "    floor: raw\n"
        "    ours: reconciler plan (median of 3)\n"
        "    again: .venv/bin/python -m benchmarks plan\n"
        "\n"
        "refused                                2.5 %              at most 1 %  MISSED\n"
        "    ours: of all that were sent\n"
        "    once\n"
        "    again: .venv/bin/python -m benchmarks rate\n"
        "\n"
        "reading                1,234 MB       100 MB  12.3 times   at least 5  met\n"
        "    floor: theirs\n"
        "    ours: ours\n"
        "    again: .venv/bin/python -m benchmarks peer\n"
        "\n"
        "requests         1,200 requests  12 requests  0.01 times\n"
        "    floor: model\n"
        "    ours: ours\n"
        "    again: .venv/bin/python -m benchmarks requests\n"
        "\n"
        "apply                                                                  FAILED\n"
        "    4,999 writes for 5,000 changes\n"
        "    again: .venv/bin/python -m benchmarks apply\n"
        "\n"
        "missed: refused; apply"
    )


@pytest.mark.parametrize(
    ("ours", "goal", "met"),
    [
        pytest.param(8.0, AtMost(4), True, id="exactly as many times the floor"),
        pytest.param(8.1, AtMost(4), False, id="more than so many times the floor"),
        pytest.param(0.4, AtLeast(5), True, id="exactly as many times better than the peer"),
        pytest.param(0.41, AtLeast(5), False, id="fewer times better than the peer"),
        pytest.param(99.0, None, True, id="for comparison alone"),
    ],
)
def test_a_goal_is_met_up_to_its_limit(ours: float, goal: results.Goal, met: bool) -> None:
    result = Result("plan", "plan", "s", Figure("ours", (ours,)), Figure("floor", (2.0,)), goal)

    assert result.met is met


@pytest.mark.parametrize(
    ("lines", "code"),
    [
        pytest.param([FAST, BEATEN, SHOWN], 0, id="no goal is missed"),
        pytest.param([FAST, SLOW], 1, id="one is missed"),
        pytest.param([FAST, BROKEN], 1, id="one row failed"),
    ],
)
def test_it_fails_where_a_goal_is_missed(
    lines: list[Line], code: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def row(_: Bench) -> Iterator[Line]:
        yield from lines

    file = tmp_path / "build" / "bench.json"

    assert command.main(["--json", str(file)], {"all": row}) == code
    assert capsys.readouterr().out.startswith(f"{results.table(lines)}\nin ")
    written = json.loads(file.read_text(encoding="utf-8"))
    assert written["met"] is (code == 0)
    assert [one["met"] for one in written["results"]] == [line.met for line in lines]


def test_a_row_measures_its_work_in_processes_of_their_own(tmp_path: Path) -> None:
    file = tmp_path / "bench.json"

    code = command.main(["requests", "--times", "0.002", "--json", str(file)])

    (result,) = json.loads(file.read_text(encoding="utf-8"))["results"]
    assert code == 0
    assert result["floor"]["median"] == 20 + 2 + 1  # each person, each group, one write
    assert result["ours"]["median"] <= apply_requests(Case(1, 20, 2), capacity.Server(page=1000), 1)


@pytest.mark.parametrize("row", ["think", "peer"])
def test_a_row_that_reads_what_its_processes_print_can_be_tried_on_less(tmp_path: Path, row: str) -> None:
    file = tmp_path / "bench.json"

    command.main([row, "--times", "0.002", "--json", str(file)])

    first, second, *_ = json.loads(file.read_text(encoding="utf-8"))["results"]
    assert first["ours"]["median"] > 0
    assert second["floor"]["median"] > 0


@pytest.mark.parametrize("kind", thinking.KINDS)
def test_thinking_is_measured_where_those_differ_who_should_and_nothing_is_in_its_way(
    kind: DirectoryKind,
) -> None:
    prepared = thinking.thinking(2_000, kind, differing=500)()

    changed = {one.principal.user_name for one in prepared.plan.people}
    assert changed >= {f"person.{number:06}@acme.example" for number in (499, 1499)}
    assert prepared.plan.problems == ()
    assert prepared.violations == ()


def test_floor_and_peer_and_program_read_the_same() -> None:
    world = World(people=45, groups=4)
    with serving.running(world) as server:
        server.behave(Settings(page=15))
        listed = [floor.listing(server.url, path, 15, kind) for path, kind in floor.KINDS.items()]
        theirs = peer.everything(server.url, 15)

        assert listed == theirs == [45, 4]

        server.behave(Settings(page=15))
        assert reading.listed(server.url) == (45, 4)
        assert server.counts().requests == plan_requests(Case(1, 45, 4), capacity.Server(page=15))


def test_what_growth_costs_follows_from_the_figures_on_its_page() -> None:
    block = capacity.MARKED.search(capacity.PAGE.read_text(encoding="utf-8"))

    assert block
    assert capacity.told(capacity.parsed(block[0])) == block[0]


def test_an_apply_reads_people_back_by_whichever_way_takes_fewer_requests() -> None:
    server, case = capacity.Server(page=100), Case(1, 10_000, 200)
    planned = 1 + 100 + 1 + 2 + 1

    assert plan_requests(case, server) == planned
    assert apply_requests(case, server, 30) == planned + 1 + 30 + 30
    assert apply_requests(case, server, 3_000) == planned + 1 + 3_000 + 3 * 101


def test_a_run_waits_for_its_latency_or_for_the_limit_whichever_is_longer() -> None:
    server = capacity.Server(latency=0.08, at_once=8, rate=50)

    assert capacity.seconds(1_000, 2, server, limited=False) == 12
    assert capacity.seconds(1_000, 2, server, limited=True) == 22


def test_the_server_is_slow_and_unwilling_as_it_is_told_and_counts() -> None:
    world = World(people=20, groups=4)
    ids = [user_id(person) for person in range(20)]
    with serving.running(world) as server:
        server.behave(Settings(page=8, differing=3))
        pages: list[list[str]] = []
        for start in 1, 9, 17:
            with sockets.Connection(server.url) as connection:
                page = json.loads(connection.send("GET", f"/Users?startIndex={start}&count=100"))
            assert page["totalResults"] == 20
            pages.append([one["id"] for one in page["Resources"]])
        assert pages == [ids[:8], ids[8:16], ids[16:]]
        assert server.counts() == Counts(requests=3, lists=3, most_at_once=1)

        server.behave(Settings(rate=0.001, burst=2))
        with sockets.Connection(server.url) as connection:
            connection.send("GET", "/ServiceProviderConfig")
            connection.send("GET", "/ServiceProviderConfig")
            with pytest.raises(ConnectionError, match=" 429 "):
                connection.send("GET", "/ServiceProviderConfig")
        assert server.counts() == Counts(requests=3, refused=1, most_at_once=1)


def test_a_person_who_was_written_is_answered_so_and_all_others_as_they_were() -> None:
    world = World(people=20, groups=4)
    body = b'{"Operations": [{"op": "add", "path": "roles", "value": [{"value": "x"}]}]}'
    with serving.running(world) as server, sockets.Connection(server.url) as connection:
        before = json.loads(connection.send("GET", "/Users"))["Resources"]
        connection.send("PATCH", f"/Users/{user_id(7)}", body)
        after = json.loads(connection.send("GET", "/Users"))["Resources"]
        one = json.loads(connection.send("GET", f"/Users/{user_id(7)}"))

        assert one["roles"] == [*before[7]["roles"], {"value": "x"}]
        assert after == [*before[:7], one, *before[8:]]
        assert server.counts().writes == 1


def test_a_policy_of_few_groups_has_no_file_without_any() -> None:
    files = dict(World(people=10, groups=2).policy(40))

    assert list(files) == ["organization.yaml", "teams/team-0000.yaml", "teams/team-0001.yaml"]


def test_as_many_people_differ_as_it_was_told() -> None:
    world = World(people=1_000, groups=20)

    other = world.differing(60)

    assert len(other) == 60
    assert all(roles != world.roles(person) for person, roles in other.items())
