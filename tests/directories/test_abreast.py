"""Okta and Entra ID read side by side: how many requests, how many at once, and always the same results."""

import threading
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from typing import Any

import httpx
import pytest
from directories import entra_world, okta_world
from directories.asking import refs
from scim.fake_server import Time
from standins import graph, okta

from reconciler.directories.entra import client as entra_client
from reconciler.directories.okta import client as okta_client
from reconciler.errors import ExitCode, ReadError
from reconciler.policy.document import GroupRef
from reconciler.ports import Directory

SECONDS = 10.0
"""Nobody waits so long for others unless they never come."""

Answer = Callable[[httpx.Request], httpx.Response]


@dataclass
class Company:
    """A stand-in with so many groups of so many people each, and our directory in front of it."""

    kind: str
    groups: int
    members: int = 2
    names: Callable[[int], str] = "eng-team-{:03}".format
    world: Any = field(init=False)

    def __post_init__(self) -> None:
        people = [f"p{number:03}" for number in range(self.members + 1)]
        self.world = self._okta(people) if self.kind == "okta" else self._entra(people)

    def _members(self, number: int, people: list[str]) -> list[str]:
        return [one for place, one in enumerate(people) if place != number % len(people)]

    def _okta(self, people: list[str]) -> okta.Okta:
        numbers = range(self.groups)
        groups = [okta.Group(self.names(n), self._members(n, people), id=f"00g1{n:016}") for n in numbers]
        return okta.Okta([okta.Person(name) for name in people], groups)

    def _entra(self, people: list[str]) -> graph.Graph:
        numbers = range(self.groups)
        groups = [graph.group(self.names(n), *self._members(n, people)) for n in numbers]
        return graph.Graph([graph.person(name) for name in people], groups)

    def directory(self, answer: Answer | None = None, time: Time | None = None) -> Directory:
        """It signs in as an app; `answer` may stand before the stand-in."""
        if self.kind == "okta":
            return okta_world.directory(self.world, key=self.world.pem, answer=answer, time=time)
        return entra_world.directory(self.world, answer=answer, time=time)

    @property
    def refs(self) -> set[GroupRef]:
        return refs(*map(self.names, range(self.groups)))

    @property
    def at_once(self) -> int:
        return okta_client.AT_ONCE if self.kind == "okta" else entra_client.AT_ONCE

    def id_of(self, number: int) -> str:
        group = self.world.groups[number]
        return str(group.id if self.kind == "okta" else group["id"])

    def refuse(self, *numbers: int) -> None:
        """The members of these groups are never told."""
        ids = [self.id_of(number) for number in numbers]
        if self.kind == "okta":
            self.world.faults = [okta.status(403, "E0000006", f"/{id_}/users").always() for id_ in ids]
        else:
            self.world.faults = [
                graph.refusal(f"/{id_}/members", 403, "Authorization_RequestDenied", "No.") for id_ in ids
            ]

    def revoke(self) -> None:
        """Every access token is void."""
        if self.kind == "okta":
            self.world.revoke()
        else:
            self.world.tokens = dict.fromkeys(self.world.tokens, 0.0)


both = pytest.mark.parametrize("kind", ["okta", "entra"])


def is_of_members(request: httpx.Request) -> bool:
    return "/groups/" in request.url.path and "/" in request.url.path.partition("/groups/")[2]


def asked(requests: Collection[httpx.Request]) -> Counter[str]:
    """How many requests of each kind were sent."""
    return Counter(_kind(request) for request in requests)


def _kind(request: httpx.Request) -> str:
    if is_of_members(request):
        return "members"
    for name in ("oauth2", "search=", "filter=id", "/groups/", "$count", "/groups", "BUILT_IN"):
        if name in str(request.url).replace("%24", "$") and (
            name != "$count" or "/groups" in request.url.path
        ):
            return name
    return "people"


# -- how many requests ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "sent"),
    [
        ("okta", {"oauth2": 1, "search=": 2, "filter=id": 2 + 2, "members": 50}),
        ("entra", {"oauth2": 1, "$count": 4, "/groups": 4, "members": 50}),
    ],
)
def test_fifty_groups_by_name_are_so_many_requests(kind: str, sent: dict[str, int]) -> None:
    company = Company(kind, 50, 30)
    membership = company.directory().read(company.refs)
    assert [len(group.members or ()) for group in membership.groups] == [30] * 50
    assert asked(company.world.requests) == sent


