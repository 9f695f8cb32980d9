"""`reconciler comment`: a report as a comment on the pull request, posted once and edited from then on."""

import os
import sys
from dataclasses import replace
from pathlib import Path

import click

from reconciler import hosts, private
from reconciler.cli import note
from reconciler.cli.context import reach
from reconciler.errors import SettingsError
from reconciler.hosts import Host, body, comments, credentials
from reconciler.hosts.comments import PullRequests
from reconciler.hosts.environment import ABSENT
from reconciler.hosts.host import LIMITS
from reconciler.policy.files import shown

LARGEST = 16 * 1024 * 1024
"""So many bytes of a report are read at most."""

STDIN = Path("-")


@click.command("comment")
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path, readable=False))
@click.option(
    "--name",
    default="plan",
    show_default=True,
    help="Which comment it is, where a pull request is to have several: letters, digits, dots and dashes.",
)
@click.option(
    "--pull-request",
    "given",
    metavar="NUMBER|URL",
    default="",
    help="The pull request, where the pipeline does not tell. Empty counts as not given.",
)
def command(file: Path, name: str, given: str) -> None:
    """Comment on the pull request with a Markdown file, editing the comment that is there.

    FILE is a report such as `plan --report plan.md` writes; `-` is standard input. The address of the
    comment is printed.

    \b
    GitHub, GitLab and Bitbucket Cloud are recognized by what CircleCI, GitHub
    Actions, GitLab CI and Bitbucket Pipelines tell their jobs. Where a pipeline
    is of a branch, its open pull request is looked up. The token comes from
      GITHUB_TOKEN, GITLAB_TOKEN or BITBUCKET_TOKEN, or else
      GITHUB_TOKEN_FILE, …_COMMAND, …_VAULT in the same way

    Where there is no pull request, as after a merge, or where it is a fork's, which gets no token, nothing is
    done: that is said, and no failure. A pipeline that is not to fail for want of a comment runs
    `reconciler comment plan.md || true`.

    \b
    Examples:
      reconciler comment plan.md
      reconciler comment diff.md --name diff

    \b
    Exit codes:
      0    done, or there is nothing to comment on
      1    the code host could not be asked, or refused
      2    the command line or the environment is wrong, or there is no token
      130  interrupted
    """  # noqa: D301 (the control character is click's sign for "leave these lines as they are")
    if not body.NAME.fullmatch(name):
        raise SettingsError(
            f"'{name}' is no name of a comment",
            "up to 40 of a-z, 0-9, '.', '_' and '-', a letter or a digit first",
        )
    text = _text(file)
    host = _host(given)
    if host.pull_request is None and host.branch is None:
        note(f"this pipeline is of no pull request of {host.repository}: nothing to comment on")
        return
    if host.from_fork and not credentials.given(host.kind, os.environ):
        note(f"pull request {host.pull_request} is from a fork, which gets no token: no comment")
        return
    with hosts.opened(host, os.environ, reach()) as pull_requests:
        number = host.pull_request or _open_pull_request(pull_requests, host)
        if number is None:
            note(f"there is no open pull request from {host.branch}: nothing to comment on")
            return
        _comment(pull_requests, host, number, name, text)


def _comment(pull_requests: PullRequests, host: Host, number: int, name: str, text: str) -> None:
    wanted = body.made(name, text, LIMITS[host.kind])
    kept = comments.keep(pull_requests, number, name, wanted)
    if wanted.cut:
        note(f"the comment is cut short: {wanted.cut}")
    for remark in kept.remarks:
        note(remark)
    note(f"comment '{name}' of pull request {number}: {kept.did}")
    click.echo(host.comment_link(number, kept.comment.id))


def _host(given: str) -> Host:
    """The repository, and the pull request if it is known. Raises SettingsError."""
    given = "" if given.strip() in ABSENT else given.strip()
    number = hosts.numbered(given)
    if given and number is None:
        return hosts.named(given, os.environ)
    host = hosts.recognized(os.environ)
    if host is None:
        raise SettingsError(
            "which repository this is about can't be told from the environment",
            "outside CI, or where the checkout has no remote, give --pull-request URL; for a GitHub "
            "Enterprise or a GitLab of your own, set GITHUB_SERVER_URL or CI_SERVER_URL to its address",
        )
    return host if number is None else replace(host, pull_request=number, from_fork=False)


def _open_pull_request(pull_requests: PullRequests, host: Host) -> int | None:
    """The open pull request from the branch, of several the newest; None where there is none."""
    found = sorted(pull_requests.open_from(host.branch or ""), reverse=True)
    if len(found) > 1:
        others = ", ".join(map(str, found[1:]))
        note(f"{host.branch} has several open pull requests: {found[0]}, the newest, not {others}")
    return found[0] if found else None


def _text(file: Path) -> str:
    """The text of the file. Raises SettingsError where there is none to post."""
    name = "standard input" if file == STDIN else shown(file)
    try:
        if file == STDIN:
            content = sys.stdin.buffer.read(LARGEST + 1) if sys.stdin else b""
        else:
            with private.opened(file) as stream:
                content = stream.read(LARGEST + 1)
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise SettingsError(
            f"{name} is no text in UTF-8", "give a report such as `plan --report plan.md`"
        ) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "no path can look like that"
        raise SettingsError(
            f"{name} can't be read: {reason}", "write it first: `plan --report plan.md`"
        ) from error
    if len(content) > LARGEST:
        raise SettingsError(
            f"{name} is larger than {LARGEST} bytes", "that is no comment; keep it as an artifact"
        )
    if not text.strip():
        raise SettingsError(f"{name} is empty, and no comment can be", "did the command before it fail?")
    return text
