"""Twelve people over a quarter, a run every morning, against stand-ins of both vendors and the sandbox."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import pytest
from e2e import loopback, quarter
from e2e.quarter import Company, Employee, Morning, Side, moment
from standins import graph, okta


class OktaSide:
    """The company in Okta."""

    kind, end = "okta", "contractEnd"

    def __init__(self) -> None:
        self.okta = okta.Okta(page=3)

    def id(self, name: str) -> str:
        return f"00u-{name}"

    def show(self, company: Company, now: datetime) -> None:
        listed = [person for person in company.people.values() if person.listed]
        self.okta.now = lambda: now
        self.okta.people = [self._person(person) for person in listed]
        names = sorted({group for person in listed for group in person.groups})
        self.okta.groups = [
            okta.Group(name, [one.name for one in listed if name in one.groups and one.active])
            for name in names
        ]
        self.okta.events = [
            okta.Event("application.provision.user.push", self.okta.person(name), at)
            for name, at in company.failed.items()
        ]

    def _person(self, person: Employee) -> okta.Person:
        first, _, last = person.shown.partition(" ")
        ends = {"contractEnd": person.ends.isoformat()} if person.ends else {}
        profile: dict[str, object] = {
            "login": person.login,
            "email": person.login,
            "firstName": first,
            "lastName": last,
            **ends,
        }
        status = "ACTIVE" if person.active else "DEPROVISIONED"
        return okta.Person(person.name, status, person.since or moment(-100), profile=profile)

    @contextmanager
    def serving(self) -> Iterator[Mapping[str, str]]:
        with okta.serving(self.okta) as url:
            yield {"OKTA_CLIENT_ORGURL": url, "OKTA_CLIENT_TOKEN": okta.SSWS}


class GraphSide:
    """The company in Entra ID."""

    kind, end = "entra", "employeeLeaveDateTime"

    def __init__(self) -> None:
        self.graph = graph.Graph(page=3, empty_pages=1)

    def id(self, name: str) -> str:
        return graph.id_of(name)

    def show(self, company: Company, now: datetime) -> None:
        listed = [person for person in company.people.values() if person.listed]
        self.graph.now = lambda: now
        self.graph.people = [self._person(person) for person in listed]
        names = sorted({group for person in listed for group in person.groups})
        self.graph.groups = [
            graph.group(name, *(one.name for one in listed if name in one.groups)) for name in names
        ]
        self.graph.log = [
            graph.event(name, "failure", f"{at:%Y-%m-%dT%H:%M:%SZ}", "the target system said no")
            for name, at in company.failed.items()
        ]

    def _person(self, person: Employee) -> graph.Record:
        ends = f"{person.ends}T23:59:59Z" if person.ends else None
        return graph.person(
            person.name,
            userPrincipalName=person.login,
            mail=person.login,
            displayName=person.shown,
            accountEnabled=person.active,
            employeeLeaveDateTime=ends,
        )

    @contextmanager
    def serving(self) -> Iterator[Mapping[str, str]]:
        with loopback.serving(self.graph) as url:
            origin = url.removesuffix("/scim/v2")
            self.graph.login = origin
            yield {
                "AZURE_TENANT_ID": graph.TENANT,
                "AZURE_CLIENT_ID": graph.CLIENT,
                "AZURE_CLIENT_SECRET": graph.CLIENT_SECRET,
                "AZURE_AUTHORITY_HOST": origin,
                "AZURE_GRAPH_ENDPOINT": origin,
            }


@pytest.mark.slow
@pytest.mark.parametrize("side", [OktaSide(), GraphSide()], ids=["okta", "graph"])
def test_every_morning_of_a_quarter_the_server_is_as_the_model_says(
    side: Side, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    plan = ("plan", "acme", "--ledger", "ledger.jsonl")
    mornings: dict[int, Morning] = {}
    for morning in quarter.lived(side, tmp_path, lambda day: plan if day in (5, 11, 44) else ()):
        assert dict(morning.found) == dict(morning.wanted), f"day {morning.day}\n{morning.output}"
        joins_unprovisioned = 3 <= morning.day < 8
        assert morning.code == (8 if joins_unprovisioned else 0), f"day {morning.day}\n{morning.output}"
        mornings[morning.day] = morning
    assert len(mornings) == quarter.DAYS
