"""Which repository and pull request the environment tells of."""

import subprocess
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from reconciler import hosts
from reconciler.errors import SettingsError
from reconciler.hosts import Host, Kind
from reconciler.problem import Location

SHA = "5f2c0d1e9a7b4c3d8e6f00112233445566778899"
GITHUB = Host(Kind.GITHUB, "https://github.com", "https://api.github.com", "acme/access")
GITLAB = Host(Kind.GITLAB, "https://gitlab.com", "https://gitlab.com/api/v4", "acme/platform/access")
BITBUCKET = Host(Kind.BITBUCKET, "https://bitbucket.org", "https://api.bitbucket.org/2.0", "acme/access")
CIRCLECI = {"CIRCLECI": "true", "CIRCLE_SHA1": SHA, "CIRCLE_BRANCH": "more-admins"}
BRANCH = {"commit": SHA, "branch": "more-admins"}


def known(host: Host, **changes: Any) -> Host:
    return replace(host, **changes)


@pytest.mark.parametrize(
    ("environ", "host"),
    [
        pytest.param(
            {**CIRCLECI, "CIRCLE_PULL_REQUEST": "https://github.com/acme/access/pull/7"},
            known(GITHUB, pull_request=7, **BRANCH),
            id="circleci, pull request on github",
        ),
        pytest.param(
            {
                **CIRCLECI,
                "CIRCLE_PULL_REQUEST": "https://github.com/acme/access/pull/7",
                "CIRCLE_PULL_REQUESTS": "https://github.com/acme/access/pull/9,https://github.com/acme/access/pull/7",
            },
            known(GITHUB, pull_request=9, **BRANCH),
            id="circleci, of several always the newest",
        ),
        pytest.param(
            {
                **CIRCLECI,
                "CIRCLE_PULL_REQUEST": "https://github.com/acme/access/pull/7",
                "CIRCLE_PR_NUMBER": "7",
                "CIRCLE_PR_USERNAME": "mallory",
                "CIRCLE_PR_REPONAME": "access",
                "CIRCLE_BRANCH": "pull/7",
            },
            known(GITHUB, pull_request=7, commit=SHA, branch="pull/7", from_fork=True),
            id="circleci, fork",
        ),
        pytest.param(
            {**CIRCLECI, "CIRCLE_REPOSITORY_URL": "git@github.com:acme/access.git"},
            known(GITHUB, **BRANCH),
            id="circleci, branch of an oauth project",
        ),
        pytest.param(
            {
                **CIRCLECI,
                "CIRCLE_REPOSITORY_URL": "https://github.com/acme/access",
                "CIRCLE_PULL_REQUEST": "",
            },
            known(GITHUB, **BRANCH),
            id="circleci, repository by https",
        ),
        pytest.param(
            {**CIRCLECI, "CIRCLE_REPOSITORY_URL": "ssh://git@bitbucket.org/acme/access.git"},
            known(BITBUCKET, **BRANCH),
            id="circleci, repository by ssh",
        ),
        pytest.param(
            {**CIRCLECI, "CIRCLE_PULL_REQUEST": "https://bitbucket.org/acme/access/pull-requests/7"},
            known(BITBUCKET, pull_request=7, **BRANCH),
            id="circleci, bitbucket",
        ),
        pytest.param(
            {**CIRCLECI, "CIRCLE_REPOSITORY_URL": "git@gitlab.com:acme/platform/access.git"},
            known(GITLAB, **BRANCH),
            id="circleci, gitlab",
        ),
        pytest.param(
            {**CIRCLECI, "CIRCLE_REPOSITORY_URL": "<nil>", "CIRCLE_PULL_REQUEST": "<nil>"},
            None,
            id="circleci, pipeline values that are not there",
        ),
        pytest.param(
            {
                **CIRCLECI,
                "CIRCLE_PULL_REQUEST": "https://ghe.acme.example/acme/access/pull/7",
                "GITHUB_SERVER_URL": "https://ghe.acme.example",
            },
            Host(
                Kind.GITHUB,
                "https://ghe.acme.example",
                "https://ghe.acme.example/api/v3",
                "acme/access",
                7,
                SHA,
                "more-admins",
            ),
            id="circleci, github enterprise",
        ),
        pytest.param(
            {
                **CIRCLECI,
                "CIRCLE_REPOSITORY_URL": "git@code.acme.example:acme/access.git",
                "CI_SERVER_URL": "https://code.acme.example/gitlab",
            },
            Host(
                Kind.GITLAB,
                "https://code.acme.example/gitlab",
                "https://code.acme.example/gitlab/api/v4",
                "acme/access",
                None,
                SHA,
                "more-admins",
            ),
            id="circleci, gitlab below a path",
        ),
        pytest.param(
            {**CIRCLECI, "CIRCLE_PULL_REQUEST": "https://evil.example/acme/access/pull/7"},
            None,
            id="a host that nobody vouches for",
        ),
        pytest.param(
            {
                **CIRCLECI,
                "CIRCLE_PULL_REQUEST": "https://github.com/acme/access/pull/7",
                "GITHUB_SERVER_URL": "https://ghe.acme.example",
            },
            None,
            id="the token is another host's",
        ),
        pytest.param(
            {**CIRCLECI, "CIRCLE_PULL_REQUEST": "https://github.com.evil.example/acme/access/pull/7"},
            None,
            id="a host that begins like another",
        ),
        pytest.param(
            {**CIRCLECI, "CIRCLE_PULL_REQUEST": "https://github.com/acme/../pull/7"},
            None,
            id="a repository that climbs",
        ),
        pytest.param(
            {**CIRCLECI, "CIRCLE_PULL_REQUEST": "https://[github.com/acme/access/pull/7"},
            None,
            id="no address",
        ),
        pytest.param(
            {
                "GITHUB_ACTIONS": "true",
                "GITHUB_REPOSITORY": "acme/access",
                "GITHUB_REF": "refs/pull/7/merge",
                "GITHUB_SHA": SHA,
                "GITHUB_SERVER_URL": "https://github.com",
                "GITHUB_API_URL": "https://api.github.com",
            },
            known(GITHUB, pull_request=7, commit=SHA),
            id="github actions, pull request",
        ),
        pytest.param(
            {
                "GITHUB_ACTIONS": "true",
                "GITHUB_REPOSITORY": "acme/access",
                "GITHUB_REF": "refs/heads/more/admins",
                "GITHUB_SHA": SHA,
                "GITHUB_SERVER_URL": "https://acme.ghe.com",
                "GITHUB_API_URL": "https://api.acme.ghe.com",
            },
            Host(
                Kind.GITHUB,
                "https://acme.ghe.com",
                "https://api.acme.ghe.com",
                "acme/access",
                None,
                SHA,
                "more/admins",
            ),
            id="github actions, branch",
        ),
        pytest.param(
            {
                "GITHUB_ACTIONS": "true",
                "GITHUB_REPOSITORY": "acme/access",
                "GITHUB_REF": "refs/tags/v1",
                "GITHUB_SHA": SHA,
            },
            known(GITHUB, commit=SHA),
            id="github actions, tag",
        ),
        pytest.param(
            {
                "GITLAB_CI": "true",
                "CI_PROJECT_PATH": "acme/platform/access",
                "CI_COMMIT_SHA": SHA,
                "CI_COMMIT_BRANCH": "more-admins",
                "CI_SERVER_URL": "https://gitlab.com",
                "CI_API_V4_URL": "https://gitlab.com/api/v4",
            },
            known(GITLAB, **BRANCH),
            id="gitlab ci, branch",
        ),
        pytest.param(
            {
                "GITLAB_CI": "true",
                "CI_PROJECT_PATH": "mallory/access",
                "CI_MERGE_REQUEST_PROJECT_PATH": "acme/platform/access",
                "CI_MERGE_REQUEST_SOURCE_PROJECT_PATH": "mallory/access",
                "CI_MERGE_REQUEST_IID": "7",
                "CI_COMMIT_SHA": SHA,
            },
            known(GITLAB, pull_request=7, commit=SHA, from_fork=True),
            id="gitlab ci, fork",
        ),
        pytest.param(
            {
                "BITBUCKET_BUILD_NUMBER": "12",
                "BITBUCKET_REPO_FULL_NAME": "acme/access",
                "BITBUCKET_PR_ID": "7",
                "BITBUCKET_COMMIT": SHA,
                "BITBUCKET_BRANCH": "more-admins",
            },
            known(BITBUCKET, pull_request=7, **BRANCH),
            id="bitbucket pipelines",
        ),
        pytest.param({"CIRCLE_PULL_REQUEST": "https://github.com/acme/access/pull/7"}, None, id="not in ci"),
    ],
)
def test_ci_tells_the_repository_and_the_pull_request(
    environ: Mapping[str, str], host: Host | None, tmp_path: Path
) -> None:
    assert hosts.recognized(environ, tmp_path) == host


