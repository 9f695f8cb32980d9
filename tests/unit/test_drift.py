"""How what people hold differs from what they should, as a fact."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import chain, combinations, product
from typing import Any

import pytest
from build import APP, WEB, by_id, desired, holds, live, principal, provenance, some

from reconciler import drift
from reconciler.drift import Drift, PersonDrift, ScopeDrift
from reconciler.model import ORGANIZATION, DesiredState, Holdings, LiveState, Role, Roles, Scope

ANY_ROLES: list[Roles] = [
    frozenset(some) for some in chain.from_iterable(combinations(Role, n) for n in range(len(Role) + 1))
]


def test_there_is_no_drift_where_everybody_holds_what_they_should() -> None:
    people = {"ann": holds("admin", web="viewer"), "bob": holds(), "cid": holds(app="contributor viewer")}
    assert drift.detect(desired(people), live(people)) == Drift()


def test_there_is_no_drift_where_there_is_nobody() -> None:
    assert drift.detect(DesiredState({}, {}), live()) == Drift()


def test_each_scope_that_differs_is_told_once_and_sorted_with_its_reasons() -> None:
    binding = provenance("eng", "admin")
    should = desired(
        {"ann": holds("viewer", web="admin", zoo="admin", same="viewer")},
        why={"ann": {WEB: (binding,), Scope("same"): (binding,)}},
    )
    does = live({"ann": holds("admin", web="viewer", app="viewer contributor", same="viewer")})
    scopes = (
        ScopeDrift(ORGANIZATION, some("admin"), some("viewer")),
        ScopeDrift(APP, some("viewer contributor"), some()),
        ScopeDrift(WEB, some("viewer"), some("admin"), (binding,)),
        ScopeDrift(Scope("zoo"), some(), some("admin")),
    )
    assert drift.detect(should, does) == Drift((PersonDrift(principal("ann"), scopes),))


def test_how_the_roles_of_a_scope_are_to_be_stored_is_told_of_that_scope_and_that_person() -> None:
    entries = {
        "u-ann": {WEB: ('{"value": "x"}',), APP: ('{"value": "y"}',)},
        "u-bob": {APP: ('{"value": "z"}',)},
    }
    should = replace(desired({"ann": holds(web="admin")}), entries=entries)
    scopes = (ScopeDrift(WEB, some(), some("admin"), entries=('{"value": "x"}',)),)
    assert drift.detect(should, live({"ann": holds()})) == Drift((PersonDrift(principal("ann"), scopes),))


def test_people_are_sorted_by_folded_user_name_and_then_by_id() -> None:
    shouting = principal("x", user_name="BOB@acme.example")
    twin = principal("a", user_name="bob@acme.example")
    does = live({"cid": holds("viewer")}, shouting, twin, principal("ann"))
    everybody = {name: holds("admin") for name in ("x", "a", "ann", "cid")}
    found = drift.detect(desired(everybody), does)
    assert [person.principal.id for person in found.people] == ["u-ann", "u-a", "u-x", "u-cid"]


def test_only_people_of_the_server_can_differ() -> None:
    assert drift.detect(desired({"gone": holds("admin")}), live({"ann": holds()})) == Drift()


@pytest.mark.parametrize(
    ("should", "does", "scopes"),
    [
        (holds(web="admin"), holds(app="admin"), [APP, WEB]),
        (holds("admin"), holds(web="admin", app="viewer"), [ORGANIZATION, APP, WEB]),
        (holds(), holds("viewer", web="admin"), [ORGANIZATION, WEB]),
        (holds("viewer", web="admin"), holds(), [ORGANIZATION, WEB]),
        (holds("admin"), holds(organization="admin"), [ORGANIZATION, Scope("organization")]),
        (holds(a="admin"), holds(b="admin"), [Scope("a"), Scope("b")]),
        (holds(__init__="admin"), holds(), [Scope("__init__")]),
        (holds(), {Scope("it's \"a\"]['b'].c"): some("admin")}, [Scope("it's \"a\"]['b'].c")]),
        ({Scope("0"): some("admin")}, {Scope("0.0"): some("admin")}, [Scope("0"), Scope("0.0")]),
        ({Scope("web"): some("admin")}, {Scope("WEB"): some("admin")}, [Scope("WEB"), Scope("web")]),
    ],
    ids=[
        "one each",
        "organization and projects",
        "everything is lost",
        "everything is gained",
        "a project called organization",
        "short names",
        "a name with underscores in front",
        "a name with quotes and brackets",
        "names that are numbers",
        "names in two cases",
    ],
)
def test_people_with_nothing_in_common_differ_in_every_scope_of_both(
    should: Holdings, does: Holdings, scopes: list[Scope]
) -> None:
    (person,) = drift.detect(desired({"ann": should}), live({"ann": does})).people
    assert [scope.scope for scope in person.scopes] == scopes


def test_any_two_holdings_differ_in_exactly_the_scopes_whose_roles_are_not_the_same() -> None:
    for should, does in product(_holdings(), repeat=2):
        found = drift.detect(DesiredState({"u-ann": should}, {}), _live(does))
        expected = tuple(
            ScopeDrift(scope, does.get(scope, some()), should.get(scope, some()))
            for scope in (ORGANIZATION, WEB)
            if does.get(scope) != should.get(scope)
        )
        assert [person.scopes for person in found.people] == ([expected] if expected else [])


def _live(holdings: Holdings) -> LiveState:
    return live({"ann": holdings})


def _holdings() -> Iterator[Holdings]:
    for pair in product(ANY_ROLES, repeat=2):
        yield {scope: roles for scope, roles in zip((ORGANIZATION, WEB), pair, strict=True) if roles}


class Watched(dict[Scope, Roles]):
    """Holdings that count how often somebody looked into them, which comparing them does not."""

    looks = 0

    def __iter__(self) -> Iterator[Scope]:
        self.looks += 1
        return super().__iter__()

    def items(self) -> Any:
        self.looks += 1
        return super().items()


def test_who_holds_what_they_should_is_compared_as_a_whole_and_not_looked_into() -> None:
    same, other = Watched(holds("admin", web="viewer")), Watched(holds("viewer"))
    should = DesiredState(by_id({"ann": holds("admin", web="viewer"), "bob": holds("admin")}), {})
    drift.detect(should, live({"ann": same, "bob": other}))
    assert same.looks == 0
    assert other.looks > 0
