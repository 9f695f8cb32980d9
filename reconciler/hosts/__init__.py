"""Code hosts, where pull requests are: GitHub, GitLab, Bitbucket Cloud. Linked to, and commented on."""

from collections.abc import Mapping

from reconciler.hosts import credentials
from reconciler.hosts.bitbucket import Bitbucket
from reconciler.hosts.comments import PullRequests
from reconciler.hosts.environment import named, numbered, recognized
from reconciler.hosts.github import GitHub
from reconciler.hosts.gitlab import GitLab
from reconciler.hosts.host import Host, Kind
from reconciler.http.reach import Reach
from reconciler.settings import authorities

__all__ = ["Host", "Kind", "named", "numbered", "opened", "recognized"]

_CLIENTS: Mapping[Kind, type[GitHub | GitLab | Bitbucket]] = {
    Kind.GITHUB: GitHub,
    Kind.GITLAB: GitLab,
    Kind.BITBUCKET: Bitbucket,
}


def opened(host: Host, environ: Mapping[str, str], reach: Reach) -> PullRequests:
    """The pull requests of a host's repository, asked with the token that the environment gives for it.

    Close it, or use it as a context. Raises SettingsError where there is no such token.
    """
    trusted = authorities(environ)
    return _CLIENTS[host.kind](host, credentials.of(host.kind, environ, trusted), trusted, reach)
