"""Organizations split over parallel containers: each does its own part, and knows all that the others did."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from cli.in_memory import HEAD, Ran, alone, many, ran
from cli.small_world import write_policy
from scim.fake_server import FakeServer

from reconciler import ledger, ledgers
from reconciler.shards import Shard

NAMES = ("acme", "globex", "umbrella")
OWNERS = {name: next(one for one in range(2) if Shard(one, 2).has(name)) for name in NAMES}
"""Of two containers, the second has umbrella alone."""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in NAMES:
        write_policy(tmp_path / "policies" / name, HEAD.replace("acme", name))
    return alone(tmp_path, monkeypatch)


def world() -> dict[str, FakeServer]:
    return {name: many() for name in NAMES}


def on(index: int, servers: Mapping[str, FakeServer], *arguments: str, **variables: str) -> Ran:
    """One run on one of two of CircleCI's parallel containers."""
    return ran(servers, *arguments, CIRCLE_NODE_INDEX=str(index), CIRCLE_NODE_TOTAL="2", **variables)


def asked(servers: Mapping[str, FakeServer]) -> list[str]:
    return [name for name, server in servers.items() if server.requests]


def written(servers: Mapping[str, FakeServer]) -> list[str]:
    return [name for name, server in servers.items() if server.writes]


def fingerprints(servers: Mapping[str, FakeServer]) -> dict[str, str]:
    plans = ran(servers, "plan", "--format", "json").data["plans"]
    return {plan["organization"]: plan["fingerprint"] for plan in plans}


def test_here_the_split_is_uneven() -> None:
    assert OWNERS == {"acme": 0, "globex": 0, "umbrella": 1}


# Each its part


@pytest.mark.parametrize("command", ["plan", "apply", "drift"])
def test_two_containers_do_together_what_one_does_and_each_asks_only_its_own_servers(command: str) -> None:
    told = []
    for index in (0, 1):
        servers = world()
        result = on(index, servers, command, "--format", "json")
        mine = [name for name in NAMES if OWNERS[name] == index]
        assert asked(servers) == mine
        assert result.err.splitlines()[0] == (
            f"shard {index}/2 has {len(mine)} of 3 organizations: {', '.join(mine)}"
        )
        told += _organizations(result)
    assert sorted(told) == sorted(_organizations(ran(world(), command, "--format", "json"))) == list(NAMES)


def _organizations(result: Ran) -> list[str]:
    [entries] = [result.data[key] for key in ("plans", "runs", "organizations") if key in result.data]
    return [one["organization"] for one in entries]


def test_an_option_says_it_in_place_of_the_environment() -> None:
    servers = world()
    result = ran(servers, "plan", "--shard", "1/2", CIRCLE_NODE_INDEX="0", CIRCLE_NODE_TOTAL="many")
    assert (result.code, asked(servers)) == (0, ["umbrella"])
    whole = world()
    assert on(0, whole, "plan", "--shard", "0/1").err == ""
    assert asked(whole) == list(NAMES)


@pytest.mark.parametrize("command", ["plan", "apply", "drift"])
def test_a_container_without_an_organization_does_nothing_and_says_so(command: str) -> None:
    servers = world()
    result = ran(servers, command, "policies/acme", "--shard", "1/2")
    assert (result.code, asked(servers), Path(".reconciler").exists()) == (0, [], False)
    assert result.err == "shard 1/2 has none of 1 organization: nothing to do\n"


@pytest.mark.parametrize("command", ["plan", "apply", "drift"])
def test_a_mistake_in_any_file_stops_every_container(command: str, folder: Path) -> None:
    (folder / "policies/umbrella/web.yaml").write_text("version: 1\nbindngs: []\n", encoding="utf-8")
    for index in (0, 1):
        servers = world()
        result = on(index, servers, command)
        assert (result.code, asked(servers)) == (6, [])
        assert "policies/umbrella/web.yaml:2:1 bindngs: unknown key" in result.err


@pytest.mark.parametrize(
    ("arguments", "variables", "words"),
    [
        (["--shard", "2/2"], {}, "'2/2' is no shard: of 2, the first is 0 and the last 1"),
        (["--shard", "first"], {}, "'first' is no shard: it is to be INDEX/TOTAL, such as 0/4"),
        ([], {"CIRCLE_NODE_TOTAL": "4"}, "CIRCLE_NODE_INDEX '' and CIRCLE_NODE_TOTAL '4' tell no shard"),
        ([], {"CIRCLE_NODE_INDEX": "x", "CIRCLE_NODE_TOTAL": "4"}, "'x' is no number from 0 to 1000"),
    ],
)
@pytest.mark.parametrize("command", ["plan", "apply", "drift", "undo"])
def test_what_is_no_shard_is_a_mistake_and_nothing_is_asked(
    command: str, arguments: list[str], variables: Mapping[str, str], words: str
) -> None:
    servers = world()
    run = ["abcd"] if command == "undo" else []
    result = ran(servers, command, *run, *arguments, "--format", "json", **variables)
    assert (result.code, asked(servers)) == (2, [])
    assert words in result.err
    assert result.data["failures"][0]["exit_code"] == 2


