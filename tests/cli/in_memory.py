"""The program against servers in memory, with a ledger: what it prints, asks of them, and keeps."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
from cli.small_world import write_policy
from click.testing import CliRunner
from scim.fake_server import BASE, SECRET, FakeServer, group, user

from reconciler.cli import cli
from reconciler.http.reach import Reach

SMALL = 10_000_000
"""So many bytes of a file are searched for the token."""

LEDGER = Path(".reconciler/ledger.jsonl")
IN_GROUPS = """\
roles: {stored_as: groups, organization: "circleci-org-{role}", project: "circleci-{project}-{role}"}
"""
LIMITS = """\
guardrails:
  minimum_admins: 2
  removals: {percent: 100, count: 100}
  demotions: {percent: 100, count: 100}
  last_roles: {percent: 100, count: 100}
  deactivations: {percent: 100, count: 100}
"""
HEAD = f"version: 1\norganization: acme\nmode: enforce\nprojects: {{storefront: {{}}}}\n{LIMITS}"

ODD = {"value": "ORG-Viewer", "display": "Dan's", "primary": True, "type": "x"}


class Ran(NamedTuple):
    """What one run of the program came to."""

    code: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        return json.loads(self.out)


def ran(server: FakeServer | Mapping[str, FakeServer], *arguments: str, **variables: str) -> Ran:
    """One run, checked for what no run may ever do: print the token, keep it in a file, show a traceback.

    Several servers are given by their organizations.
    """
    several = server if isinstance(server, Mapping) else {}
    first = server if isinstance(server, FakeServer) else next(iter(server.values()))
    urls = {f"{name.upper()}_CIRCLECI_SCIM_URL": f"https://{name}.test/scim/v2" for name in several}
    tokens = {f"{name.upper()}_CIRCLECI_SCIM_TOKEN": SECRET for name in several}

    def answer(request: httpx.Request) -> httpx.Response:
        return several.get(request.url.host.removesuffix(".test"), first).answer(request)

    result = CliRunner().invoke(
        cli,
        arguments,
        env={"CIRCLECI_SCIM_URL": BASE, "CIRCLECI_SCIM_TOKEN": SECRET, **urls, **tokens, **variables},
        obj=Reach(httpx.MockTransport(answer), first.time.patience()),
    )
    assert SECRET not in result.output
    assert "Traceback" not in result.output
    assert isinstance(result.exception, SystemExit | None), result.exception
    for path in Path().rglob("*"):
        if path.is_file() and path.stat().st_size < SMALL:
            assert SECRET.encode() not in path.read_bytes(), path
    return Ran(int(result.exit_code), result.stdout, result.stderr)


def alone(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """This folder as the current one, and no connection to anywhere."""
    monkeypatch.chdir(folder)
    for name in [name for name in os.environ if "SCIM" in name or name.startswith("CIRCLE")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("LOGNAME", "ann")
    return folder


def generous(folder: Path, *, in_groups: bool = False) -> Path:
    """A policy whose guardrails let most plans pass."""
    return write_policy(folder / "policies/acme", HEAD + (IN_GROUPS if in_groups else ""))


def many(*, in_groups: bool = False) -> FakeServer:
    """Cleo gains, Dan, Fay and Gil lose everything, Eve moves; in all ways that roles can be written."""
    groups = [group("platform", "ada", "bob"), group("eng-web", "cleo", "eve")]
    if in_groups:
        people = [user(name) for name in ("ada", "bob", "cleo", "dan", "eve", "fay")]
        held = [
            group("circleci-org-admin", "ada", "bob"),
            group("circleci-org-contributor", "eve", "fay"),
            group("circleci-org-viewer", "dan", "fay", "gil"),
        ]
        return FakeServer([*people, user("gil", active=False)], [*groups, *held])
    people = [
        user("ada", "org-admin"),
        user("bob", "org-admin", {"value": "gadget", "display": "kept"}),
        user("cleo"),
        user("dan", ODD, "gadget"),
        user("eve", {"value": "org-contributor", "display": "Eve's"}),
        user("fay", "org-viewer", {"value": "Org-Viewer", "type": "old"}, "org-contributor"),
        user("gil", {"value": "ORG-viewer"}, active=False),
    ]
    return FakeServer(people, groups)


def held(server: FakeServer) -> Mapping[str, set[str]]:
    """Every role entry of everybody, byte for byte, and who is in each group that anybody is in."""
    roles = {
        id_: {json.dumps(entry, sort_keys=True) for entry in person["roles"]}
        for id_, person in server.data["Users"].items()
    }
    members = {
        id_: {entry["value"] for entry in found["members"]} for id_, found in server.data["Groups"].items()
    }
    return roles | {id_: ids for id_, ids in members.items() if ids}


def latest() -> str:
    """The name of the last run in the ledger."""
    runs: list[str] = [record["hash"] for record in records() if record["event"] == "run"]
    return runs[-1][:12]


def records() -> list[dict[str, Any]]:
    """All records of the ledger."""
    return [json.loads(line) for line in LEDGER.read_text(encoding="ascii").splitlines()]