@pytest.mark.parametrize(
    ("kind", "sent"),
    [
        ("okta", {"oauth2": 1, "filter=id": 2 + 2, "members": 50}),
        ("entra", {"oauth2": 1, "/groups/": 50, "members": 50}),
    ],
)
def test_fifty_groups_by_id_are_so_many_requests(kind: str, sent: dict[str, int]) -> None:
    company = Company(kind, 50)
    wanted = {GroupRef(f"g{number}", id=company.id_of(number)) for number in range(50)}
    assert len(company.directory().read(wanted).groups) == 50
    assert asked(company.world.requests) == sent


@both
def test_a_group_that_several_entries_mean_is_read_once(kind: str) -> None:
    company = Company(kind, 3)
    name = company.names(1)
    meant = {
        GroupRef(name),
        GroupRef(name.upper()),
        GroupRef("x", id=company.id_of(1)),
        GroupRef("x", None, (name,)),
    }
    assert [group.name for group in company.directory().read(meant).groups] == [name]
    assert asked(company.world.requests)["members"] == 1


# -- what is asked for together ------------------------------------------------------------------

ODD = (
    "o'neill",
    'the "best"',
    "a or b",
    "a,b",
    "','",
    '" or profile.name eq "eng',
    "%27",
    "Ärzte",
    "\\",
    "ß" * 300,
)


@both
def test_names_are_looked_up_together_whatever_is_in_them(kind: str) -> None:
    company = Company(kind, 40, names=lambda number: f"{ODD[number % len(ODD)]} {number}")
    membership = company.directory().read(company.refs)
    assert sorted(group.name for group in membership.groups) == sorted(map(company.names, range(40)))
    assert (
        max(len(str(request.url)) for request in company.world.requests) < 5600
    )  # one name alone takes 3,600


@both
def test_one_name_that_is_not_there_takes_nothing_from_the_others(kind: str) -> None:
    company = Company(kind, 30)
    wanted = company.refs | {GroupRef("eng-teem"), GroupRef("new", previously=("none", company.names(7)))}
    del company.world.groups[12]
    membership = company.directory().read(wanted)
    there = [company.names(number) for number in range(30) if number != 12]
    assert sorted(group.name for group in membership.groups) == there


# -- several at once -----------------------------------------------------------------------------


@both
def test_so_many_requests_are_under_way_at_once_and_no_more(kind: str) -> None:
    company = Company(kind, 24)
    together = threading.Barrier(company.at_once, timeout=SECONDS)
    lock, under_way, most = threading.Lock(), 0, 0

    def answer(request: httpx.Request) -> httpx.Response:
        nonlocal under_way, most
        with lock:
            under_way += 1
            most = max(most, under_way)
        if is_of_members(request):
            together.wait()
        with lock:
            under_way -= 1
        return company.world.answer(request)  # type: ignore[no-any-return]

    assert len(company.directory(answer).read(company.refs, everybody=True).groups) == 24
    assert most == company.at_once


def backwards(company: Company) -> Answer:
    """Of two groups next to each other, the members of the later are always told first."""
    told = [threading.Event() for _ in company.world.groups]
    places = {company.id_of(number): number for number in range(company.groups)}

    def answer(request: httpx.Request) -> httpx.Response:
        if not is_of_members(request):
            return company.world.answer(request)  # type: ignore[no-any-return]
        place = places[request.url.path.partition("/groups/")[2].partition("/")[0]]
        if place % 2 == 0:
            assert told[place + 1].wait(SECONDS)
        response = company.world.answer(request)
        told[place].set()
        return response  # type: ignore[no-any-return]

    return answer


@both
@pytest.mark.parametrize("everybody", [False, True])
def test_which_answer_comes_first_changes_nothing(kind: str, everybody: bool) -> None:
    company = Company(kind, 20)
    there = company.directory(backwards(company))
    assert there.read(company.refs, everybody=everybody) == company.directory().read(
        company.refs, everybody=everybody
    )


@both
def test_who_changes_while_groups_are_read_is_one_person_in_all_of_them(kind: str) -> None:
    company = Company(kind, 20)

    def leaves(document: Any) -> Any:
        if kind == "okta":
            company.world.become("p001", "SUSPENDED", okta.NOW)
        else:
            company.world.someone("p001")["accountEnabled"] = False
        return document

    fault = (
        okta.changed(leaves, "/users", after=7)
        if kind == "okta"
        else graph.Fault("/members/", change=leaves, at=7)
    )
    company.world.faults = [fault]
    membership = company.directory().read(company.refs)
    met = {one for group in membership.groups for one in group.members or () if str(one).startswith("p001")}
    assert len(met) == 1


# -- failures ------------------------------------------------------------------------------------