def test_commands_that_do_not_write_take_no_notice_of_containers() -> None:
    assert on(1, world(), "validate").code == 0
    assert len(_organizations(on(1, world(), "explain", "ada@acme.example", "--format", "json"))) == 3


# Exactly the reviewed plan


def test_each_container_applies_its_own_plan_file() -> None:
    servers = world()
    for index in (0, 1):
        assert on(index, servers, "plan", "--out", f"{index}.json").code == 0
    for index in (0, 1):
        assert on(index, servers, "apply", f"{index}.json").code == 0
    assert written(servers) == list(NAMES)


def test_a_plan_file_of_everything_is_applied_by_each_as_far_as_it_is_its_own() -> None:
    servers = world()
    assert ran(servers, "plan", "--out", "plan.json").code == 0
    assert [on(index, servers, "apply", "plan.json").code for index in (0, 1)] == [0, 0]
    assert written(servers) == list(NAMES)


def test_the_plan_file_of_another_container_is_refused() -> None:
    servers = world()
    on(0, servers, "plan", "--out", "plan.json")
    for arguments in (["--shard", "1/2"], ["--shard", "0/1"]):
        result = ran(servers, "apply", "plan.json", *arguments)
        assert (result.code, written(servers)) == (5, [])
        assert "error: the plan file has no plan for umbrella\n" in result.err


def test_a_container_without_an_organization_has_a_plan_file_that_it_can_apply() -> None:
    servers = world()
    assert ran(servers, "plan", "policies/acme", "--shard", "1/2", "--out", "plan.json").code == 0
    assert json.loads(Path("plan.json").read_text(encoding="utf-8"))["plans"] == []
    assert ran(servers, "apply", "plan.json", "--shard", "1/2").code == 0
    assert ran(servers, "apply", "plan.json", "--shard", "0/2").code == 5
    assert asked(servers) == ["acme"]


def test_an_organization_that_is_gone_from_the_policy_is_told_by_every_container(folder: Path) -> None:
    servers = world()
    ran(servers, "plan", "--out", "plan.json")
    for file in (folder / "policies/umbrella").iterdir():
        file.unlink()
    (folder / "policies/umbrella").rmdir()
    results = [on(index, servers, "apply", "plan.json") for index in (0, 1)]
    assert ([one.code for one in results], written(servers)) == ([5, 0], [])
    assert "error: the policy has no organization umbrella any more\n" in results[0].err


def test_what_is_expected_of_all_is_given_to_each_and_no_fingerprint_is_gone() -> None:
    servers = world()
    expected = [word for one in fingerprints(servers).values() for word in ("--expect", one)]
    assert [on(index, servers, "apply", *expected).code for index in (0, 1)] == [0, 0]
    assert written(servers) == list(NAMES)


def test_what_is_not_expected_is_not_carried_out_by_any_container() -> None:
    servers = world()
    known = fingerprints(servers)
    results = [on(index, servers, "apply", "--expect", known["acme"]) for index in (0, 1)]
    assert ([one.code for one in results], written(servers)) == ([5, 5], [])


def test_a_fingerprint_that_is_gone_is_told_where_one_container_has_everything() -> None:
    servers = world()
    result = ran(
        servers, "apply", "policies/acme", "--shard", "0/2", "--expect", "e" * 32, "--approve", "d" * 32
    )
    assert (result.code, written(servers)) == (5, [])


# Ledgers


def test_each_container_has_a_ledger_of_its_own_and_history_tells_all_of_them() -> None:
    servers = world()
    for index in (0, 1, 0):
        assert on(index, servers, "apply").code == 0
    paths = [f".reconciler/ledger-{index}-of-2.jsonl" for index in (0, 1)]
    told = ran(servers, "history", "--format", "json").data["runs"]
    assert [(run["organization"], run["ledgers"]) for run in told] == [
        ("acme", paths[:1]),
        ("globex", paths[:1]),
        ("umbrella", paths[1:]),
        ("acme", paths[:1]),
        ("globex", paths[:1]),
    ]
    assert ran(servers, "history", "--ledger", paths[1], "--format", "json").data["runs"] == told[2:3]
    heading, *rows = ran(servers, "history").out.splitlines()
    assert heading.split() == ["run", "began", "organization", "by", "ledger", "result"]
    assert [row.split()[4] for row in rows] == [run["ledgers"][0] for run in told]
    assert f"  ledger {paths[1]}\n" in ran(servers, "history", told[2]["run"]).out


