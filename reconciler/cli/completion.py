"""What a shell is offered where a word is no file: runs, projects, people, schemas. Asks no server.

Only words that mean nothing to a shell are offered: what is completed is typed, and names come from files.
"""

import os
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

import click
from click.shell_completion import CompletionItem

from reconciler import ledgers
from reconciler.errors import ReconcilerError
from reconciler.policy.document import Policy

HARMLESS = re.compile(r"\w[\w.@+-]*")
LARGEST = 16 * 1024 * 1024
"""Nobody waits for a ledger of more bytes to be read at a press of a key."""

FOLDERS = [CompletionItem("", type="dir")]
"""Leaves it to the shell to look for folders."""


def runs(context: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The runs of the ledgers, the newest first."""
    given = context.params.get("places") or [context.params.get("place") or ledgers.FOLDER]
    with suppress(ReconcilerError, OSError):
        paths = ledgers.files(given)
        if sum(map(os.path.getsize, paths)) <= LARGEST:
            found = [(run.id, f"{run.organization}, {run.begun.at}") for run in ledgers.past(paths)]
            return _beginning(reversed(found), incomplete)
    return []


def schemas(_: click.Context, __: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The names of schemas."""
    from reconciler.policy import schema  # a command that completes nothing loads no checker of schemas

    return _beginning({**schema.SCHEMAS, **schema.DOCUMENTS}.items(), incomplete)


def projects(context: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The projects that the policies name."""
    words = context.params.get("words") or ()
    found = {
        name: policy.organization.name
        for policy in _policies(Path(words[-1] if words else "policies"))
        for name in policy.organization.projects
    }
    return _beginning(sorted(found.items()), incomplete)


def person_or_folder(context: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """First a person whom the policies name, then a folder; either may be there alone."""
    if context.params.get("words"):
        return FOLDERS
    return _beginning(sorted(set(_named(_policies(Path("policies"))))), incomplete) or FOLDERS


def _policies(path: Path) -> Iterable[Policy]:
    """The policies there, none where there is anything wrong with them."""
    from reconciler.policy import source

    try:
        return source.load_all([path]).policies if os.path.isdir(path) else ()
    except (ReconcilerError, OSError):
        return ()


def _named(policies: Iterable[Policy]) -> Iterator[tuple[str, str]]:
    for policy in policies:
        organization = policy.organization.name
        yield from ((entry.user, organization) for entry in policy.grants)
        yield from ((entry.user, organization) for entry in policy.people)
        yield from ((entry.user, organization) for entry in policy.service_accounts)


def _beginning(found: Iterable[tuple[str, str]], incomplete: str) -> list[CompletionItem]:
    """What begins so, and can be typed without a thought."""
    return [
        CompletionItem(name, help=about)
        for name, about in found
        if name.startswith(incomplete) and HARMLESS.fullmatch(name)
    ]
