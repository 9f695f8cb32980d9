"""`reconciler validate`: what is wrong with policy files. Its problems are its result, not its failure."""

import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import click

from reconciler.cli import reports
from reconciler.cli.context import moment
from reconciler.errors import ExitCode
from reconciler.phrases import counted, counted_people
from reconciler.policy import source
from reconciler.policy.files import shown
from reconciler.policy.source import Folder, Loaded
from reconciler.problem import Location, Problem
from reconciler.report import problems as report
from reconciler.report.plain import printable


@click.command("validate")
@click.argument("paths", metavar="[PATH]...", nargs=-1, type=click.Path(path_type=Path, readable=False))
@reports.options("text", "json", "junit", "sarif")
def command(paths: tuple[Path, ...], output: str, files: Sequence[Path]) -> None:
    """Check policy files: their form and what they mean together.

    PATH is the folder of an organization, a folder of such folders, or a single file; `policies/`
    if none is given. Prints one line for each problem. Reads files only: no server, no token.

    \b
    Examples:
      reconciler validate
      reconciler validate policies/acme --report validate.sarif

    \b
    Exit codes:
      0  all is well
      2  the command line is wrong, or a report could not be written
      6  something is wrong with the policy
    """  # noqa: D301 (the control character is click's sign for "leave these lines as they are")
    loaded = source.load_all(paths or (Path("policies"),), now=moment())
    problems = loaded.problems
    try:
        reports.deliver(
            output,
            files,
            {
                "text": lambda: "\n".join(report.lines(problems)),
                "json": lambda: report.as_json(problems),
                "junit": lambda: _junit(loaded),
                "sarif": lambda: _sarif(paths, problems),
            },
        )
    finally:
        for line in _summary(loaded):
            click.echo(line, err=True)
    sys.exit(ExitCode.INVALID if loaded.problems else ExitCode.DONE)


def _junit(loaded: Loaded) -> str:
    from reconciler.report import junit  # loads XML

    return junit.validate([file for one in loaded.folders for file in one.files], loaded.problems)


def _sarif(paths: Sequence[Path], problems: Sequence[Problem]) -> str:
    """In a checkout, with files as they are called from its root: that is how code hosts know them."""
    from importlib.metadata import version  # loads what reads mail and archives

    from reconciler.git import client as git
    from reconciler.report import sarif

    folder = next(iter(paths), Path("policies"))
    root = git.root(folder if os.path.isdir(folder) else folder.parent) or git.root(Path())
    if root is None:
        return sarif.validate(problems, version("reconciler"))
    told = [replace(one, at=replace(one.at, file=_from(root, one.at))) for one in problems]
    return sarif.validate(told, version("reconciler"), "The root of the repository")


def _from(root: Path, at: Location) -> str:
    """The path from the root, or absolute; a line is in the file that a link leads to."""
    folder, name = os.path.split(at.file)
    named = os.path.normpath(os.path.join(os.path.realpath(folder), name))
    real = Path(os.path.realpath(named) if at.line else named)
    return str(real.relative_to(root) if real.is_relative_to(root) else real)


def _summary(loaded: Loaded) -> list[str]:
    if loaded.problems:
        return [report.summary(loaded.problems)]
    return [printable(line) for folder in loaded.folders for line in _valid(folder)]


def _valid(folder: Folder) -> list[str]:
    if not folder.whole:
        return [f"{file} is valid" for file in folder.files]
    policy = folder.policy
    held = [
        counted(len(folder.files), "file"),
        counted(len(policy.bindings), "binding"),
        counted(len(policy.grants), "temporary grant"),
    ]
    if policy.people:
        held.append(counted_people(len(policy.people)))
    if policy.service_accounts:
        held.append(counted(len(policy.service_accounts), "service account"))
    if policy.assertions:
        held.append(counted(len(policy.assertions), "assertion"))
    return [f"{shown(folder.path)} is valid: {', '.join(held)}"]
