"""`reconciler undo`: servers come back byte for byte, what has moved stays, the rules of `apply` hold."""

import json
import re
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from threading import Lock
from typing import Any

import httpx
import pytest
from cli.in_memory import HEAD, LEDGER, Ran, alone, generous, held, latest, many, ran, records
from cli.small_world import BINDINGS, write_policy
from cli.terminals import on_terminal
from e2e.loopback import environment, serving
from recording import END, chained, forged, outcome, run_record, story, write
from scim.fake_server import BASE, FakeServer, Fault, group, reset, user

from reconciler.exact import canonical

STORAGE = pytest.mark.parametrize("in_groups", [False, True], ids=["user roles", "role groups"])


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return alone(tmp_path, monkeypatch)


def applied(folder: Path, *, in_groups: bool = False) -> tuple[FakeServer, str]:
    """A server that the policy was applied to, and the name of that run."""
    generous(folder, in_groups=in_groups)
    server = many(in_groups=in_groups)
    result = ran(server, "apply")
    assert result.code == 0, result.err
    server.requests.clear()
    return server, latest()


def fingerprint(out: str) -> str:
    found = re.search(r"^fingerprint ([0-9a-f]{32})$", out, re.MULTILINE)
    assert found is not None, out
    return found[1]


# Back to what was


@STORAGE
def test_undo_brings_every_role_back_byte_for_byte(in_groups: bool, folder: Path) -> None:
    before = held(many(in_groups=in_groups))
    server, run = applied(folder, in_groups=in_groups)
    after = held(server)
    assert after != before
    undone = ran(server, "undo", run, "--apply")
    assert (undone.code, held(server)) == (0, before)
    assert "applied" in undone.out
    back = latest()
    again = ran(server, "undo", back, "--apply")
    assert (again.code, held(server)) == (0, after)
    assert [record.get("undoes") for record in records() if record["event"] == "run"] == [None, run, back]
    assert ran(server, "history", "--verify").code == 0


@STORAGE
def test_undo_shows_the_plan_and_only_reads(in_groups: bool, folder: Path) -> None:
    server, run = applied(folder, in_groups=in_groups)
    ledger = LEDGER.read_bytes()
    shown = ran(server, "undo", run)
    assert (shown.code, server.writes, {request.method for request in server.requests}) == (0, [], {"GET"})
    assert LEDGER.read_bytes() == ledger
    assert "cleo@acme.example loses everything\n" in shown.out
    assert re.search(rf"viewer -> none +undoes run {run} \(\.reconciler/ledger\.jsonl:\d+\)", shown.out)
    assert fingerprint(shown.out) == fingerprint(ran(server, "undo", run, "--apply").out)


def test_undo_as_json_is_a_plan_with_the_run_as_its_reason(folder: Path) -> None:
    server, run = applied(folder)
    document = ran(server, "undo", run, "--format", "json").data
    assert document["format"] == "reconciler.plan/1"
    [planned] = document["plans"]
    [dan] = [change for change in planned["changes"] if change["id"] == "u-dan"]
    assert [[json.loads(entry) for entry in scope["entries"]] for scope in dan["scopes"]] == [
        [{"value": "ORG-Viewer", "display": "Dan's", "primary": True, "type": "x"}]
    ]
    reasons = [why for change in planned["changes"] for scope in change["scopes"] for why in scope["why"]]
    assert {(why["entry"], why["name"], why["file"]) for why in reasons} == {("undo", run, str(LEDGER))}
    done = ran(server, "undo", run, "--apply", "--format", "json").data
    assert (done["format"], [one["result"] for one in done["runs"][0]["outcomes"]]) == (
        "reconciler.apply/1",
        ["applied"] * 5,
    )


