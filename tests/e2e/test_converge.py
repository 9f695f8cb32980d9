"""Plan and apply on the real sandbox: what the server holds afterwards, as a whole, and what it was sent."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from reconciler import sandbox
from reconciler.cli import cli
from reconciler.sandbox import seed
from reconciler.sandbox.server import Server

ROOT = Path(__file__).parents[2]
SEEDS = Path(__file__).parent / "seeds"

CHECKOUT = "5d1f0a4e-8c37-4b0e-9a55-2f6c1d7e9b13"
SRE = ["org-contributor", f"project-admin:{CHECKOUT}", "project-admin:storefront"]
WEB = ["org-contributor", "project-admin:storefront"]
PAYMENTS = ["org-viewer", f"project-admin:{CHECKOUT}", "project-contributor:storefront"]
SEARCH = ["org-viewer", "project-admin:search", "project-contributor:data-platform"]
MOBILE = ["org-viewer", "project-admin:mobile", "project-contributor:storefront"]
DATA = ["org-viewer", "project-admin:data-platform", "project-contributor:search"]


def each(roles: list[str], *names: str) -> dict[str, list[str]]:
    """The same role values for everybody named."""
    return {f"{name}@acme.example": roles for name in names}


CONVERGED = {
    **each(["org-admin"], "amara", "bengt", "chiara", "deepak", "break-glass"),
    **each(SRE, "elif", "farid", "greta", "hiro", "ines"),
    **each(WEB, "ivan", "jana", "kofi", "lena"),
    **each(["billing-reader", *WEB], "marco"),
    "Nadia.Karim@Acme.example": WEB,
    **each(["org-admin", *PAYMENTS[1:]], "dana"),
    **each(PAYMENTS, "olga", "quinn", "rashid"),
    **each([*PAYMENTS, "project-viewer:legacy-billing"], "pedro"),
    **each(SEARCH, "sana", "tomas", "uma", "viktor"),
    **each(["org-viewer", "project-admin:data-platform", "project-admin:search"], "wanda"),
    **each(MOBILE, "rosa", "xavier", "yuki", "zoe", "arjun"),
    **each(DATA, "beatriz", "dmitri", "esther", "felix"),
    **each(["billing-reader", *DATA], "carlos"),
    **each(["org-viewer"], "gwen", "hamid", "irene"),
    **each([], "kirsten", "jorge", "milan"),
    "svc-invoices": ["billing-reader"],
}
"""What everybody holds once policies/acme is applied while Dana's temporary grant lasts."""


