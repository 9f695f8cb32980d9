"""Apply, against a server with each of the faults that there are: what it writes, leaves behind, and says.

One test for each fault, and for half of them in the other way of storing roles, too. What was written is told
by the server's own account, checked after every single write that took effect, and not by what the run says.
"""

from collections.abc import Iterable
from pathlib import Path

import pytest
from e2e.loopback import serving
from hostile import laws, world
from hostile.faults import At, Body, Content, Deed, Knob, Late, Patching, Reset, Rival, Status
from hostile.rivals import FOREIGN
from hostile.server import Held, HostileServer
from hostile.table import KNOBS

from reconciler import ledger, ledgers
from reconciler.errors import ExitCode
from reconciler.policy.document import StoredAs


@pytest.fixture(params=StoredAs, ids=str)
def stored_as(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StoredAs:
    """A way of storing roles, with a policy for it in the current folder."""
    stored_as: StoredAs = request.param
    monkeypatch.chdir(tmp_path)
    world.policy(tmp_path / "policies/acme", stored_as)
    return stored_as


def rivals(knobs: Iterable[Knob]) -> list[Rival]:
    return [knob for knob in knobs if isinstance(knob, Rival)]


def when_read(
    server: HostileServer, knobs: Iterable[Knob], live: Held, asked: Held, stored_as: StoredAs
) -> tuple[Held, Held]:
    """What everybody held, and should hold, once the run had read it: rivals who came earlier are in it."""
    if not any(rival.at.method == "GET" for rival in rivals(knobs)):
        return live, asked
    return server.effects[0].after if server.effects[0].rival else live, desired(knobs, stored_as)


def desired(knobs: Iterable[Knob], stored_as: StoredAs) -> Held:
    """What everybody should hold in the end, after what the rivals did."""
    wanted = dict(world.held(world.DESIRED, stored_as))
    for rival in rivals(knobs):
        match rival.deed:
            case Deed.DELETE:
                del wanted[rival.person]
            case Deed.DEACTIVATE:
                wanted[rival.person] = tuple(
                    n for n in wanted[rival.person] if n in {*world.DIRECTORY, FOREIGN}
                )
            case Deed.DECORATE:
                wanted[rival.person] = tuple(sorted({*wanted[rival.person], FOREIGN}))
            case Deed.RAISE | Deed.CLEAR | Deed.TOUCH:
                pass
    return wanted


def test_without_a_fault_apply_converges_and_says_so(stored_as: StoredAs) -> None:
    server = world.server(stored_as)
    live, asked = world.held(world.live(stored_as), stored_as), world.held(world.DESIRED, stored_as)
    assert server.held() == live
    assert world.run(server, "apply")[0] == ExitCode.DONE
    laws.check_each_write(server.effects, live, asked, stored_as)
    assert server.held() == asked


EACH = [
    pytest.param(stored_as, knobs, id=f"{stored_as}-{name}")
    for stored_as, every in ((StoredAs.USER_ROLES, 1), (StoredAs.GROUPS, 2))
    for name, knobs in list(KNOBS.items())[::every]
]
"""All faults where roles are on the user; every second one, for time is short, where they are groups."""


@pytest.mark.parametrize(("stored_as", "knobs"), EACH, indirect=["stored_as"])
def test_apply_ends_between_before_and_after_and_says_so_and_the_next_run_converges(
    knobs: tuple[Knob, ...], stored_as: StoredAs
) -> None:
    server = world.server(stored_as, *knobs)
    live, asked = world.held(world.live(stored_as), stored_as), world.held(world.DESIRED, stored_as)
    touched = {rival.person for rival in rivals(knobs)}
    assert server.held() == live
    code, _, err = world.run(server, "apply")
    read = when_read(server, knobs, live, asked, stored_as)
    laws.check_each_write(server.effects, *read, stored_as, server.inactive())
    laws.check_between(server.held(), live, asked, touched)
    laws.check_ledger(ledger.past(ledgers.DEFAULT), server.effects, stored_as, touched)
    check_exit(server, code, err, asked, touched)
    if server.held() != live:  # or else the next run is the one of the first test
        check_next_run(server, desired(knobs, stored_as), stored_as)


def check_exit(server: HostileServer, code: int, err: str, asked: Held, touched: set[str]) -> None:
    """0 only where it is as asked, 7 only where nothing was written; otherwise 8, with words."""
    match code:
        case ExitCode.DONE:
            assert laws.without(server.held(), touched) == laws.without(asked, touched)
        case ExitCode.UNREADABLE:
            assert server.writes == []
            assert err.startswith("error: ")
        case _:
            assert code == ExitCode.PARTLY_APPLIED
            assert "error: " in err


def check_next_run(server: HostileServer, wanted: Held, stored_as: StoredAs) -> None:
    """Against an honest server it converges, unless a rival left too few to hand over from."""
    server.knobs = ()
    held, inactive = server.held(), server.inactive()
    floor = min(world.MINIMUM_ADMINS, len(world.admins(held, stored_as, inactive)))
    code, out, _ = world.run(server, "apply")
    if len(world.admins(wanted, stored_as, inactive)) >= floor:
        assert (code, server.held()) == (ExitCode.DONE, wanted)
    else:
        assert (code, server.held()) == (ExitCode.REFUSED, held)
        assert "refused by guardrail minimum_admins" in out


@pytest.mark.parametrize(
    "harm", [Patching.REMOVES_ALL, Patching.ADDS_ALONE], ids=lambda harm: harm.name.lower()
)
def test_a_server_that_does_more_than_it_is_asked_is_found_out_and_stopped(
    harm: Patching, stored_as: StoredAs
) -> None:
    server = world.server(stored_as, harm)
    code, out, _ = world.run(server, "apply")
    assert code == ExitCode.PARTLY_APPLIED
    assert "any more, which this run did not ask for" in out
    assert "skipped bob@acme.example: what came before it could not be read back" in out


OVER_A_SOCKET = {
    "reset before the first write": Reset(At("write", nth=1)),
    "reset after the first write": Reset(At("write", nth=1), after=True),
    "half an answer about the people": Content(At("GET", "/Users", 1), Body.HALF),
    "a page of HTML for the groups": Content(At("GET", "/Groups", 1), Body.HTML),
    "late answers": Late(At(), 0.001),
    "refused writes": Status(At("write"), 403),
}


@pytest.mark.parametrize("knob", OVER_A_SOCKET.values(), ids=list(OVER_A_SOCKET))
def test_over_a_real_socket_it_is_the_same(knob: Knob, stored_as: StoredAs) -> None:
    without, over = world.server(stored_as, knob), world.server(stored_as, knob)
    expected = world.run(without, "apply", "--ledger", "without.jsonl")[0]
    with serving(over) as url:
        assert world.run(over, "apply", "--ledger", "over.jsonl", url=url)[0] == expected
    assert over.held() == without.held()
    assert [write.split()[0] for write in over.writes] == [write.split()[0] for write in without.writes]
