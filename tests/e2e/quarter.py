"""A quarter in the life of twelve people: what their company decides, and what access that should mean.

`Company` and `story` are what happens, `Model` is what should come of it, written from the words of the
policy alone: neither knows anything of the program. `lived` lets the program run every morning and compares.
"""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Protocol

from click.testing import CliRunner

from reconciler.cli import cli
from reconciler.http.reach import Reach
from reconciler.sandbox.seed import Person as Seeded
from reconciler.sandbox.seed import Seed
from reconciler.sandbox.server import Server, serving

DAYS = 92
FIRST = date(2026, 7, 1)
MORNING, BEFORE = time(6, tzinfo=UTC), time(5, tzinfo=UTC)
"""When the program runs each day, and when what happens that day has happened."""

GROUPS = ("audit", "contractors", "eng-pay", "eng-web", "platform")

EVENTFUL = (0, 3, 8, 10, 12, 13, 20, 25, 28, 30, 40, 41, 43, 45, 50, 60, 62, 75, 78, 91)
"""Days on which something changes, and the first and the last."""

BREAK_GLASS = "break-glass@acme.example"

ORGANIZATION = """\
version: 1
organization: acme
mode: enforce
projects: {{web: {{}}, pay: {{}}}}
directory: {{kind: {kind}, log: true}}
lifecycle:
  joiners: {joiners}
  leavers: deactivate
  returners: reactivate
  attributes: repair
  grace: 3
  delete_after: 30
classes:
  contractor:
    match: {{groups: [contractors]}}
    ends: {{required: true, attribute: {end}}}
    highest_role: contributor
    bindings: named
guardrails:
  protected: [break-glass@acme.example]
"""

POLICY = """\
version: 1
owner: platform
bindings:
  - {group: platform, organization: admin}
  - {group: eng-web, organization: contributor, projects: {web: admin}, classes: [contractor]}
  - {group: eng-pay, organization: viewer, projects: {pay: admin, web: contributor}}
  - {group: audit, organization: viewer}
grants:
  - user: ivan@acme.example
    organization: admin
    reason: INC-77 runs the migration
    starts: 2026-08-10T05:30:00Z
    expires: 2026-08-10
"""


def moment(day: int, at: time = MORNING) -> datetime:
    """A time of the quarter's day of this number, from 0."""
    return datetime.combine(FIRST + timedelta(days=day), at)


@dataclass
class Employee:
    """Somebody as the company's identity provider has them."""

    name: str
    groups: set[str]
    login: str = ""
    shown: str = ""
    listed: bool = True
    active: bool = True
    since: datetime | None = None
    """When `active` last changed."""
    ends: date | None = None
    """The last day of a contract."""

    def __post_init__(self) -> None:
        self.login = self.login or f"{self.name}@acme.example"
        self.shown = self.shown or f"{self.name.capitalize()} Example"


@dataclass
class Company:
    """Everybody, by the name that nothing changes; and who the identity provider failed to carry over."""

    people: dict[str, Employee] = field(default_factory=dict)
    failed: dict[str, datetime] = field(default_factory=dict)
    creates: bool = False
    """Whether the policy lets the program create accounts."""

    def hire(self, name: str, *groups: str, ends: date | None = None) -> None:
        self.people[name] = Employee(name, set(groups), ends=ends)

    def turn(self, name: str, at: datetime, *, active: bool) -> None:
        self.people[name].active, self.people[name].since = active, at


def started() -> Company:
    """The company on the eve of the first day."""
    company = Company()
    for name in ("ada", "bob"):
        company.hire(name, "platform")
    for name in ("cara", "hana"):
        company.hire(name, "eng-web")
    for name in ("dan", "gus"):
        company.hire(name, "eng-pay")
    for name in ("ivan", "kim"):
        company.hire(name, "audit")
    company.hire("finn", "eng-web", "eng-pay", "contractors", ends=FIRST + timedelta(days=44))
    return company


def story(company: Company, day: int) -> None:
    """What happens on the morning of a day."""
    at = moment(day, BEFORE)
    match day:
        case 3:  # joins, and the identity provider fails to provision her
            company.hire("judy", "eng-web")
            company.failed["judy"] = at
        case 8:  # a pull request: joiners may be created
            company.creates = True
        case 10:  # leaves, and is deleted at once
            company.people["hana"].listed = False
        case 12:  # joins
            company.hire("eve", "eng-pay")
        case 20:  # moves
            company.people["cara"].groups = {"eng-pay"}
        case 25:  # leaves, and stays listed
            company.turn("gus", at, active=False)
        case 30:  # marries
            dan = company.people["dan"]
            dan.login, dan.shown = "daniel.jones@acme.example", "Daniel Jones"
        case 50:  # returns
            company.turn("gus", at, active=True)
        case 60:  # is suspended for two days
            company.turn("kim", at, active=False)
        case 62:
            company.turn("kim", at, active=True)
        case 75:  # whose contract ended on day 44, is deleted at last
            company.people["finn"].listed = False
        case _:
            pass


# -- what should come of it ------------------------------------------------------------------------

GIVES: Mapping[str, Mapping[str, int]] = {
    "platform": {"org": 3},
    "eng-web": {"org": 2, "web": 3},
    "eng-pay": {"org": 1, "pay": 3, "web": 2},
    "audit": {"org": 1},
}
WORDS = {1: "viewer", 2: "contributor", 3: "admin"}
GRACE, KEPT = timedelta(days=3), timedelta(days=30)

Account = tuple[bool, tuple[str, ...], str]
"""Whether it is active, its role values sorted, its displayName."""


@dataclass
class Should:
    """One account as it should be, and since when its person has been gone and it closed."""

    login: str
    shown: str
    active: bool = True
    roles: tuple[str, ...] = ()
    gone: datetime | None = None
    closed: datetime | None = None


