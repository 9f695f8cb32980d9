"""`reconciler comment` over real HTTP, once for each host: paths, headers, paging."""

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from click.testing import CliRunner
from e2e.loopback import serving
from standins import code_hosts
from standins.code_hosts import BOT, TOKEN, Bitbucket, CodeHost, GitHub, GitLab

from reconciler import hosts
from reconciler.cli import cli
from reconciler.hosts import Kind, body, comments
from reconciler.hosts.host import Host
from reconciler.http.reach import Reach

MARKER = "[reconciler-comment]: # (plan)"


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in os.environ:
        if name.startswith(("CIRCLE", "CI_", "GITHUB_", "GITLAB_", "BITBUCKET_")):
            monkeypatch.delenv(name)


def origin(url: str) -> str:
    """Where a stand-in listens, without the path that others have there."""
    return "http://" + urlsplit(url).netloc


def pushes(world: CodeHost, environ: Mapping[str, str]) -> list[str]:
    """What three pushes print, with a page of other comments before ours."""
    for number in range(3):
        world.add("ann", f"remark {number}")
    said = []
    for people in (1, 2, 3):
        Path("plan.md").write_text(f"## {people} people gain\n")
        result = CliRunner().invoke(cli, ["comment", "plan.md"], env=dict(environ))
        assert result.exit_code == 0, result.output
        said.append(result.stdout.strip())
    return said


def test_github_enterprise_over_http() -> None:
    world = GitHub(page=2)
    world.root = "/api"
    with serving(world) as url:
        at = origin(url)
        environ = {
            "CIRCLECI": "true",
            "CIRCLE_PULL_REQUEST": f"{at}/acme/access/pull/7",
            "GITHUB_SERVER_URL": at,
            "GITHUB_TOKEN": TOKEN,
        }
        assert pushes(world, environ) == [f"{at}/acme/access/pull/7#issuecomment-104"] * 3
    assert world.writes == ["POST", "PATCH", "PATCH"]
    assert world.texts[3:] == [f"{MARKER}\n\n## 3 people gain"]
    assert world.asked[:3] == [
        "POST /api/graphql",
        "GET /api/v3/repos/acme/access/issues/7/comments",
        "GET /api/v3/repos/acme/access/issues/7/comments",
    ]


def test_gitlab_over_http() -> None:
    world = GitLab(page=2)
    world.faults.append(code_hosts.lost("GET"))
    with serving(world) as url:
        at = origin(url)
        environ = {
            "GITLAB_CI": "true",
            "CI_SERVER_URL": at,
            "CI_API_V4_URL": f"{at}/api/v4",
            "CI_PROJECT_PATH": "acme/access",
            "CI_MERGE_REQUEST_IID": "7",
            "GITLAB_TOKEN": TOKEN,
        }
        assert pushes(world, environ) == [f"{at}/acme/access/-/merge_requests/7#note_104"] * 3
    assert world.writes == ["POST", "PUT", "PUT"]
    assert world.texts[3:] == [f"{MARKER}\n\n## 3 people gain"]


def test_bitbucket_over_http() -> None:
    """Bitbucket Cloud is in one place only, which no variable moves."""
    world = Bitbucket(page=2)
    world.add("ann", "a remark")
    world.add(BOT, f"{MARKER}\n\nold")
    world.add("mallory", f"{MARKER}\n\nforged")
    with serving(world) as url:
        host = Host(Kind.BITBUCKET, "https://bitbucket.org", f"{origin(url)}/2.0", "acme/access", 7)
        for text in ("new", "newer"):
            with hosts.opened(host, {"BITBUCKET_TOKEN": TOKEN}, Reach()) as pull_requests:
                kept = comments.keep(pull_requests, 7, "plan", body.made("plan", text, 1000))
    assert replace(kept, comment=replace(kept.comment, text="")) == comments.Kept(
        comments.Comment(102, f"{{{BOT}}}", ""), comments.Did.EDITED
    )
    assert world.texts == ["a remark", f"{MARKER}\n\nnewer", f"{MARKER}\n\nforged"]
    assert world.writes == ["PUT", "PUT", "PUT", "PUT"]  # who wrote the newest is found out by trying


def test_where_nobody_listens_is_said_at_once() -> None:
    Path("plan.md").write_text("text")
    environ = {"GITHUB_TOKEN": TOKEN, "GITHUB_SERVER_URL": "http://127.0.0.1:1"}
    address = "http://127.0.0.1:1/acme/access/pull/7"
    result = CliRunner().invoke(cli, ["comment", "plan.md", "--pull-request", address], env=environ)
    assert result.exit_code == 1
    assert "could not ask http://127.0.0.1:1/api/graphql: no connection" in result.stderr