def test_every_ledger_is_verified_and_what_is_wrong_is_told_with_its_file_and_line() -> None:
    servers = world()
    for index in (0, 1):
        on(index, servers, "apply")
    first, second = ledgers.files([ledgers.FOLDER])
    as_written = f"{first} is as it was written\n"
    assert ran(servers, "history", "--verify") == (0, f"{as_written}{second} is as it was written\n", "")
    head = ledger.sound(second).head
    assert ran(servers, "history", "--verify", "--head", head).code == 0
    assert ran(servers, "history", "--verify", "--ledger", str(first), "--head", head).code == 1
    second.write_bytes(second.read_bytes().replace(b'"viewer"', b'"Viewer"', 1))
    result = ran(servers, "history", "--verify")
    assert (result.code, result.out.startswith(f"{as_written}{second}:")) == (1, True)
    assert result.err.startswith(f"error: {second} is not as it was written: 1 fault\n")
    faults = ran(servers, "history", "--verify", "--format", "json").data["faults"]
    assert [fault["ledger"] for fault in faults] == [str(second)]


def test_ledgers_that_were_brought_from_everywhere_are_told_as_one() -> None:
    servers = world()
    for index in (0, 1):
        on(index, servers, "apply", "--ledger", f"container-{index}/ledger.jsonl")
    places = ["--ledger", "container-1", "--ledger", "container-0/ledger.jsonl", "--ledger", "container-0"]
    told = ran(servers, "history", *places, "--format", "json").data["runs"]
    assert [run["organization"] for run in told] == ["acme", "globex", "umbrella"]


def test_a_run_of_another_container_is_undone_and_explained_and_known_to_drift() -> None:
    servers = world()
    for index in (0, 1):
        on(index, servers, "apply")
    run = ran(servers, "history", "--format", "json").data["runs"][2]["run"]
    assert run in ran(servers, "explain", "cleo@acme.example", "policies/umbrella").out
    servers["umbrella"].data["Users"]["u-cleo"]["roles"] = []
    assert run in ran(servers, "drift", "policies/umbrella", "--format", "json").out
    idle = on(0, servers, "undo", run, "policies", "--apply")
    assert (idle.code, idle.err.splitlines()[-1]) == (0, "umbrella is not of shard 0/2: nothing to do")
    assert ".reconciler/ledger-1-of-2.jsonl:" in on(1, servers, "undo", run, "policies").out
    assert on(1, servers, "undo", run, "policies", "--apply").code == 0
    assert [one.begun.undoes for one in ledger.past(Path(".reconciler/ledger-1-of-2.jsonl"))] == [None, run]


def test_a_review_rests_on_all_ledgers_and_says_so() -> None:
    servers = world()
    for index in (0, 1):
        on(index, servers, "apply")
    assert ran(servers, "review", "--report", "review.json").code == 0
    heads = [ledger.sound(path).head for path in ledgers.files([ledgers.FOLDER])]
    assert json.loads(Path("review.json").read_text(encoding="utf-8"))["ledger"] == " ".join(heads)
    assert ran(servers, "review", "--verify", "review.json").code == 0
    alone = ran(servers, "review", "--verify", "review.json", "--ledger", ".reconciler/ledger-0-of-2.jsonl")
    assert (alone.code, f"has no record {heads[1]}, on which review.json was built" in alone.err) == (1, True)


def test_a_report_is_written_over_none_of_several_ledgers() -> None:
    result = ran(world(), "drift", "--ledger", "a.json", "--ledger", "b.json", "--report", "b.json")
    assert (result.code, "--report b.json is the file of '--ledger' as well." in result.err) == (2, True)


@pytest.mark.parametrize("command", ["apply", "history", "drift"])
def test_a_place_without_a_name_is_not_the_current_folder(command: str) -> None:
    result = ran(world(), command, "--ledger", "")
    assert (result.code, list(Path().glob("*.jsonl"))) == (2, [])
    assert "Invalid value for '--ledger': it is empty: name a file or a folder" in result.err


# Notifications


@pytest.mark.parametrize("index", [0, 1])
def test_a_mistake_that_all_find_is_told_by_the_first_and_the_idle_tell_nothing(
    index: int, folder: Path
) -> None:
    hook = {"RECONCILER_SLACK_WEBHOOK_URL": "https://hooks.slack.test/services/T/B/x"}
    idle = ran(world(), "apply", "policies/acme", "--shard", "1/2", "--notify", "always", **hook)
    assert (idle.code, "notif" in idle.err) == (0, False)
    (folder / "policies/umbrella/web.yaml").write_text("version: 1\nbindngs: []\n", encoding="utf-8")
    assert ("notif" in on(index, world(), "apply", **hook).err) == (index == 0)


def test_a_container_none_of_whose_organizations_has_a_webhook_is_no_mistake() -> None:
    own = {"ACME_RECONCILER_SLACK_WEBHOOK_URL": "https://hooks.slack.test/services/T/B/x"}
    assert on(1, world(), "apply", "--notify", "always", **own).code == 0
