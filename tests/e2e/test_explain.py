"""Explain on the real sandbox: policies/acme in a repository of two commits, before and after an apply."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from reconciler import ledger, ledgers, sandbox
from reconciler.cli import cli
from reconciler.http.reach import Reach
from reconciler.sandbox import seed
from reconciler.sandbox.server import Server

ROOT = Path(__file__).parents[2]
COMMERCE = Path("policies/acme/teams/commerce.yaml")


def git(*arguments: str, author: str = "") -> str:
    settings = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    names = {
        f"GIT_{role}_{part}": value
        for role in ("AUTHOR", "COMMITTER")
        for part, value in (("NAME", author), ("EMAIL", "x@acme.example"), ("DATE", "2026-11-02T08:00:00Z"))
    }
    done = subprocess.run(
        ["git", *arguments],
        env={**os.environ, **settings, **names},
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.strip()


def commit(author: str, subject: str) -> str:
    """Commit everything; how the commit is told."""
    git("add", "--all")
    git("commit", "--quiet", "--message", subject, author=author)
    return f"commit {git('rev-parse', 'HEAD')[:10]} of 2026-11-02 by {author}: {subject}"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(("GIT_", "CIRCLE"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("LOGNAME", "ann")
    monkeypatch.chdir(tmp_path)
    shutil.copytree(ROOT / "policies", "policies")
    shutil.rmtree("policies/acme/access")  # temporary grants end, and these tests go on
    (tmp_path / ".gitignore").write_text(".reconciler/\n", encoding="utf-8")
    git("init", "--quiet")


@pytest.fixture
def server() -> Iterator[Server]:
    with sandbox.run(seed.acme()) as running:
        yield running


def reconciler(server: Server, *arguments: str) -> Result:
    environment = {"CIRCLECI_SCIM_URL": server.url, "CIRCLECI_SCIM_TOKEN": server.token}
    return CliRunner().invoke(cli, arguments, env=environment)


def test_somebody_is_explained_down_to_the_commit_and_after_an_apply_to_the_run(server: Server) -> None:
    first = commit("Ann", "Access as it is today")
    text = COMMERCE.read_text(encoding="utf-8")
    wanted = "projects: {checkout: admin, storefront: contributor}"
    assert wanted in text
    COMMERCE.write_text(text.replace(wanted, wanted.replace("contributor", "admin")), encoding="utf-8")
    second = commit("Bob", "Payments may deploy the shop")
    line = text.splitlines().index(f"    {wanted}") + 1

    result = reconciler(server, "explain", "quinn@acme.example")

    assert (result.exit_code, result.stderr) == (0, "")
    head, blank, name, keys, *lines = result.stdout.splitlines()
    assert (head, blank, name) == (f"acme on {server.url}, mode enforce", "", "quinn@acme.example")
    assert keys.endswith(", active on the server")
    assert lines == [
        "  organization: contributor -> viewer, to be taken",
        "    applies    viewer       group eng-payments",
        f"                            {COMMERCE}:{line - 1}, {first}",
        "  checkout: none -> admin, to be added",
        "    applies    admin        group eng-payments",
        f"                            {COMMERCE}:{line}, {second}",
        "  storefront: admin, as it should be",
        "    applies    admin        group eng-payments",
        f"                            {COMMERCE}:{line}, {second}",
    ]

    assert reconciler(server, "apply").exit_code == 0
    before = len(server.requests)
    [run] = ledger.past(ledgers.DEFAULT)
    told = reconciler(server, "explain", "quinn@acme.example").stdout.splitlines()[7:11]
    since, head = f"{run.begun.at[:19]}Z", git("rev-parse", "HEAD")
    assert told == [
        f"    so on the server since {since}, by run {run.id} of ann, commit {head}",
        "  checkout: admin, as it should be",
        "    applies    admin        group eng-payments",
        f"                            {COMMERCE}:{line}, {second}",
    ]
    assert not any(request.writes for request in server.requests[before:])


def test_the_page_in_the_docs_shows_what_is_printed(server: Server) -> None:
    commit("Olga", "Payments")
    shutil.copytree(ROOT / "policies/acme/access", "policies/acme/access")
    commit("Ann", "Dana is on call")
    environment = {"CIRCLECI_SCIM_URL": server.url, "CIRCLECI_SCIM_TOKEN": server.token}
    then = Reach(now=lambda: datetime(2026, 11, 23, 12, tzinfo=UTC))
    result = CliRunner().invoke(
        cli, ["explain", "dana@acme.example", "policies/acme"], obj=then, env=environment
    )
    shown = re.search(r"```\n(.*?)```", (ROOT / "docs/explain.md").read_text(encoding="utf-8"), re.DOTALL)
    assert shown is not None
    printed = result.stdout.replace(server.url, "https://scim.example/v2")
    hashes = r"commit \w{10} of [\d-]{10} "
    assert re.sub(hashes, "", printed) == re.sub(hashes, "", shown[1])
    assert len(re.findall(hashes, printed)) == len(re.findall(hashes, shown[1])) == 4


def test_who_administers_a_project_is_told_with_the_organization_s_admins(server: Server) -> None:
    commit("Ann", "Access as it is today")
    result = reconciler(server, "explain", "--project", "mobile", "--role", "admin", "policies/acme")
    lines = result.stdout.splitlines()
    names = [
        "amara",
        "arjun",
        "bengt",
        "break-glass",
        "chiara",
        "deepak",
        "felix",
        "rosa",
        "xavier",
        "yuki",
        "zoe",
    ]
    assert (result.exit_code, result.stderr) == (0, "")
    assert lines[1] == f"who is admin in mobile: {len(names)} people"
    told = [line for line in lines if line.endswith("@acme.example")]
    assert told == [f"{name}@acme.example" for name in names]


def test_a_name_that_is_mistyped_is_told_with_the_one_that_is_meant(server: Server) -> None:
    result = reconciler(server, "explain", "quin@acme.example")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith(
        "error: there is no person 'quin@acme.example' on the server of acme, "
        "did you mean 'quinn@acme.example'?\n"
    )
