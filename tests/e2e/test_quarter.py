"""Twelve people over a quarter, a run every morning, against stand-ins of both vendors and the sandbox."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import pytest
from click.testing import CliRunner
from e2e import loopback, quarter
from e2e.quarter import Company, Employee, Morning, Side, moment
from standins import graph, okta

from reconciler.cli import cli


class OktaSide:
    """The company in Okta."""

    kind, end = "okta", "contractEnd"
    told: Mapping[int, str] = {
        5: "judy@acme.example is in the directory (eng-web), and not on the server; its log says: Automatic "
        "provisioning of user failed, since 2026-07-04",
        11: "hana@acme.example is active here, and not in the directory, since 2026-07-11; roles and account "
        "are left alone until 2026-07-14 06:00 UTC",
        25: "gus@acme.example is active here, and DEPROVISIONED in the directory, since 2026-07-26",
        44: "finn@acme.example is contractor until 2026-08-14 23:59 UTC, and loses every role then",
    }

    def __init__(self) -> None:
        self.okta = okta.Okta(page=3)

    def id(self, name: str) -> str:
        return f"00u-{name}"

    def show(self, company: Company, now: datetime) -> None:
        listed = [person for person in company.people.values() if person.listed]
        self.okta.now = lambda: now
        self.okta.people = [self._person(person) for person in listed]
        self.okta.groups = [
            okta.Group(name, [one.name for one in listed if name in one.groups and one.active])
            for name in quarter.GROUPS
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
    told: Mapping[int, str] = {
        5: "judy@acme.example is in the directory (eng-web), and not on the server; its log says: the target "
        "system said no, since 2026-07-04",
        11: "hana@acme.example is active here, and not in the directory, since 2026-07-11; roles and account "
        "are left alone until 2026-07-14 06:00 UTC",
        26: "gus@acme.example is active here, and disabled in the directory, since 2026-07-26",
        44: "finn@acme.example is contractor until 2026-08-14 23:59 UTC, and loses every role then",
    }

    def __init__(self) -> None:
        self.graph = graph.Graph(page=3, empty_pages=1)

    def id(self, name: str) -> str:
        return graph.id_of(name)

    def show(self, company: Company, now: datetime) -> None:
        listed = [person for person in company.people.values() if person.listed]
        self.graph.now = lambda: now
        self.graph.people = [self._person(person) for person in listed]
        self.graph.groups = [
            graph.group(name, *(one.name for one in listed if name in one.groups)) for name in quarter.GROUPS
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


def account(*roles: str, active: bool = True, shown: str) -> quarter.Account:
    return active, roles, f"{shown} Example"


WEB = ("org-contributor", "project-admin:web")
PAY = ("org-viewer", "project-admin:pay", "project-contributor:web")
LANDMARKS: dict[int, dict[str, quarter.Account | None]] = {
    0: {
        "cara@acme.example": account(*WEB, shown="Cara"),
        "finn@acme.example": account("org-contributor", "project-contributor:web", shown="Finn"),
        quarter.BREAK_GLASS: (True, ("org-admin",), "Break Glass"),
    },
    7: {"judy@acme.example": None},
    8: {"judy@acme.example": account(*WEB, shown="Judy")},
    12: {"eve@acme.example": account(*PAY, shown="Eve"), "hana@acme.example": account(*WEB, shown="Hana")},
    13: {"hana@acme.example": account(active=False, shown="Hana")},
    20: {"cara@acme.example": account(*PAY, shown="Cara")},
    25: {"gus@acme.example": account(shown="Gus")},
    28: {"gus@acme.example": account(active=False, shown="Gus")},
    30: {"dan@acme.example": None, "daniel.jones@acme.example": (True, PAY, "Daniel Jones")},
    39: {"ivan@acme.example": account("org-viewer", shown="Ivan")},
    40: {"ivan@acme.example": account("org-admin", shown="Ivan")},
    41: {"ivan@acme.example": account("org-viewer", shown="Ivan")},
    42: {"hana@acme.example": account(active=False, shown="Hana")},
    43: {"hana@acme.example": None},
    44: {"finn@acme.example": account("org-contributor", "project-contributor:web", shown="Finn")},
    45: {"finn@acme.example": account(shown="Finn")},
    50: {"gus@acme.example": account(*PAY, shown="Gus")},
    60: {"kim@acme.example": account(shown="Kim")},
    62: {"kim@acme.example": account("org-viewer", shown="Kim")},
    78: {"finn@acme.example": account(active=False, shown="Finn")},
    91: {quarter.BREAK_GLASS: (True, ("org-admin",), "Break Glass")},
}
"""What the story means on some days, in so many words: the model could be wrong, too. None: no account."""


@pytest.mark.slow
@pytest.mark.parametrize("side", [OktaSide(), GraphSide()], ids=["okta", "graph"])
def test_every_morning_of_a_quarter_the_server_is_as_the_model_says(side: Side, tmp_path: Path) -> None:
    mornings: dict[int, Morning] = {}
    for morning in quarter.lived(side, tmp_path):
        assert dict(morning.found) == dict(morning.wanted), f"day {morning.day}\n{morning.output}"
        unprovisioned = 3 <= morning.day < 8
        assert morning.code == (8 if unprovisioned else 0), f"day {morning.day}\n{morning.output}"
        assert morning.left in (None, 6 if unprovisioned else 0), f"day {morning.day}"
        mornings[morning.day] = morning

    assert list(mornings) == list(range(quarter.DAYS))
    for day, people in LANDMARKS.items():
        assert {name: mornings[day].found.get(name) for name in people} == people, f"day {day}"
    for day, told in side.told.items():
        assert told in mornings[day].output, f"day {day}"
    assert verified(tmp_path / "ledger.jsonl") == 0


def verified(ledger: Path) -> int:
    return CliRunner().invoke(cli, ["history", "--verify", "--ledger", str(ledger)]).exit_code