@STORAGE
def test_undoing_twice_says_that_nothing_is_left(in_groups: bool, folder: Path) -> None:
    server, run = applied(folder, in_groups=in_groups)
    assert ran(server, "undo", run, "--apply").code == 0
    server.requests.clear()
    for more in ([], ["--apply"]):
        again = ran(server, "undo", run, *more)
        assert (again.code, server.writes) == (0, [])
        assert again.out.splitlines()[:2] == [
            f"acme on {BASE}, mode enforce",
            f"no drift: nothing of run {run} is left to take back",
        ]


def test_a_run_may_be_called_by_the_beginning_of_its_name(folder: Path) -> None:
    server, run = applied(folder)
    assert ran(server, "undo", run[:4].upper()).code == 0


# Runs that were killed


class Remembering(FakeServer):
    """Keeps how it was before each write and after the last, one at a time."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.states = [deepcopy(self.data)]
        self.written: list[httpx.Request] = []
        self._turn = Lock()

    def serve(self, request: httpx.Request) -> httpx.Response:
        with self._turn:
            response = super().serve(request)
            if request.method != "GET":
                self.states.append(deepcopy(self.data))
                self.written.append(request)
        return response


@STORAGE
def test_a_run_that_was_killed_anywhere_can_be_undone_whether_its_last_write_came_about_or_not(
    in_groups: bool, folder: Path
) -> None:
    generous(folder, in_groups=in_groups)
    first = many(in_groups=in_groups)
    server = Remembering(first.users, first.groups)
    assert ran(server, "apply").code == 0
    run, written = latest(), LEDGER.read_bytes().splitlines(keepends=True)
    tried = 0
    for kept in range(1, len(written) + 1):
        for arrived in _arrived(server, [json.loads(line) for line in written[:kept]], in_groups=in_groups):
            server.data = deepcopy(server.states[arrived])
            LEDGER.write_bytes(b"".join(written[:kept]))
            LEDGER.with_name("ledger.jsonl.head").unlink(missing_ok=True)
            undone = ran(server, "undo", run, "--apply")
            assert (undone.code, undone.err.count("left as it is")) == (0, 0), (kept, arrived, undone)
            assert held(server) == held(first), (kept, arrived)
            tried += 1
    assert tried > 5


def _arrived(server: Remembering, records: list[dict[str, Any]], *, in_groups: bool) -> range:
    """How many writes can have arrived when a run was killed with these records: all that ended at least."""
    begun = {
        record["number"]: _deed(record["change"], in_groups=in_groups)
        for record in records
        if record["event"] == "write"
    }
    ended = {begun[record["number"]] for record in records if record["event"] == "outcome"}
    deeds = [_deeds(request) for request in server.written]
    least = max((number for number, done in enumerate(deeds, 1) if done & ended), default=0)
    may = [done <= set(begun.values()) for done in deeds]
    return range(least, [*may, False].index(False) + 1)


Deed = tuple[str, str]
"""What is done, and to whom: an id, or the name of a group."""


def _deeds(request: httpx.Request) -> set[Deed]:
    """What a request that writes does."""
    body = json.loads(request.content)
    if request.method == "POST":
        return {("create", body["displayName"])}
    if "/Users/" in request.url.path:
        return {("set", request.url.path.rpartition("/")[2])}
    return {
        (operation["op"], id_)
        for operation in body["Operations"]
        for id_ in re.findall(r"u-[a-z]+", json.dumps(operation))
    }


def _deed(change: dict[str, Any], *, in_groups: bool) -> Deed:
    """The same of a recorded change: where roles are groups, one either joins or leaves some."""
    if change["kind"] == "create-group":
        return "create", change["group"]
    joins = any({*scope["after"]} - {*scope["before"]} for scope in change["scopes"])
    return ("set" if not in_groups else "add" if joins else "remove"), change["id"]


def test_a_write_that_failed_is_undone_if_it_came_about_all_the_same(folder: Path) -> None:
    generous(folder)
    server = many()
    before = held(server)
    server.faults += [reset("PATCH", after_effect=True) for _ in range(20)]
    server.faults += [Fault("GET", 500, path="/Users/u-", body="") for _ in range(100)]
    result = ran(server, "apply")
    server.faults.clear()
    assert result.code == 8
    assert held(server) != before
    undone = ran(server, "undo", latest(), "--apply")
    assert (undone.code, held(server)) == (0, before)


# What has moved


def moved(result: Ran) -> list[str]:
    return [line for line in result.err.splitlines() if line.startswith("left as it is: ")]


def gains(server: FakeServer) -> None:
    server.data["Users"]["u-dan"]["roles"].append({"value": "org-contributor"})


def leaves(server: FakeServer) -> None:
    del server.data["Users"]["u-dan"]


def is_deactivated(server: FakeServer) -> None:
    server.data["Users"]["u-dan"]["active"] = False


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (gains, "the run left none, now it is contributor"),
        (leaves, "the person is not on the server any more"),
        (is_deactivated, "the person is not active any more"),
    ],
)
def test_what_has_moved_since_is_told_and_left_alone(
    change: Callable[[FakeServer], None], reason: str, folder: Path
) -> None:
    before = held(many())
    server, run = applied(folder)
    change(server)
    now = held(server)
    told = [f"left as it is: dan@acme.example, organization: {reason}"]
    shown = ran(server, "undo", run)
    assert (shown.code, moved(shown), server.writes) == (0, told, [])
    undone = ran(server, "undo", run, "--apply")
    assert (undone.code, moved(undone)) == (8, told)
    assert undone.err.endswith(f"error: not all of run {run} was taken back: 1 role moved since\n")
    assert held(server) == {id_: now[id_] if id_ == "u-dan" else before[id_] for id_ in now}


def test_a_project_that_the_policy_gave_up_is_told_and_left_alone(folder: Path) -> None:
    server, run = applied(folder)
    policy = folder / "policies/acme"
    (policy / "organization.yaml").write_text(HEAD.replace("storefront", "checkout"), encoding="utf-8")
    (policy / "web.yaml").write_text(BINDINGS.replace("storefront", "checkout"), encoding="utf-8")
    undone = ran(server, "undo", run, "--apply")
    assert (undone.code, moved(undone)) == (
        8,
        [
            "left as it is: cleo@acme.example, storefront: the policy does not speak for it any more",
            "left as it is: eve@acme.example, storefront: the policy does not speak for it any more",
        ],
    )
    assert (server.roles("cleo"), server.roles("eve")) == (
        ["project-admin:storefront"],
        ["project-admin:storefront", "org-contributor"],
    )


# The rules of apply


def an_admin_more(folder: Path) -> tuple[FakeServer, str]:
    """A run made a second admin, so that the way back leaves one."""
    write_policy(folder / "policies/acme", HEAD)
    people = [user("ada", "org-admin"), user("bob"), user("cleo")]
    server = FakeServer(people, [group("platform", "ada", "bob"), group("eng-web", "cleo")])
    assert ran(server, "apply").code == 0
    server.requests.clear()
    return server, latest()


def test_a_way_back_that_leaves_too_few_admins_is_refused_whoever_approves_it(folder: Path) -> None:
    server, run = an_admin_more(folder)
    shown = ran(server, "undo", run)
    assert (shown.code, server.writes) == (4, [])
    assert "refused by guardrail minimum_admins" in shown.out
    approved = ran(server, "undo", run, "--apply", "--approve", fingerprint(shown.out))
    assert (approved.code, server.writes) == (4, [])
    assert approved.err.startswith(
        "error: nothing was written to acme: refused by minimum_admins, which no approval covers\n"
    )
    assert [record["event"] for record in records()][-2:] == ["run", "refused"]


def test_a_way_back_that_takes_too_much_can_be_approved(folder: Path) -> None:
    server, run = applied(folder)
    strict = HEAD.replace("last_roles: {percent: 100, count: 100}", "last_roles: {count: 0}")
    (folder / "policies/acme/organization.yaml").write_text(strict, encoding="utf-8")
    refused = ran(server, "undo", run, "--apply")
    assert (refused.code, server.writes) == (4, [])
    wrong = ran(server, "undo", run, "--apply", "--approve", "0" * 32)
    assert (wrong.code, server.writes) == (5, [])
    approved = ran(server, "undo", run, "--apply", "--approve", fingerprint(refused.out))
    assert (approved.code, held(server)) == (0, held(many()))
    [told] = [record for record in records() if record.get("approved")]
    assert (told["approved"], told["undoes"]) == (["last_roles"], run)


def test_only_the_way_back_that_is_expected_is_taken(folder: Path) -> None:
    server, run = applied(folder)
    shown = ran(server, "undo", run)
    wrong = ran(server, "undo", run, "--apply", "--expect", "0" * 32)
    assert (wrong.code, server.writes) == (5, [])
    server.data["Users"]["u-cleo"]["roles"] = []
    stale = ran(server, "undo", run, "--apply", "--expect", fingerprint(shown.out))
    assert (stale.code, server.writes) == (5, [])
    now = fingerprint(ran(server, "undo", run).out)
    assert ran(server, "undo", run, "--apply", "--expect", now).code == 0
    assert held(server) == held(many())


@pytest.mark.parametrize(
    ("mode", "writes"), [("additive", ["dan", "fay", "eve"]), ("report", [])], ids=["additive", "report"]
)
def test_the_mode_bounds_the_way_back(mode: str, writes: list[str], folder: Path) -> None:
    server, run = applied(folder)
    head = HEAD.replace("mode: enforce", f"mode: {mode}")
    (folder / "policies/acme/organization.yaml").write_text(head, encoding="utf-8")
    undone = ran(server, "undo", run, "--apply")
    people = sorted(f"u-{name}" for name in [*writes, *(["gil"] if writes else [])])
    assert undone.code == 0
    assert sorted(request.rpartition("/")[2] for request in server.writes) == people
    assert server.roles("cleo") == ["org-viewer", "project-admin:storefront"]


# What can't be undone


@pytest.mark.parametrize("option", ["--expect", "--approve"])
def test_conditions_without_apply_are_a_mistake(option: str, folder: Path) -> None:
    server, run = applied(folder)
    result = ran(server, "undo", run, option, "0" * 32)
    assert (result.code, result.out, server.requests) == (2, "", [])
    assert result.err == "error: --expect and --approve mean nothing without --apply\n"


@pytest.mark.parametrize("name", ["0123456789ab", "", "abc", "zzzz", "\x1b[31m", "0" * 100])
def test_a_run_that_is_unknown_or_called_too_shortly_is_told(name: str, folder: Path) -> None:
    server, run = applied(folder)
    assert not run.startswith(name or "x") or len(name) < 4
    result = ran(server, "undo", name)
    assert (result.code, result.out, server.requests) == (2, "", [])
    shown = name.replace("\x1b", "\\x1b")
    assert result.err == (
        f"error: there is no run '{shown}' in the ledger\n"
        "hint: `reconciler history` lists them; 4 digits or more of a name will do\n"
    )


def test_a_name_that_several_runs_begin_with_is_told() -> None:
    found = next(filter(_alike, (chained([run_record(), run_record(changes=n)]) for n in range(1_000_000))))
    name = found[0]["hash"][:4]
    server = many()
    LEDGER.parent.mkdir()
    LEDGER.write_text("".join(f"{canonical(record)}\n" for record in found), encoding="ascii")
    result = ran(server, "undo", name)
    assert (result.code, server.requests) == (2, [])
    assert result.err.startswith(f"error: there are several runs '{name}' in the ledger\n")


def _alike(ledger: list[dict[str, Any]]) -> bool:
    return len({record["hash"][:4] for record in ledger}) == 1


def test_a_run_of_an_organization_that_has_no_policy_here_is_told(folder: Path) -> None:
    server, run = applied(folder)
    write_policy(folder / "other/globex", HEAD.replace("acme", "globex"))
    result = ran(server, "undo", run, "other")
    assert (result.code, result.out, server.requests) == (2, "", [])
    assert result.err == "error: there is no policy of acme here\nhint: name its folder as PATH\n"


def test_of_several_organizations_only_that_of_the_run_is_asked(folder: Path) -> None:
    server, run = applied(folder)
    write_policy(folder / "policies/globex", HEAD.replace("acme", "globex"))
    other = many()
    undone = ran({"acme": server, "globex": other}, "undo", run, "--apply", ACME_CIRCLECI_SCIM_URL=BASE)
    assert (undone.code, held(server), other.requests) == (0, held(many()), [])


def test_a_policy_that_is_invalid_is_told(folder: Path) -> None:
    server, run = applied(folder)
    (folder / "policies/acme/web.yaml").write_text("version: 2\n", encoding="utf-8")
    for more in ([], ["--apply"]):
        assert (ran(server, "undo", run, *more).code, server.requests) == (6, [])


def test_the_way_back_is_to_the_server_that_the_run_wrote_to(folder: Path) -> None:
    server, run = applied(folder)
    for more in ([], ["--apply"]):
        result = ran(server, "undo", run, *more, CIRCLECI_SCIM_URL="https://staging.test/scim/v2")
        assert (result.code, result.out, server.writes) == (2, "", [])
        assert result.err.splitlines()[0] == (
            f"error: run {run} was on {BASE}, and this is https://staging.test/scim/v2"
        )


def test_a_server_that_can_t_be_read_is_told(folder: Path) -> None:
    server, run = applied(folder)
    before = held(server)
    server.faults += [Fault("GET", 500, path="/Users", body="") for _ in range(100)]
    result = ran(server, "undo", run, "--apply")
    assert (result.code, server.writes, held(server)) == (7, [], before)


@pytest.mark.parametrize(
    ("damage", "code"),
    [
        (lambda content: content.replace(b"viewer", b"admins", 1), 1),
        (lambda content: content[content.index(b"\n") + 1 :], 1),
        (lambda _: b"not a ledger\n", 1),
        (None, 2),
    ],
    ids=["edited", "first record gone", "something else", "gone"],
)
def test_a_ledger_that_can_t_be_trusted_undoes_nothing(
    damage: Callable[[bytes], bytes] | None, code: int, folder: Path
) -> None:
    server, run = applied(folder)
    if damage is None:
        LEDGER.unlink()
    else:
        LEDGER.write_bytes(damage(LEDGER.read_bytes()))
    result = ran(server, "undo", run, "--apply")
    assert (result.code, result.out, server.requests) == (code, "", [])


# Accounts

ACCOUNTS: list[tuple[str, dict[str, Any]]] = [
    ("cleo", {"kind": "set-active", "before": True, "after": False}),
    (
        "dan",
        {
            "kind": "set-attributes",
            "attributes": [{"attribute": "displayName", "before": "Dan", "after": "Daniel"}],
        },
    ),
    ("new", {"kind": "create-user", "external_id": None, "display_name": None, "email": None}),
    ("old", {"kind": "delete-user", "external_id": None, "display_name": None, "email": None}),
]


def lived(folder: Path) -> tuple[FakeServer, str]:
    """A server on which a run changed accounts, and the name of that run."""
    generous(folder)
    recorded(BASE)
    people = [
        user("ada", "org-admin"),
        user("bob", "org-admin"),
        user("cleo", active=False),
        user("dan", "org-viewer", displayName="Daniel"),
        user("new"),
    ]
    return FakeServer(people, [group("platform", "ada", "bob"), group("eng-web", "cleo")]), latest()


def recorded(url: str) -> None:
    """A ledger of that run alone, on the server of that URL."""
    changes = [{**change, "id": f"u-{name}", "user": f"{name}@acme.example"} for name, change in ACCOUNTS]
    events = [
        event
        for number, change in enumerate(changes, start=1)
        for event in (write(number, change), outcome(number))
    ]
    LEDGER.parent.mkdir(exist_ok=True)
    forged(LEDGER, story(*events, END, server=url))


LOST = "left as it is: old@acme.example: the account was deleted, and can't come back\n"
STAYS = "the account of new@acme.example was created and stays\n"


def test_accounts_go_back_where_there_is_a_way(folder: Path) -> None:
    server, run = lived(folder)
    shown = ran(server, "undo", run)
    assert (shown.code, shown.err, server.writes) == (0, LOST + STAYS, [])
    assert shown.out == (
        f"acme on {BASE}, mode enforce\n"
        "1 account is corrected, 1 is reactivated\n"
        "organization admins: 2 before, 2 after\n"
        "\n"
        f"dan@acme.example is corrected      displayName Daniel -> Dan; undoes run {run} ({LEDGER}:4)\n"
        f"cleo@acme.example is reactivated   undoes run {run} ({LEDGER}:2)\n"
        "\n"
        f"fingerprint {fingerprint(shown.out)}\n"
    )
    done = ran(server, "undo", run, "--apply")
    assert done.code == 8
    assert done.err.startswith(LOST + STAYS)
    assert done.err.endswith(
        f"error: not all of run {run} was taken back: 1 change of accounts could not be taken back\n"
    )
    assert server.writes == ["PATCH /Users/u-dan", "PATCH /Users/u-cleo"]
    assert (server.data["Users"]["u-cleo"]["active"], server.data["Users"]["u-dan"]["displayName"]) == (
        True,
        "Dan",
    )
    told = ran(server, "history", latest()).out.splitlines()
    assert told[-5:] == [
        "applied dan@acme.example",
        "  displayName: Daniel -> Dan",
        "",
        "applied cleo@acme.example",
        "  active: false -> true",
    ]


def test_a_way_back_of_accounts_as_json_says_why(folder: Path) -> None:
    server, run = lived(folder)
    [planned] = ran(server, "undo", run, "--format", "json").data["plans"]
    assert [(change["kind"], change["user"], change["why"]) for change in planned["changes"]] == [
        ("set-attributes", "dan@acme.example", f"undoes run {run} ({LEDGER}:4)"),
        ("set-active", "cleo@acme.example", f"undoes run {run} ({LEDGER}:2)"),
    ]


def test_a_server_that_does_not_keep_what_it_accepts_is_found_out(folder: Path) -> None:
    server, run = lived(folder)
    server.keeps_active = False
    done = ran(server, "undo", run, "--apply")
    assert done.code == 8
    assert (
        "failed account cleo@acme.example: the server accepted it and did not keep it: active\n" in done.out
    )


def test_guardrails_hold_for_the_way_back_of_accounts(folder: Path) -> None:
    server, run = lived(folder)
    limits = HEAD.replace("guardrails:\n", "guardrails:\n  protected: [cleo@acme.example]\n")
    (folder / "policies/acme/organization.yaml").write_text(limits, encoding="utf-8")
    done = ran(server, "undo", run, "--apply")
    assert (done.code, server.writes) == (4, [])
    assert (
        "refused by guardrail protected: the plan would change the roles or accounts of 1 person" in done.out
    )


@pytest.mark.parametrize("columns", [60, 160])
def test_on_a_terminal_accounts_are_told_in_colour_and_names_stay_whole(columns: int, folder: Path) -> None:
    server, _ = lived(folder)
    with serving(server) as url:
        recorded(url)
        _, seen = on_terminal(environment(url), "undo", latest(), columns=columns)
    assert "\x1b[32mcleo@acme.example is reactivated" in seen
