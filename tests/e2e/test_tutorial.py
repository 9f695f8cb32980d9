"""docs/tutorial.md: its commands, run from the first to the last, print what it says.

A block of `sh` is run as it is printed: by one shell from beginning to end, and what is the program's by the
program in this process. A block of `text` is what the block before it printed. What differs from run to run
counts as equal.
"""

import os
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from click.testing import CliRunner

from reconciler import sandbox
from reconciler.cli import cli
from reconciler.sandbox import around, seed

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/tutorial.md"
RUN = re.compile(r"\b[0-9a-f]{12}\b")
VARIES = {
    r"http://127\.0\.0\.1:\d+/": "http://127.0.0.1:PORT/",
    r"\b[0-9a-f]{32}\b": "FINGERPRINT",
    RUN.pattern: "RUN",
    r"\bcommit [0-9a-f]{10,40}\b": "COMMIT",
    r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d)?Z?)?": "TIME",
    r"\d+ days left": "DAYS left",
}


class Block(NamedTuple):
    """Commands as a reader types them, and what they print."""

    commands: str
    printed: str
    line: int


def blocks(page: str) -> Iterator[Block]:
    found = list(re.finditer(r"^```(sh|text)\n(.*?)^```$", page, re.DOTALL | re.MULTILINE))
    for block, after in zip(found, [*found[1:], None], strict=True):
        if block[1] == "sh":
            printed = after[2] if after is not None and after[1] == "text" else ""
            yield Block(block[2], printed, page.count("\n", 0, block.start()) + 1)


def same(text: str) -> str:
    """A text without what differs from run to run."""
    for pattern, name in VARIES.items():
        text = re.sub(pattern, name, text)
    return re.sub(r"  +", "  ", text)  # columns are as wide as what is in them


def shortened(printed: str, told: str) -> str:
    """What was printed, as short as what is told, where `...` alone on a line stands for any lines."""
    head, cut, tail = told.partition("\n...\n")
    if cut and printed.startswith(head + "\n") and printed.endswith("\n" + tail):
        return told
    return printed


class Reader:
    """Somebody who types what the page says into one shell."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.environment = environment
        self.run = ""
        self.shell = subprocess.Popen(
            ["sh"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=environment,
        )

    def types(self, commands: str) -> str:
        """What is printed. Fails where a command does not exit as the page says."""
        if not commands.startswith("reconciler "):
            return self._shell(commands)
        os.chdir(self._shell("pwd\n").strip())
        printed = "".join(self._program(line) for line in commands.splitlines())
        self.run = (RUN.findall(printed) or [self.run])[-1]
        return printed

    def _program(self, line: str) -> str:
        words = shlex.split(RUN.sub(self.run, line), comments=True)
        expected = re.search(r"# exits (\d)", line)
        result = CliRunner().invoke(cli, words[1:], env=self.environment, catch_exceptions=False)
        assert result.exit_code == int(expected[1] if expected else 0), f"{line}\n{result.output}"
        return result.output

    def _shell(self, commands: str) -> str:
        assert self.shell.stdin is not None
        assert self.shell.stdout is not None
        self.shell.stdin.write(f"set -e\n{commands}echo =done=\n")
        self.shell.stdin.flush()
        lines = list(iter(self.shell.stdout.readline, "=done=\n"))
        assert "" not in lines, f"{commands}\n{''.join(lines)}"
        return "".join(lines)


def test_the_tutorial_prints_what_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("CIRCLE", "GIT_"))}
    environ |= {"TMPDIR": str(tmp_path), "HOME": str(tmp_path), "LOGNAME": "ann", "GIT_CONFIG_NOSYSTEM": "1"}
    environ["CIRCLECI_SCIM_AT_ONCE"] = "1"  # who of several is written first, nobody promises
    for who in ("AUTHOR", "COMMITTER"):
        environ |= {f"GIT_{who}_NAME": "Ann", f"GIT_{who}_EMAIL": "ann@acme.example"}
    with sandbox.run(seed.load(ROOT / "docs/tutorial.yaml")) as server:
        reader = Reader(around.environment(environ, server.url, server.token))
        with reader.shell:
            for block in blocks(PAGE.read_text(encoding="utf-8")):
                printed = reader.types(block.commands)
                assert shortened(same(printed), same(block.printed)) == same(block.printed), block.line
        roles = server.roles()
    assert (roles["dana@acme.example"], roles["finn@acme.example"]) == (
        ["org-contributor", "project-admin:storefront"],
        [],
    )
