"""Each command line that help and the documentation print is one that the program takes."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from cli.small_world import run

from reconciler.cli import COMMANDS, SECTIONS, cli

ROOT = Path(__file__).parents[2]
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
WIDEST = 80


def examples(text: str) -> Iterator[str]:
    """Command lines of the program, each alone on its line and indented or in a block of code."""
    fenced = False
    for line in text.splitlines():
        fenced = fenced != line.startswith("```")
        found = re.fullmatch(r"\s*(?:\$ |- run: |command: )?(reconciler [a-z-].*)", line)
        if found and (fenced or line.startswith(("    ", "      "))) and "[OPTIONS]" not in found[1]:
            yield found[1]


def words(example: str) -> list[str]:
    """The arguments of a command line, without comment, without what a shell does with it."""
    found = shlex.split(example, comments=True)[1:]
    ends = [number for number, word in enumerate(found) if word in ("||", "|", ">", "&&")]
    return found[: ends[0]] if ends else found


def parse(arguments: list[str]) -> None:
    """As the program does, without doing anything. Raises click.UsageError."""
    with cli.make_context("reconciler", arguments) as context:
        name, command, rest = cli.resolve_command(context, [*context._protected_args, *context.args])
        assert command is not None
        with command.make_context(name, rest, parent=context):
            pass


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_shows_examples_that_it_takes(name: str) -> None:
    _, _, rest = run({}, name, "--help")[1].partition("\n  Examples:\n")
    shown = [line.strip() for line in rest.partition("\n\n")[0].splitlines()]
    assert shown
    for example in shown:
        assert words(example)[0] == name
        parse(words(example))


@pytest.mark.parametrize("arguments", [[], *([name] for name in COMMANDS)], ids=lambda words: " ".join(words))
def test_help_fits_a_terminal(arguments: list[str]) -> None:
    out = run({}, *arguments, "--help")[1]
    assert [line for line in out.splitlines() if len(line) > WIDEST] == []


def test_each_command_is_in_one_section() -> None:
    told = [name for names in SECTIONS.values() for name in names if name in COMMANDS]
    assert sorted(told) == sorted(COMMANDS)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_line_of_the_documentation_is_one_that_the_program_takes(page: Path) -> None:
    for example in examples(page.read_text(encoding="utf-8")):
        try:
            parse(words(example))
        except (click.UsageError, ValueError) as error:
            pytest.fail(f"{example}\n{error}")


@pytest.mark.parametrize("wrong", ["plan --out", "plan --otu plan.json", "plann", "history one two"])
def test_a_command_line_that_the_program_does_not_take_would_be_found(wrong: str) -> None:
    with pytest.raises(click.UsageError):
        parse(words(f"reconciler {wrong}   # with a comment"))
