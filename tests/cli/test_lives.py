"""Joiners and leavers from the command line: plan and apply believe one ledger, which tells who leaves."""

import json
import os
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cli.small_world import BINDINGS, run, write_policy
from e2e.loopback import environment, serving
from scim.fake_server import FakeServer, user

ORGANIZATION = """\
version: 1
organization: acme
mode: enforce
projects: {storefront: {}}
directory: {kind: file}
lifecycle: {joiners: create, leavers: deactivate, grace: 3}
guardrails: {removals: {percent: 100, count: 10}, last_roles: {percent: 100, count: 10}}
"""
LEDGER = Path(".reconciler/ledger.jsonl")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A policy and an export of the directory in the current folder, and no connection to anywhere."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if "SCIM" in name or "DIRECTORY" in name]:
        monkeypatch.delenv(name)
    write_policy(tmp_path / "policies/acme", ORGANIZATION, BINDINGS)
    export(["ada", "bob", "eve"])
    return tmp_path


def export(people: Iterable[str]) -> None:
    """Everybody is listed; the first two are in one group, and the others in the other."""
    names = [f"{name}@acme.example" for name in people]
    groups = [{"name": "platform", "members": names[:2]}, {"name": "eng-web", "members": names[2:]}]
    content = {
        "format": "reconciler.directory/1",
        "exported": datetime.now(UTC).isoformat(),
        "groups": groups,
        "people": [{"user_name": name, "active": True} for name in names],
    }
    Path("export.json").write_text(json.dumps(content), encoding="utf-8")


def reconciler(url: str, *arguments: str) -> tuple[int, str, str]:
    return run({**environment(url), "DIRECTORY_FILE": "export.json"}, *arguments)


def world() -> FakeServer:
    return FakeServer([user("ada", "org-admin"), user("bob", "org-admin"), user("dan", "org-viewer")], [])


def test_who_joins_is_created_who_left_waits_and_the_ledger_says_since_when() -> None:
    with serving(world()) as url:
        code, out, _ = reconciler(url, "apply")
        assert (code, "eve@acme.example is created" in out) == (0, True)
        assert "roles and account are left alone until" in out
        started = json.loads(LEDGER.read_text(encoding="utf-8").splitlines()[0])
        assert started["leavers"] == [{"id": "u-dan", "user": "dan@acme.example"}]
        code, out, _ = reconciler(url, "plan", "--exit-code")
        assert code == 0
        assert f"not in the directory, since {started['at'][:10]}" in out
