"""Where a result goes: to standard output in one format, to files in as many as are asked for."""

import functools
import json
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar, cast

import click

from reconciler import private
from reconciler.cli import OWED
from reconciler.errors import SettingsError
from reconciler.policy.files import shown

F = TypeVar("F", bound=Callable[..., Any])

Renderers = Mapping[str, Callable[[], str]]
"""How to write a result in each format that the command has."""

ENDINGS = {
    ".txt": "text",
    ".md": "markdown",
    ".json": "json",
    ".html": "html",
    ".xml": "junit",
    ".sarif": "sarif",
    ".csv": "csv",
}
"""The format of a file by the ending of its name."""


def show_json(document: Mapping[str, object]) -> None:
    """Print a result as one JSON document."""
    show(json.dumps(document, indent=2))


def format_option(*formats: str) -> Callable[[F], F]:
    """The option `--format` alone (parameter `output`), where no file is written."""
    return click.option(
        "--format",
        "output",
        type=click.Choice(formats),
        default="text",
        show_default=True,
        is_eager=True,  # so that it is known where another option is wrong
        callback=_chosen,
        help="What standard output is given: text for people, or one document, also where something failed.",
    )


def _chosen(context: click.Context, _parameter: click.Parameter, output: str) -> str:
    context.meta[OWED] = output == "json"
    return output


def options(*formats: str) -> Callable[[F], F]:
    """The options `--format` (parameter `output`) and `--report` (`files`), with these formats.

    A report takes the place of no other file that the command reads or writes: not of the ledger, for one.
    """
    endings = [ending for ending, name in ENDINGS.items() if name in formats]

    def checked(
        context: click.Context, parameter: click.Parameter, files: tuple[Path, ...]
    ) -> tuple[Path, ...]:
        for file in files:
            if file.suffix not in endings:
                raise click.BadParameter(
                    f"'{file}' does not say in which format: let it end in {', '.join(endings)}",
                    context,
                    parameter,
                )
        return files

    def add(command: F) -> F:
        command = _apart(command)
        command = click.option(
            "--report",
            "files",
            metavar="FILE",
            multiple=True,
            type=click.Path(path_type=Path, readable=False),
            callback=checked,
            help=f"Also write the result to a file in the format of its ending: {', '.join(endings)}. "
            "May be given several times.",
        )(command)
        return format_option(*formats)(command)

    return add


def _apart(command: F) -> F:
    """The command, which begins only where no report is the file of another option or argument."""

    @functools.wraps(command)
    def checked(*args: Any, files: tuple[Path, ...], **values: Any) -> Any:
        others = {
            os.path.realpath(path): name
            for name, value in values.items()
            for path in (value if isinstance(value, tuple) else (value,))
            if isinstance(path, Path)
        }
        for file in files:
            if name := others.get(os.path.realpath(file)):
                given = next(
                    one.get_error_hint(click.get_current_context())
                    for one in click.get_current_context().command.params
                    if one.name == name
                )
                raise click.UsageError(f"--report {shown(file)} is the file of {given} as well.")
        return command(*args, files=files, **values)

    return cast(F, checked)


def format_of(file: Path) -> str:
    """The format that the ending of a file's name says."""
    return ENDINGS[file.suffix]


def show(text: str) -> None:
    """Print a result whole: nothing is owed to standard output any more."""
    click.echo(_ended(text), nl=False)
    click.get_current_context().meta[OWED] = False


def deliver(output: str, files: Iterable[Path], renderers: Renderers, *, shown_already: bool = False) -> None:
    """Print the result in the format `output`, and write each of the files in the one that its ending says.

    `shown_already` says that the text was printed as it came. Raises SettingsError where a file can't be
    written: after everything else was.
    """
    if not (shown_already and output == "text"):
        show(renderers[output]())
    faults = []
    for file in files:
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            private.write(file, _ended(renderers[format_of(file)]()))
        except (OSError, ValueError) as error:
            faults.append(f"{shown(file)}: {_reason(error)}")
    if faults:
        raise SettingsError(
            f"no report could be written to {'; '.join(faults)}", "name files that can be written"
        )


def _reason(error: OSError | ValueError) -> str:
    if isinstance(error, FileExistsError | NotADirectoryError):
        return "what should be its folder is a file"
    return getattr(error, "strerror", None) or str(error)


def _ended(text: str) -> str:
    """A text with one line break at its end, unless there is nothing to be said."""
    return text.removesuffix("\n") + "\n" if text else ""