def git(folder: Path, *arguments: str) -> None:
    subprocess.run(["git", "-C", str(folder), *arguments], check=True, capture_output=True)


def test_a_project_of_the_github_app_is_told_by_its_checkout(tmp_path: Path) -> None:
    git(tmp_path, "init")
    git(tmp_path, "remote", "add", "origin", "git@github.com:acme/access.git")
    (tmp_path / "circleci/access").mkdir(parents=True)
    assert hosts.recognized(CIRCLECI, tmp_path / "circleci/access") == known(
        GITHUB, folder="circleci/access", **BRANCH
    )


@pytest.mark.parametrize(
    "remote",
    ["git@evil.example:acme/access.git", "https://github.com@evil.example/acme/access", "/srv/access", ""],
)
def test_the_remote_of_a_checkout_leads_to_no_other_host(remote: str, tmp_path: Path) -> None:
    git(tmp_path, "init")
    git(tmp_path, "config", "remote.origin.url", remote)
    assert hosts.recognized(CIRCLECI, tmp_path) is None


@pytest.mark.parametrize(
    ("host", "link"),
    [
        (GITHUB, f"https://github.com/acme/access/blob/{SHA}/sub/policies/acme/my%20team.yaml#L12"),
        (
            GITLAB,
            f"https://gitlab.com/acme/platform/access/-/blob/{SHA}/sub/policies/acme/my%20team.yaml#L12",
        ),
        (BITBUCKET, f"https://bitbucket.org/acme/access/src/{SHA}/sub/policies/acme/my%20team.yaml#lines-12"),
    ],
)
def test_a_line_of_policy_has_an_address_at_the_commit(host: Host, link: str) -> None:
    here = known(host, commit=SHA, folder="sub")
    assert here.dialect.link(Location("policies/acme/my team.yaml", 12, 3, "bindings[0]")) == link


