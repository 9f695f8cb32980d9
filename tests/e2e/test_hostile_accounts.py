"""Accounts that are created, corrected, deactivated, reactivated and deleted, against each fault of a server.

Plans are made of what was read while the server was honest, and carried out once it is not. What happened
is told by the server's own store, and not by what the run says of itself.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import build
import pytest
from build import NOW, holds, organization
from hostile.faults import (
    Accounts,
    At,
    Body,
    Content,
    Deed,
    Etags,
    Filters,
    Hidden,
    Knob,
    Late,
    Patching,
    Redirect,
    Reset,
    Rival,
    Status,
)
from hostile.server import HostileServer
from hostile.table import KNOBS
from scim.fake_server import BASE, SECRET

from reconciler import apply, drift, ledger, plan
from reconciler.change import (
    AccountChange,
    Attribute,
    AttributeChange,
    CreateGroup,
    CreateUser,
    DeleteUser,
    Outcome,
    Result,
    SetActive,
    SetAttributes,
)
from reconciler.history import deactivated
from reconciler.ledger import Ledger
from reconciler.model import DesiredState, Holdings, LiveState, Principal
from reconciler.naming import RoleNames
from reconciler.origin import Origin
from reconciler.plan import Plan
from reconciler.policy.document import Organization
from reconciler.sandbox.seed import Person, Seed
from reconciler.scim.client import open_writing_client
from reconciler.scim.provider import ScimProvider
from reconciler.settings import Connection, Token

SEED = Seed(
    {
        "ada@acme.example": Person(roles=("org-admin",)),
        "bob@acme.example": Person(roles=("org-admin",)),
        "lea@acme.example": Person(roles=("org-viewer", "gadget")),
        "max@acme.example": Person(roles=("org-viewer",), name="Max"),
        "old@acme.example": Person(active=False),
        "rex@acme.example": Person(roles=("org-contributor",), active=False),
    },
    {},
    other_roles=frozenset({"gadget"}),
)
JOE = build.joiner("joe", email="joe@acme.example")
WANTED: Mapping[str, Holdings] = {
    "ada": holds("admin"),
    "bob": holds("admin"),
    "joe": holds("viewer"),
    "max": holds("viewer"),
    "rex": holds("viewer"),
}
OF: Organization = organization()
LATER = NOW + timedelta(days=1)


def todo(state: LiveState) -> tuple[Plan, LiveState]:
    """What is left to do: the plan, and the state that it was made from, with whoever is to be created."""
    named = {person.user_name.partition("@")[0]: person for person in state.people.values()}
    accounts = list(lives(named))
    people = dict(state.people)
    if "joe" not in named:
        named["joe"] = people[JOE.id] = JOE
    whole = replace(state, people=people)
    asked = DesiredState({named[name].id: held for name, held in WANTED.items() if name in named}, {})
    return plan.build(drift.detect(asked, whole), OF, BASE, None, accounts=accounts), whole


def lives(named: Mapping[str, Principal]) -> Iterator[AccountChange]:
    if "joe" not in named:
        yield CreateUser(JOE)
    if "lea" in named and named["lea"].entitled:
        yield SetActive(named["lea"], False)
    if "max" in named and named["max"].display_name != "Maximilian":
        before = named["max"].display_name
        yield SetAttributes(named["max"], (AttributeChange(Attribute.DISPLAY_NAME, before, "Maximilian"),))
    if "old" in named:
        yield DeleteUser(named["old"])
    if "rex" in named and not named["rex"].entitled:
        yield SetActive(named["rex"], True)


def carry_out(server: HostileServer, *knobs: Knob) -> tuple[Outcome, ...]:
    """Read, plan, and carry the plan out on a server that is like this from then on."""
    reach = server.reach()
    connection = Connection(BASE, Token(SECRET))
    with (
        open_writing_client(connection, transport=reach.transport, patience=reach.patience) as client,
        Ledger(Path("ledger.jsonl"), lambda: NOW) as record,
    ):
        provider = ScimProvider(client, RoleNames(OF), OF)
        planned, state = todo(provider.read())
        server.knobs = knobs
        account = record.begin(planned, state, Origin(None, None, None), {})
        outcomes = apply.carry_out(planned, provider, state, 2, account, lambda _: None)
        account.end()
    server.knobs = ()
    return outcomes


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def results(outcomes: tuple[Outcome, ...]) -> set[Result]:
    return {outcome.result for outcome in outcomes}


DONE = {
    "ada@acme.example": ("org-admin",),
    "bob@acme.example": ("org-admin",),
    "joe@acme.example": ("org-viewer",),
    "lea@acme.example": ("gadget",),
    "max@acme.example": ("org-viewer",),
    "rex@acme.example": ("org-viewer",),
}


def test_without_a_fault_everybody_lives_as_planned() -> None:
    server = HostileServer(SEED)

    outcomes = carry_out(server)

    assert results(outcomes) == {Result.APPLIED}
    assert server.held() == DONE
    assert server.inactive() == {"lea@acme.example"}
    assert server.called()["max@acme.example"] == "Maximilian"
    assert carry_out(server) == ()
    assert [write.split()[0] for write in server.writes].count("POST") == 1
    past = ledger.past(Path("ledger.jsonl"))
    ids = {str(user.user_name): str(user.id) for user in server.store.users()}
    assert [*deactivated(past, "acme")] == [ids["lea@acme.example"]]


def check_outcome(outcome: Outcome, server: HostileServer) -> None:
    """What is told to have come about is so."""
    change = outcome.change
    assert not isinstance(change, CreateGroup)
    name = change.principal.user_name
    match change:
        case CreateUser():
            assert server.names().count(name) == 1
        case SetActive():
            assert (name in server.inactive()) is not change.after
        case SetAttributes():
            assert server.called()[name] == "Maximilian"
        case DeleteUser():
            assert name not in server.names()
        case _:
            assert [role for role in server.held()[name] if role != "gadget"] == [
                role for role in DONE[name] if role != "gadget"
            ]


def matters(knob: Knob) -> bool:
    """Whether it is about what happens from the first write on; how listings lie is tested elsewhere."""
    match knob:
        case Status() | Reset() | Late() | Redirect() | Content():
            return knob.at.method != "GET" or knob.at.nth == 0 or knob.at.written
        case Filters() | Hidden() | Patching() | Etags():
            return True
        case _:
            return False


FAULTS = {name: knobs for name, knobs in KNOBS.items() if all(map(matters, knobs))}


@pytest.mark.parametrize("knobs", FAULTS.values(), ids=list(FAULTS))
def test_whatever_a_server_does_there_is_no_twin_and_the_next_run_goes_on(knobs: tuple[Knob, ...]) -> None:
    server = HostileServer(SEED)

    outcomes = carry_out(server, *knobs)

    assert len(set(server.names())) == len(server.names())
    assert set(server.names()) - {"joe@acme.example", "old@acme.example"} == {
        name for name in DONE if name != "joe@acme.example"
    }
    for outcome in outcomes:
        if outcome.result is Result.APPLIED:
            check_outcome(outcome, server)
    assert results(carry_out(server)) <= {Result.APPLIED}
    assert server.held() == DONE
    assert server.inactive() == {"lea@acme.example"}


LIES = {
    "a creation that is answered 500": (Status(At("POST", nth=1), 500, after=True),),
    "a creation whose answer is lost": (Reset(At("POST", nth=1), after=True),),
    "a creation that is answered with a page": (Content(At("POST", nth=1), Body.HTML),),
    "a creation that is answered with nothing": (Content(At("POST", nth=1), Body.NOTHING),),
    "a deletion whose answer is lost": (Reset(At("DELETE", nth=1), after=True),),
    "a deletion that is answered 500": (Status(At("DELETE", nth=1), 500, after=True),),
}


@pytest.mark.parametrize("knobs", LIES.values(), ids=list(LIES))
def test_what_came_about_all_the_same_is_a_success(knobs: tuple[Knob, ...]) -> None:
    server = HostileServer(SEED)
    outcomes = carry_out(server, *knobs)
    assert results(outcomes) == {Result.APPLIED}
    assert [write.split()[0] for write in server.writes].count("POST") == 1
    assert server.held() == DONE


def test_a_server_that_forgets_who_is_active_is_found_out() -> None:
    server = HostileServer(SEED)
    outcomes = carry_out(server, Accounts.FORGETS_ACTIVE)
    assert [(o.change.stage.name, o.detail) for o in outcomes if o.result is not Result.APPLIED] == [
        ("REACTIVATE", "the server accepted it and did not keep it: active"),
        ("DEACTIVATE", "the server accepted it and did not keep it: active"),
    ]
    assert deactivated(ledger.past(Path("ledger.jsonl")), "acme") == {}


def test_a_server_that_deletes_by_deactivating_is_found_out() -> None:
    server = HostileServer(SEED)
    outcomes = carry_out(server, Accounts.DELETES_BY_DEACTIVATING)
    assert [(o.change.stage.name, o.detail) for o in outcomes if o.result is not Result.APPLIED] == [
        ("DELETE", "the server accepted it, and the account is still there, deactivated as it was")
    ]
    assert "old@acme.example" in server.inactive()


def test_who_is_deactivated_by_somebody_else_meanwhile_is_deactivated() -> None:
    server = HostileServer(SEED)
    rival = Rival(At("PATCH", nth=1), Deed.DEACTIVATE, "lea@acme.example")
    assert results(carry_out(server, rival)) == {Result.APPLIED}
    assert server.inactive() == {"lea@acme.example"}
