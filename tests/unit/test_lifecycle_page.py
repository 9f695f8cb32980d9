"""docs/lifecycle.md prints what a plan prints for the organization that it shows."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from textwrap import dedent

import pytest
from build import Groups, Server, group, holds

from reconciler import planning
from reconciler.model import LiveState, Member, Membership, Principal
from reconciler.people.population import Past
from reconciler.policy import source
from reconciler.ports import ProvisioningFailure
from reconciler.report import text

PAGE = Path(__file__).parents[2] / "docs/lifecycle.md"
BINDINGS = """\
version: 1
bindings:
  - group: eng-web
    organization: viewer
    projects: {storefront: contributor}
  - group: platform
    organization: admin
"""
NOW = datetime(2026, 11, 26, 9, tzinfo=UTC)
DAY = timedelta(days=1)


def block(first: str) -> str:
    """The indented lines of the page that begin with this one."""
    _, _, rest = PAGE.read_text(encoding="utf-8").partition(f"    {first}\n")
    lines = [f"    {first}"]
    for line in rest.split("\n"):
        if line and not line.startswith("    "):
            break
        lines.append(line)
    return dedent("\n".join(lines)).strip("\n")


def member(name: str, user_name: str = "", **known: object) -> Member:
    base = Member(None, f"00u{name}", user_name or f"{name}@acme.example", True, display_name=name.title())
    return base._replace(**known)  # type: ignore[arg-type]  # any field may be told


def account(name: str, *, active: bool = True) -> Principal:
    return Principal(f"u-{name}", f"{name}@acme.example", f"00u{name}", active, name.title())


def test_the_example_prints_what_the_page_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "policies/acme"
    folder.mkdir(parents=True)
    (folder / "organization.yaml").write_text(block("# policies/acme/organization.yaml"), encoding="utf-8")
    (folder / "web.yaml").write_text(BINDINGS, encoding="utf-8")
    (asked,) = source.load_all([Path("policies/acme")]).policies
    admins = [member("ada"), member("bob")]
    moss = member("moss", active=False, status="SUSPENDED", since=NOW - 2 * DAY)
    rae = member("rae", "rae.kim@acme.example", display_name="Rae Kim")
    web = [member("ines"), member("jo"), moss, rae, member("uma")]
    told = Membership((group("eng-web", *web), group("platform", *admins)), people=frozenset([*admins, *web]))
    log = ProvisioningFailure(
        member("uma"), NOW - 5 * DAY, "Error while adding the user to group eng-web: 409 Conflict", "eng-web"
    )
    here = [*map(account, ("ada", "bob", "kim", "lee", "moss", "rae", "uma"))]
    away = [account("jo", active=False), account("old", active=False)]
    web_roles = holds("viewer", storefront="contributor")
    state = LiveState(
        {one.id: one for one in (*here, *away)},
        {
            **dict.fromkeys(("u-ada", "u-bob"), holds("admin")),
            **dict.fromkeys(("u-kim", "u-moss", "u-rae", "u-uma"), web_roles),
            "u-lee": holds("viewer"),
        },
    )
    past = Past({"u-old": NOW - 120 * DAY}, {"u-lee": NOW - DAY, "u-kim": NOW - 4 * DAY})
    pushed = Groups(Membership((group("eng-web", "jo", "rae"), group("platform", "ada", "bob"))))

    prepared = planning.prepare(asked, Server(state), Groups(told, log=(log,)), NOW, past, pushed)

    assert prepared.violations == ()
    *shown, blank, fingerprint = text.plan(prepared)
    assert (blank, fingerprint) == ("", f"fingerprint {prepared.plan.fingerprint}")
    assert "\n".join(shown) == block("acme on https://scim.example/v2, mode enforce")
