"""The documentation holds together: links lead somewhere, pages can be found, tables are whole."""

import ast
import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from itertools import chain
from pathlib import Path
from urllib.parse import unquote

import pytest

from reconciler.cli import INTERRUPTED
from reconciler.errors import SEVERITY, ExitCode

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
LINK = re.compile(r"\]\((?!https?://)([^)\s]+)\)")
VARIABLE = re.compile(r"[A-Z][A-Z0-9]*(_[A-Z0-9]+)+")
READERS = ("settings/*.py", "hosts/*.py", "notifications/*.py", "origin.py")
"""Who reads variables: whatever there looks like one, is one."""

READ_BY_LIBRARIES = {"HTTPS_PROXY", "LOGNAME", "NO_COLOR", "NO_PROXY", "_RECONCILER_COMPLETE"}
ENVIRONMENT = ROOT / "docs/reference/environment.md"
EXIT_CODES = ROOT / "docs/reference/exit-codes.md"

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


@cache
def prose(page: Path) -> str:
    """A page without its blocks of code."""
    text = re.sub(r"^( *)```.*?^\1```$", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    return re.sub(r"^ {4}.*$", "", text, flags=re.MULTILINE)


@cache
def anchors(page: Path) -> set[str]:
    """What can be linked to in a page, as code hosts call its headings."""
    headings = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    names = [re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings]
    assert [name for name, count in Counter(names).items() if count > 1] == [], page
    return set(names)


def broken(page: Path) -> Iterator[str]:
    for link in LINK.findall(prose(page)):
        path, _, anchor = unquote(link).partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            yield link


@each_page
def test_every_link_leads_to_what_is_there(page: Path) -> None:
    assert list(broken(page)) == []


@each_page
def test_a_page_has_one_title(page: Path) -> None:
    assert len(re.findall(r"^# ", prose(page), re.MULTILINE)) == 1


def test_a_broken_link_would_be_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# One\n[a](#one) [b](#two) [c](gone.md) [d](page.md#one)\n```\n[e](gone.md)\n```\n")
    assert list(broken(page)) == ["#two", "gone.md"]


def test_the_index_names_every_page() -> None:
    index = ROOT / "docs/README.md"
    linked = {(index.parent / link.partition("#")[0]).resolve() for link in LINK.findall(prose(index))}
    assert [page for page in PAGES if page.parent != ROOT and page != index and page not in linked] == []


@each_page
def test_a_table_has_as_many_cells_in_every_row(page: Path) -> None:
    for table in re.findall(r"(?:^\|.*\n)+", prose(page), re.MULTILINE):
        cells = {len(re.findall(r"(?<!\\)\|", row)) for row in table.splitlines()}
        assert len(cells) == 1, table


@cache
def said(*modules: str) -> tuple[str, ...]:
    """Every text of these modules, with `…` where a value is put in."""
    found = []
    for module in chain.from_iterable(map((ROOT / "reconciler").glob, modules)):
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                found.append("".join(_part(value) for value in node.values))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(node.value)
    return tuple(re.sub("…+", "…", text) for text in found)


def _part(node: ast.expr) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else "…"


def test_every_variable_that_the_program_reads_is_told_and_no_other() -> None:
    told = set(
        re.findall(
            r"`(\w+)`", "".join(re.findall(r"^\| (?!variable|on )(.*\|)", ENVIRONMENT.read_text(), re.M))
        )
    )
    told = {name for name in told if VARIABLE.fullmatch(name) or name in READ_BY_LIBRARIES}
    read = {text for text in said(*READERS) if VARIABLE.fullmatch(text)}
    assert told == read | READ_BY_LIBRARIES


def test_every_exit_code_is_told_and_which_counts_more() -> None:
    text = EXIT_CODES.read_text(encoding="utf-8")
    assert {int(code) for code in re.findall(r"^\| (\d+) \|", text, re.M)} == {
        *map(int, ExitCode),
        INTERRUPTED,
    }
    assert f"in this order: {', '.join(str(int(code)) for code in SEVERITY)}." in text


def test_every_message_that_is_explained_is_one_of_the_programs() -> None:
    rows = re.findall(r"^\| (`.*?`)[^|]* \| ", EXIT_CODES.read_text(encoding="utf-8"), re.MULTILINE)
    messages = [message.strip("`") for message in rows]
    assert len(messages) > 20
    assert [one for one in messages if not any(one in text for text in said("**/*.py"))] == []