@pytest.fixture
def acme(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """policies/acme with a temporary grant that these tests will not outlive, in the current folder."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(ROOT / "policies", tmp_path / "policies")
    edit(tmp_path / "policies/acme/access/temporary.yaml", "expires: 2026-11-27", "expires: 2999-11-27")
    longest = "minimum_admins: 2\n  longest_grant: 1000000"
    edit(tmp_path / "policies/acme/organization.yaml", "minimum_admins: 2", longest)
    return tmp_path / "policies/acme"


@pytest.fixture
def server() -> Iterator[Server]:
    with sandbox.run(seed.acme()) as running:
        yield running


def edit(file: Path, written: str, instead: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert written in text
    file.write_text(text.replace(written, instead), encoding="utf-8")


def reconciler(server: Server, *arguments: str) -> Result:
    environment = {"CIRCLECI_SCIM_URL": server.url, "CIRCLECI_SCIM_TOKEN": server.token}
    return CliRunner().invoke(cli, arguments, env=environment)


def writes(server: Server) -> list[str]:
    return [request.method for request in server.requests if request.writes]


def methods(server: Server) -> set[str]:
    return {request.method for request in server.requests}


# The main job, roles stored on the user


@pytest.mark.usefixtures("acme")
def test_plan_apply_plan_apply_converges_and_then_writes_nothing_more(server: Server) -> None:
    assert reconciler(server, "plan", "--exit-code", "policies/acme").exit_code == 3
    assert reconciler(server, "apply", "policies/acme").exit_code == 0
    assert server.roles() == CONVERGED
    written = writes(server)
    assert written == ["PATCH"] * 9
    assert reconciler(server, "plan", "--exit-code", "policies/acme").exit_code == 0
    assert reconciler(server, "apply", "policies/acme").exit_code == 0
    assert writes(server) == written
    assert server.roles() == CONVERGED


@pytest.mark.usefixtures("acme")
def test_who_is_as_the_policy_says_is_not_written_at_all(server: Server) -> None:
    with server.store.lock:
        before = {str(user.user_name): user for user in server.store.users()}
    reconciler(server, "apply")
    with server.store.lock:
        touched = {
            name
            for name in before
            for user in server.store.users()
            if user.user_name == name and user != before[name]
        }
    names = ("dana", "felix", "gwen", "jorge", "kirsten", "lena", "quinn", "rosa", "zoe")
    assert touched == {f"{name}@acme.example" for name in names}


@pytest.mark.usefixtures("acme")
def test_what_a_plan_shows_as_data_is_what_apply_does(server: Server) -> None:
    planned = json.loads(reconciler(server, "plan", "--format", "json").stdout)["plans"][0]
    applied = json.loads(reconciler(server, "apply", "--format", "json").stdout)["runs"][0]
    assert applied["fingerprint"] == planned["fingerprint"]
    assert applied["changes"] == planned["changes"]
    assert [outcome["result"] for outcome in applied["outcomes"]] == ["applied"] * 9
    assert [outcome["change"]["user"] for outcome in applied["outcomes"]] == [
        change["user"] for change in planned["changes"]
    ]


@pytest.mark.usefixtures("acme")
def test_planning_twice_gives_one_fingerprint(server: Server) -> None:
    first, second = (reconciler(server, "plan", "policies/acme").stdout for _ in range(2))
    assert first == second
    assert first.splitlines()[-1].startswith("fingerprint ")


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(["plan"], id="plan"),
        pytest.param(["plan", "--exit-code", "--format", "json"], id="plan as json"),
        pytest.param(["validate"], id="validate"),
        pytest.param(["schema", "policy"], id="schema"),
    ],
)
@pytest.mark.usefixtures("acme")
def test_a_command_that_reads_sends_no_request_that_writes(arguments: list[str], server: Server) -> None:
    before = server.roles()
    reconciler(server, *arguments)
    assert methods(server) <= {"GET"}
    assert server.roles() == before


def test_a_binding_that_is_taken_out_takes_its_roles_with_it(server: Server, acme: Path) -> None:
    reconciler(server, "apply")
    (acme / "teams/mobile.yaml").write_text("version: 1\nowner: mobile\n", encoding="utf-8")
    assert reconciler(server, "apply").exit_code == 0
    assert server.roles() == CONVERGED | each([], "rosa", "xavier", "yuki", "zoe", "arjun")


# Modes


def test_mode_report_shows_the_drift_and_never_writes(server: Server, acme: Path) -> None:
    edit(acme / "organization.yaml", "mode: enforce", "mode: report")
    before = server.roles()
    assert reconciler(server, "plan", "--exit-code").exit_code == 3
    applied = reconciler(server, "apply")
    assert applied.exit_code == 0
    assert "mode report never writes" in applied.stdout
    assert "zoe@acme.example gains" in applied.stdout
    assert (methods(server), server.roles()) == ({"GET"}, before)


def test_mode_additive_gives_what_is_missing_and_takes_nothing_away(server: Server, acme: Path) -> None:
    edit(acme / "organization.yaml", "mode: enforce", "mode: additive")
    before = server.roles()
    assert reconciler(server, "apply").exit_code == 0
    assert server.roles() == before | {
        "dana@acme.example": sorted([*before["dana@acme.example"], "org-admin"]),
        "quinn@acme.example": sorted([*before["quinn@acme.example"], f"project-admin:{CHECKOUT}"]),
        "zoe@acme.example": MOBILE,
    }
    again = reconciler(server, "plan", "--exit-code")
    assert again.exit_code == 3
    assert "mode additive takes nothing away" in again.stdout
    written = writes(server)
    assert reconciler(server, "apply").exit_code == 0
    assert writes(server) == written


# Roles stored as groups

GROUPS_POLICY = """\
version: 1
organization: acme
mode: enforce
projects: {storefront: {}}
roles:
  stored_as: groups
  organization: "circleci-org-{role}"
  project: "circleci-{project}-{role}"
guardrails:
  demotions: {percent: 100, count: 10}
"""
GROUPS_BINDINGS = """\
version: 1
bindings:
  - group: platform
    organization: admin
  - group: eng-web
    organization: viewer
    projects: {storefront: viewer}
"""

MEMBERS = {
    "platform": ["ada@acme.example", "bob@acme.example"],
    "eng-web": ["cleo@acme.example", "dan@acme.example"],
    "everyone": ["ada@acme.example", "bob@acme.example", "cleo@acme.example", "dan@acme.example"],
    "circleci-org-admin": ["ada@acme.example", "bob@acme.example"],
    "circleci-org-contributor": [],
    "circleci-org-viewer": ["cleo@acme.example", "dan@acme.example"],
    "circleci-storefront-admin": [],
    "circleci-storefront-contributor": [],
    "circleci-storefront-viewer": ["cleo@acme.example", "dan@acme.example"],
}
"""What the groups hold once the policy is applied; the last one did not exist."""


@pytest.fixture
def role_groups() -> Iterator[Server]:
    with sandbox.run(seed.load(SEEDS / "role-groups.yaml")) as running:
        yield running


@pytest.fixture
def groups_policy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "policies/acme"
    folder.mkdir(parents=True)
    (folder / "organization.yaml").write_text(GROUPS_POLICY, encoding="utf-8")
    (folder / "web.yaml").write_text(GROUPS_BINDINGS, encoding="utf-8")
    return folder


@pytest.mark.usefixtures("groups_policy")
def test_roles_that_are_groups_converge_too_and_a_missing_group_is_created(role_groups: Server) -> None:
    planned = reconciler(role_groups, "plan", "--exit-code")
    assert planned.exit_code == 3
    assert "creates the group circleci-storefront-viewer" in planned.stdout.splitlines()
    assert reconciler(role_groups, "apply").exit_code == 0
    assert role_groups.members() == MEMBERS
    written = writes(role_groups)
    assert written == ["POST", *["PATCH"] * 5]
    assert reconciler(role_groups, "plan", "--exit-code").exit_code == 0
    assert reconciler(role_groups, "apply").exit_code == 0
    assert writes(role_groups) == written


@pytest.mark.usefixtures("groups_policy")
def test_who_moves_between_role_groups_joins_the_new_one_before_leaving_the_old(role_groups: Server) -> None:
    result = json.loads(reconciler(role_groups, "apply", "--format", "json").stdout)["runs"][0]
    steps = [
        (change["user"].partition("@")[0], scope["before"], scope["after"])
        for outcome in result["outcomes"]
        if (change := outcome["change"])["kind"] == "set-roles"
        for scope in change["scopes"]
    ]
    assert steps == [
        ("cleo", ["admin"], ["admin", "viewer"]),
        ("dan", ["contributor"], ["contributor", "viewer"]),
        ("dan", [], ["viewer"]),
        ("cleo", ["admin", "viewer"], ["viewer"]),
        ("dan", ["contributor", "viewer"], ["viewer"]),
    ]


def test_mode_additive_takes_nobody_out_of_a_role_group(role_groups: Server, groups_policy: Path) -> None:
    edit(groups_policy / "organization.yaml", "mode: enforce", "mode: additive")
    before = role_groups.members()
    assert reconciler(role_groups, "apply").exit_code == 0
    after = role_groups.members()
    assert after == before | {"circleci-storefront-viewer": ["dan@acme.example"]}


# Several organizations


def test_each_organization_is_brought_to_its_own_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: Server, role_groups: Server, acme: Path
) -> None:
    assert acme.parent == tmp_path / "policies"
    folder = acme.parent / "north-wind"
    folder.mkdir()
    text = GROUPS_POLICY.replace("organization: acme", "organization: north-wind")
    (folder / "organization.yaml").write_text(text, encoding="utf-8")
    (folder / "web.yaml").write_text(GROUPS_BINDINGS, encoding="utf-8")
    monkeypatch.setenv("NORTH_WIND_CIRCLECI_SCIM_URL", role_groups.url)
    monkeypatch.setenv("NORTH_WIND_CIRCLECI_SCIM_TOKEN", role_groups.token)
    assert reconciler(server, "apply").exit_code == 0
    assert (server.roles(), role_groups.members()) == (CONVERGED, MEMBERS)