@dataclass
class Model:
    """The accounts that there should be, by people's names, after the program's run of each morning."""

    accounts: dict[str, Should] = field(default_factory=dict)

    def live(self, company: Company, now: datetime) -> None:
        """One morning."""
        for name, person in company.people.items():
            account = self.accounts.get(name)
            if person.listed and person.active:
                self._works(person, account, now, creates=company.creates)
            elif account is not None:
                self._is_gone(person, account, now)

    def _works(self, person: Employee, account: Should | None, now: datetime, *, creates: bool) -> None:
        roles = rights(person, now)
        if account is None and roles and creates:
            account = self.accounts[person.name] = Should(person.login, person.shown)
        if account is None:
            return
        account.login, account.shown, account.roles = person.login, person.shown, roles
        account.active, account.gone, account.closed = account.active or bool(roles), None, None

    def _is_gone(self, person: Employee, account: Should, now: datetime) -> None:
        account.gone = account.gone or (person.since if person.listed else None) or now
        over = now - account.gone >= GRACE
        if person.listed or over:
            account.roles = ()
        if over and account.active:
            account.active, account.closed = False, now
        elif account.closed is not None and now - account.closed >= KEPT:
            del self.accounts[person.name]

    def told(self) -> dict[str, Account]:
        """By userName."""
        return {one.login: (one.active, one.roles, one.shown) for one in self.accounts.values()}


def rights(person: Employee, now: datetime) -> tuple[str, ...]:
    """The role values of somebody who is there."""
    contractor = "contractors" in person.groups
    if contractor and (person.ends is None or now.date() > person.ends):
        return ()
    most: dict[str, int] = {}
    for group in person.groups & GIVES.keys():
        if contractor and group != "eng-web":
            continue
        for scope, rank in GIVES[group].items():
            most[scope] = max(most.get(scope, 0), min(rank, 2) if contractor else rank)
    if person.name == "ivan" and moment(40, time(5, 30, tzinfo=UTC)) <= now < moment(41, time(0, tzinfo=UTC)):
        most["org"] = 3
    return tuple(
        sorted(
            f"org-{WORDS[rank]}" if scope == "org" else f"project-{WORDS[rank]}:{scope}"
            for scope, rank in most.items()
        )
    )


# -- the program, every morning ----------------------------------------------------------------------


class Side(Protocol):
    """An identity provider that the program reads."""

    kind: str
    end: str
    """What it calls the end of a contract."""
    told: Mapping[int, str]
    """What is printed on some days."""

    def show(self, company: Company, now: datetime) -> None:
        """Be as the company is now."""
        ...

    def id(self, name: str) -> str:
        """What it calls somebody for good."""
        ...

    def serving(self) -> AbstractContextManager[Mapping[str, str]]:
        """Served on loopback, with the variables that say where."""
        ...


@dataclass
class Morning:
    """What a day's run came to."""

    day: int
    code: int
    output: str
    left: int | None
    """The exit code of a plan right after it; None: none was made."""
    found: Mapping[str, Account]
    wanted: Mapping[str, Account]


def lived(side: Side, folder: Path) -> Iterator[Morning]:
    """Every morning of the quarter, to be compared by whoever takes it."""
    company, model = started(), Model()
    for name, person in company.people.items():
        model.accounts[name] = Should(person.login, person.shown)
    clock = [moment(0)]
    with serving(seed(side, company), token=None, port=0, log=None) as server, side.serving() as variables:
        where = {"CIRCLECI_SCIM_URL": server.url, "CIRCLECI_SCIM_TOKEN": server.token, **variables}

        def run(*arguments: str) -> tuple[int, str]:
            result = CliRunner().invoke(cli, arguments, env=where, obj=Reach(now=lambda: clock[0]))
            assert isinstance(result.exception, SystemExit | None), result.exception
            return result.exit_code, result.output

        for day in range(DAYS):
            story(company, day)
            clock[0] = moment(day)
            side.show(company, clock[0])
            write(folder / "acme", side, company)
            where_it_is = (str(folder / "acme"), "--ledger", str(folder / "ledger.jsonl"))
            code, output = run("apply", *where_it_is)
            left = run("plan", "--exit-code", *where_it_is)[0] if day in EVENTFUL else None
            model.live(company, clock[0])
            wanted = {BREAK_GLASS: (True, ("org-admin",), "Break Glass"), **model.told()}
            yield Morning(day, code, output, left, accounts(server), wanted)


def seed(side: Side, company: Company) -> Seed:
    """The server on the eve: everybody has an account, and only those who run it have a role."""
    people = {
        person.login: Seeded(
            name=person.shown,
            roles=("org-admin",) if "platform" in person.groups else (),
            external_id=side.id(name),
        )
        for name, person in company.people.items()
    }
    return Seed(
        {**people, BREAK_GLASS: Seeded("Break Glass", ("org-admin",))}, projects=frozenset({"web", "pay"})
    )


def write(folder: Path, side: Side, company: Company) -> None:
    """The policy as it is in git that day."""
    folder.mkdir(exist_ok=True)
    joiners = "create" if company.creates else "report"
    head = ORGANIZATION.format(kind=side.kind, joiners=joiners, end=side.end)
    (folder / "organization.yaml").write_text(head, encoding="utf-8")
    (folder / "teams.yaml").write_text(POLICY, encoding="utf-8")


def accounts(server: Server) -> dict[str, Account]:
    """Everybody on the server, read from its store and not by SCIM."""
    with server.store.lock:
        return {
            str(user.user_name): (
                user.active is not False,
                tuple(sorted(str(role.value) for role in user.roles or ())),
                str(user.display_name or ""),
            )
            for user in server.store.users()
        }
