"""Which repository and pull request a run is about, as CI's environment tells. Asks git, and no server.

A token must not be led elsewhere by what a pull request can change. So a host is GitHub, GitLab or Bitbucket
Cloud at its own address, or at the one that the environment names, which is where the token comes from as
well: GITHUB_SERVER_URL and GITHUB_API_URL, CI_SERVER_URL and CI_API_V4_URL. Whatever else names a host, be it
a pull request's address or the remote of the checkout, only says which of these is meant.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from reconciler.errors import SettingsError
from reconciler.git.client import Unanswered, ask
from reconciler.hosts.host import Host, Kind
from reconciler.settings.address import base_url

_PULL_REQUEST = {Kind.GITHUB: "/pull/", Kind.GITLAB: "/-/merge_requests/", Kind.BITBUCKET: "/pull-requests/"}
"""What stands between a repository and the number in a pull request's address."""

_PART = re.compile(r"(?!\.{1,2}$)(?:[\w.-]+|\{[\w-]+\})", re.ASCII)
"""A part of a repository's name; Bitbucket's workspace may be a UUID in braces."""

_SSH = re.compile(r"(?:[\w.-]+@)?([\w.-]+):(?!//)(.+)", re.ASCII)
"""How git writes the address of a repository that it reaches by SSH: `git@github.com:acme/access.git`."""

_COMMIT = re.compile(r"[0-9a-f]{7,64}", re.ASCII)

ABSENT = ("", "<nil>")
"""What CircleCI puts where a pipeline value has none."""


@dataclass(frozen=True, slots=True)
class _Server:
    """Where a code host is."""

    kind: Kind
    web: str
    api: str

    def path(self, host: str, path: str) -> str | None:
        """What of an address's path is below this server; None where the address is of another one."""
        parts = urlsplit(self.web)
        below = path.removeprefix(parts.path)
        return below if parts.hostname == host and path.startswith(parts.path) else None


def recognized(environ: Mapping[str, str], folder: Path = Path()) -> Host | None:
    """What the pipeline is about that runs here; None where there is none, or where its host is not known.

    `folder` is the one that paths are relative to. CircleCI, GitHub Actions, GitLab CI and Bitbucket
    Pipelines are known. Raises SettingsError where a variable that says where a host is makes no sense.
    """
    servers = _servers(environ)
    if _is_set(environ, "CIRCLECI"):
        host = _on_circleci(environ, servers, folder)
    elif _is_set(environ, "GITHUB_ACTIONS"):
        host = _in_github_actions(environ, servers[Kind.GITHUB])
    elif _is_set(environ, "GITLAB_CI"):
        host = _in_gitlab_ci(environ, servers[Kind.GITLAB])
    elif _is_set(environ, "BITBUCKET_BUILD_NUMBER"):
        host = _in_bitbucket_pipelines(environ, servers[Kind.BITBUCKET])
    else:
        return None
    return host and replace(host, folder=_place(folder))


def numbered(text: str) -> int | None:
    """The number of a pull request; None where it is none."""
    return int(text) if re.fullmatch(r"[1-9][0-9]{0,9}", text, re.ASCII) else None


def named(address: str, environ: Mapping[str, str]) -> Host:
    """The repository and pull request of an address. Raises SettingsError where it is none, or elsewhere."""
    found = _of_pull_request(address, _servers(environ))
    if found is not None:
        return found
    raise SettingsError(
        f"'{address}' is no pull request of a host that is known here",
        "it is an address such as https://github.com/acme/access/pull/7; for a GitHub Enterprise or a GitLab "
        "of your own, set GITHUB_SERVER_URL or CI_SERVER_URL to where it is",
    )


def _servers(environ: Mapping[str, str]) -> Mapping[Kind, _Server]:
    github = _url("GITHUB_SERVER_URL", environ, "https://github.com")
    github_api = "https://api.github.com" if github == "https://github.com" else f"{github}/api/v3"
    gitlab = _url("CI_SERVER_URL", environ, "https://gitlab.com")
    return {
        Kind.GITHUB: _Server(Kind.GITHUB, github, _url("GITHUB_API_URL", environ, github_api)),
        Kind.GITLAB: _Server(Kind.GITLAB, gitlab, _url("CI_API_V4_URL", environ, f"{gitlab}/api/v4")),
        Kind.BITBUCKET: _Server(Kind.BITBUCKET, "https://bitbucket.org", "https://api.bitbucket.org/2.0"),
    }


def _url(name: str, environ: Mapping[str, str], usual: str) -> str:
    if not environ.get(name, "").strip():
        return usual
    return base_url(name, environ, f"set {name} to an address such as {usual}, or not at all")


def _on_circleci(environ: Mapping[str, str], servers: Mapping[Kind, _Server], folder: Path) -> Host | None:
    """By the pull request's address, which projects of GitHub and Bitbucket have; else by the repository's.

    CIRCLE_PULL_REQUEST is any one of several, so the list wins where there is one: its newest, for the same
    comment is to be found the next time. No variable of a project of the GitHub App or of GitLab says where
    the repository is; the checkout does.
    """
    addresses = [*_said(environ, "CIRCLE_PULL_REQUESTS").split(","), _said(environ, "CIRCLE_PULL_REQUEST")]
    of_pull_requests = [found for one in addresses if (found := _of_pull_request(one.strip(), servers))]
    host = max(of_pull_requests, key=lambda one: one.pull_request or 0, default=None)
    if host is None:
        host = _of_repository(_said(environ, "CIRCLE_REPOSITORY_URL"), servers)
        host = host or _of_repository(_remote(folder), servers)
    if host is None:
        return None
    return replace(
        host,
        pull_request=host.pull_request or numbered(_said(environ, "CIRCLE_PR_NUMBER")),
        commit=_commit(environ, "CIRCLE_SHA1"),
        branch=_said(environ, "CIRCLE_BRANCH") or None,
        from_fork=bool(_said(environ, "CIRCLE_PR_NUMBER") or _said(environ, "CIRCLE_PR_USERNAME")),
    )