@pytest.mark.parametrize(
    ("file", "path"),
    [
        ("./policies/a.yaml", "sub/policies/a.yaml"),
        ("../policies/a.yaml", "policies/a.yaml"),
        ("a](x) <b>#?.yaml", "sub/a%5D%28x%29%20%3Cb%3E%23%3F.yaml"),
        ("../../elsewhere/a.yaml", None),
        ("/etc/passwd", None),
    ],
)
def test_only_what_is_in_the_repository_has_an_address(file: str, path: str | None) -> None:
    link = known(GITHUB, commit=SHA, folder="sub").link(Location(file))
    assert link == (f"https://github.com/acme/access/blob/{SHA}/{path}" if path else "")


@pytest.mark.parametrize("unknown", [{"commit": None, "folder": ""}, {"commit": SHA, "folder": None}])
def test_without_a_commit_or_a_place_there_are_no_links(unknown: dict[str, object]) -> None:
    assert known(GITHUB, **unknown).link(Location("policies/a.yaml", 1)) == ""


def test_each_host_limits_comments_and_bitbucket_does_not_fold() -> None:
    shown = [(host.dialect.limit, host.dialect.folds) for host in (GITHUB, GITLAB, BITBUCKET)]
    assert shown == [(65_468, True), (999_932, True), (32_699, False)]


def test_an_address_that_somebody_gives_is_held_to_the_known_hosts() -> None:
    given = hosts.named("https://gitlab.com/acme/platform/access/-/merge_requests/12#note_5", {})
    assert given == known(GITLAB, pull_request=12)
    for wrong in (
        "https://evil.example/a/b/pull/1",
        "https://github.com/a/b",
        "seven",
        "https://github.com/a/b/pull/0",
    ):
        with pytest.raises(SettingsError, match="is no pull request of a host that is known here"):
            hosts.named(wrong, {})


@pytest.mark.parametrize("name", ["GITHUB_SERVER_URL", "GITHUB_API_URL", "CI_SERVER_URL", "CI_API_V4_URL"])
def test_an_address_of_the_environment_has_to_be_encrypted(name: str) -> None:
    with pytest.raises(SettingsError, match=f"^{name} would send the token unencrypted to ghe.acme.example"):
        hosts.recognized({**CIRCLECI, name: "http://ghe.acme.example"})