def refusal(company: Company) -> tuple[str, str]:
    with pytest.raises(ReadError) as caught:
        company.directory().read(company.refs)
    assert caught.value.exit_code is ExitCode.UNREADABLE
    return caught.value.message, caught.value.hint


@both
def test_one_group_of_many_that_cannot_be_read_is_told_as_if_it_were_alone(kind: str) -> None:
    alone = Company(kind, 1, names=lambda _: "eng-team-017")
    many = Company(kind, 50)
    if kind == "okta":
        alone.world.groups[0].id = many.id_of(17)
    alone.refuse(0)
    many.refuse(17)
    assert refusal(many) == refusal(alone)


@both
def test_of_several_groups_that_cannot_be_read_the_first_is_told(kind: str) -> None:
    one, several = Company(kind, 50), Company(kind, 50)
    one.refuse(17)
    several.refuse(18, 17, 49)
    assert refusal(several) == refusal(one)


@both
def test_after_a_refusal_nothing_further_is_begun(kind: str) -> None:
    company = Company(kind, 100)
    company.refuse(0)
    refusal(company)
    assert asked(company.world.requests)["members"] <= 3 * company.at_once


# -- limits --------------------------------------------------------------------------------------


def windows(company: Company, time: Time, limit: int, refused: list[int]) -> Answer:
    """So many requests a minute by Okta's clock, as its headers tell; the minutes of all others are noted."""
    lock, used = threading.Lock(), Counter[int]()

    def answer(request: httpx.Request) -> httpx.Response:
        response: httpx.Response = company.world.answer(request)
        with lock:
            minute = int(time.passed // 60)
            used[minute] += 1
            if used[minute] > limit:
                refused.append(minute)
                response = okta.refused(429, "E0000047", "API call exceeded rate limit.")
            now = okta.NOW + timedelta(seconds=time.passed)
            response.headers["Date"] = now.strftime("%a, %d %b %Y %H:%M:%S GMT")
            response.headers["X-Rate-Limit-Limit"] = str(limit)
            response.headers["X-Rate-Limit-Remaining"] = str(max(0, limit - used[minute]))
            response.headers["X-Rate-Limit-Reset"] = str(int(okta.NOW.timestamp()) + 60 * (minute + 1))
        return response

    return answer


def test_a_window_is_used_up_by_all_together_and_the_next_one_waited_for() -> None:
    company, time, refused = Company("okta", 50), Time(), list[int]()
    there = company.directory(windows(company, time, 20, refused), time)
    assert len(there.read(company.refs).groups) == 50
    assert 2 * 60 <= time.passed < 4 * 60  # for 57 requests
    assert len(refused) <= company.at_once  # one answer may overtake another


# -- tokens --------------------------------------------------------------------------------------


@both
def test_a_token_that_is_voided_while_many_use_it_is_replaced_once(kind: str) -> None:
    company = Company(kind, 40)
    numbers = count(1)

    def answer(request: httpx.Request) -> httpx.Response:
        if is_of_members(request) and next(numbers) == 10:
            company.revoke()
        return company.world.answer(request)  # type: ignore[no-any-return]

    assert len(company.directory(answer).read(company.refs).groups) == 40
    assert asked(company.world.requests)["oauth2"] == 2


@both
def test_who_may_not_sign_in_is_refused_once_however_many_groups_wait_for_it(kind: str) -> None:
    company = Company(kind, 40)
    wanted = {GroupRef(f"g{number}", id=company.id_of(number)) for number in range(40)}
    if kind == "okta":
        company.world.faults = [
            okta.Fault(lambda _: okta.oauth_error(401, "invalid_client", "No."), "oauth2").always()
        ]
    else:
        company.world.faults = [graph.Fault("/oauth2/", 401, graph.JSON, '{"error": "invalid_client"}')]
    with pytest.raises(ReadError, match=r"401 Unauthorized \(invalid_client\)"):
        company.directory().read(wanted)
    assert asked(company.world.requests) == {"oauth2": 1}


def test_an_okta_that_takes_no_query_for_several_is_asked_for_each_alone() -> None:
    company = Company("okta", 5)

    def answer(request: httpx.Request) -> httpx.Response:
        asked = f"{request.url.params.get('filter')} {request.url.params.get('search')}"
        if " or " in asked:
            return httpx.Response(400, json={"errorCode": "E0000031", "errorSummary": "Invalid search"})
        answered: httpx.Response = company.world.answer(request)
        return answered

    assert company.directory(answer).read(company.refs) == company.directory().read(company.refs)