def _in_github_actions(environ: Mapping[str, str], server: _Server) -> Host | None:
    """GITHUB_SHA is what is checked out: of a pull request, its merge with the base, which has an address."""
    ref = re.fullmatch(r"refs/(pull|heads)/(.+)", _said(environ, "GITHUB_REF"))
    of_pull_request = ref is not None and ref[1] == "pull"
    return _in(
        server,
        _said(environ, "GITHUB_REPOSITORY"),
        pull_request=numbered(ref[2].partition("/")[0]) if ref and of_pull_request else None,
        commit=_commit(environ, "GITHUB_SHA"),
        branch=ref[2] if ref and not of_pull_request else None,
    )


def _in_gitlab_ci(environ: Mapping[str, str], server: _Server) -> Host | None:
    """Where a merge request is from a fork, the pipeline is the fork's, and the merge request is not."""
    target = _said(environ, "CI_MERGE_REQUEST_PROJECT_PATH")
    source = _said(environ, "CI_MERGE_REQUEST_SOURCE_PROJECT_PATH")
    return _in(
        server,
        target or _said(environ, "CI_PROJECT_PATH"),
        pull_request=numbered(_said(environ, "CI_MERGE_REQUEST_IID")),
        commit=_commit(environ, "CI_COMMIT_SHA"),
        branch=_said(environ, "CI_COMMIT_BRANCH") or None,
        from_fork=bool(target and source and target != source),
    )


def _in_bitbucket_pipelines(environ: Mapping[str, str], server: _Server) -> Host | None:
    """Pull requests from forks run no pipelines there."""
    return _in(
        server,
        _said(environ, "BITBUCKET_REPO_FULL_NAME"),
        pull_request=numbered(_said(environ, "BITBUCKET_PR_ID")),
        commit=_commit(environ, "BITBUCKET_COMMIT"),
        branch=_said(environ, "BITBUCKET_BRANCH") or None,
    )


def _in(
    server: _Server,
    repository: str,
    *,
    pull_request: int | None = None,
    commit: str | None = None,
    branch: str | None = None,
    from_fork: bool = False,
) -> Host | None:
    """The host with this repository; None where that is no name of one."""
    parts = repository.split("/")
    enough = len(parts) >= 2 if server.kind is Kind.GITLAB else len(parts) == 2
    if not enough or not all(map(_PART.fullmatch, parts)):
        return None
    return Host(server.kind, server.web, server.api, repository, pull_request, commit, branch, from_fork)


def _of_pull_request(address: str, servers: Mapping[Kind, _Server]) -> Host | None:
    parts = _split(address)
    for server in servers.values() if parts else ():
        path = server.path(parts.hostname or "", parts.path) if parts else None
        repository, between, rest = (path or "").strip("/").partition(_PULL_REQUEST[server.kind])
        number = numbered(rest.partition("/")[0])
        if between and number:
            return _in(server, repository, pull_request=number)
    return None


def _of_repository(address: str, servers: Mapping[Kind, _Server]) -> Host | None:
    ssh = _SSH.fullmatch(address)
    parts = None if ssh else _split(address)
    host, path = (
        (ssh[1].lower(), f"/{ssh[2]}") if ssh else (parts.hostname, parts.path) if parts else ("", "")
    )
    for server in servers.values():
        # By SSH there is no path in front, even where the web has one.
        below = server.path(host or "", path) or (path if urlsplit(server.web).hostname == host else None)
        if below is not None:
            return _in(server, below.strip("/").removesuffix(".git"))
    return None


def _split(address: str) -> SplitResult | None:
    try:
        parts = urlsplit(address)
        return parts if parts.hostname else None
    except ValueError:
        return None


def _remote(folder: Path) -> str:
    """The address that the checkout was cloned from."""
    told = ask(folder, "config", "--get", "remote.origin.url")
    return "" if isinstance(told, Unanswered) else told.decode("utf-8", errors="replace").strip()


def _place(folder: Path) -> str | None:
    """Where in its repository a folder is, without a slash at the end; None where it is in none."""
    told = ask(folder, "rev-parse", "--show-prefix")
    return (
        None
        if isinstance(told, Unanswered)
        else told.decode("utf-8", errors="replace").strip("\n").rstrip("/")
    )


def _is_set(environ: Mapping[str, str], name: str) -> bool:
    return _said(environ, name).casefold() not in ("", "false")


def _said(environ: Mapping[str, str], name: str) -> str:
    text = environ.get(name, "").strip()
    return "" if text in ABSENT else text


def _commit(environ: Mapping[str, str], name: str) -> str | None:
    text = _said(environ, name)
    return text if _COMMIT.fullmatch(text) else None
