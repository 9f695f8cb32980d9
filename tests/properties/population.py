"""People on both sides, directory and server, who share keys, names and e-mails as they like."""

from dataclasses import dataclass
from datetime import timedelta

from build import NOW, holds
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from reconciler.model import LiveState, Member, Principal
from reconciler.people.population import Past
from reconciler.policy.document import Lifecycle

NAMES = ("ann", "bob", "cid", "dan", "eve")


@dataclass(frozen=True)
class Sides:
    """A directory that lists `people`, of whom `eng` are in a group; a server; what the ledger proves."""

    people: list[Member]
    eng: list[Member]
    live: LiveState
    past: Past


@st.composite
def sides(draw: DrawFn) -> Sides:
    name = st.sampled_from(NAMES)
    mail = st.none() | name.map(lambda one: f"{one}@acme.example")
    members = st.builds(
        Member,
        principal_id=st.none(),  # a directory of its own does not know it
        external_id=st.none() | name.map(lambda one: f"x-{one}"),
        user_name=mail,
        active=st.sampled_from([True, True, False, None]),
        since=st.none() | st.integers(0, 9).map(lambda days: NOW - timedelta(days=days)),
        display_name=st.none() | name,
        email=mail,
    )
    people = draw(st.lists(members, min_size=1, max_size=6))
    accounts = [
        Principal(
            f"u-{one}",
            f"{one}@acme.example",
            draw(st.none() | name.map(lambda one: f"x-{one}")),
            draw(st.sampled_from([True, True, False, None])),
            draw(st.none() | name),
            email=draw(mail),
        )
        for one in draw(st.lists(name, unique=True))
    ]
    held = st.sampled_from([holds(), holds("admin"), holds("viewer", web="admin")])
    roles = {one.id: roles for one in accounts if (roles := draw(held))}
    days = st.integers(0, 9).map(lambda number: NOW - timedelta(days=number))
    ids = name.map("u-{}".format)
    past = Past(draw(st.dictionaries(ids, days)), draw(st.dictionaries(ids, days)))
    eng = draw(st.lists(st.sampled_from(people)))
    return Sides(people, eng, LiveState({one.id: one for one in accounts}, roles), past)


lifecycles: SearchStrategy[Lifecycle] = st.builds(
    Lifecycle,
    creates=st.booleans(),
    deactivates=st.booleans(),
    reactivates=st.booleans(),
    repairs=st.booleans(),
    grace=st.sampled_from([0, 3]),
    delete_after=st.sampled_from([None, 5]),
)
