"""What a shell offers after a press of Tab: commands, options, files, and names that are at hand."""

from pathlib import Path

import pytest
from cli.in_memory import alone, generous, latest, many, ran
from cli.small_world import write_policy
from click.shell_completion import BashComplete, FishComplete, ShellComplete, ZshComplete

from reconciler.cli import COMMANDS, cli
from reconciler.cli.completion import LARGEST

HEAD = (
    "version: 1\norganization: acme\nmode: report\nprojects: {storefront: {}, checkout: {}, $(reboot): {}}\n"
)
GRANTS = """\
version: 1
grants:
  - {user: dana@acme.example, organization: admin, reason: INC-1, expires: 2026-11-27}
  - {user: "`reboot`@acme.example", organization: admin, reason: INC-1, expires: 2026-11-27}
people:
  - {user: carl@agency.example, ends: 2026-12-31}
"""


def offered(*words: str) -> list[str]:
    """What completes the last of these words."""
    completing = ShellComplete(cli, {}, "reconciler", "_RECONCILER_COMPLETE")
    return [one.value or one.type for one in completing.get_completions(list(words[:-1]), words[-1])]


@pytest.fixture
def policies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = alone(tmp_path, monkeypatch)
    write_policy(folder / "policies/acme", HEAD)
    (folder / "policies/acme/access.yaml").write_text(GRANTS)
    return folder


def test_commands_are_offered_with_what_they_do() -> None:
    completing = ShellComplete(cli, {}, "reconciler", "_RECONCILER_COMPLETE")
    assert {one.value: one.help for one in completing.get_completions([], "")} == COMMANDS
    assert offered("d") == ["diff", "drift", "doctor"]


def test_options_and_their_choices_are_offered() -> None:
    assert offered("--de") == ["--debug"]
    assert offered("history", "--v") == ["--verify"]
    assert offered("plan", "--format", "ma") == ["markdown"]


@pytest.mark.parametrize("words", [["plan", ""], ["validate", "pol"], ["comment", ""], ["plan", "--out", ""]])
def test_paths_are_left_to_the_shell(words: list[str]) -> None:
    completing = ShellComplete(cli, {}, "reconciler", "_RECONCILER_COMPLETE")
    assert [one.type for one in completing.get_completions(words[:-1], words[-1])] == ["file"]


def test_schemas_are_offered_by_name() -> None:
    assert offered("schema", "p") == ["policy", "plan"]


def test_runs_are_offered_the_newest_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    generous(alone(tmp_path, monkeypatch))
    server = many()
    ran(server, "apply")
    first = latest()
    server.data["Users"]["u-eve"]["roles"] = []
    ran(server, "apply")
    assert offered("history", "") == offered("undo", "") == [latest(), first]
    assert offered("undo", first[:5]) == [first]
    assert offered("history", "--ledger", "elsewhere.jsonl", "") == []


@pytest.mark.parametrize("content", [b"", b"no ledger", b'{"at": 1}\n', b"\xff\n", b"\0" * (LARGEST + 1)])
def test_no_ledger_offers_nothing_and_says_nothing(
    content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = alone(tmp_path, monkeypatch)
    assert offered("undo", "") == []
    (folder / ".reconciler").mkdir()
    (folder / ".reconciler/ledger.jsonl").write_bytes(content)
    assert offered("undo", "") == []
    assert capfd.readouterr() == ("", "")


@pytest.mark.usefixtures("policies")
def test_projects_and_people_of_the_policies_are_offered_if_a_shell_can_do_nothing_with_them() -> None:
    assert offered("explain", "--project", "") == ["checkout", "storefront"]
    assert offered("explain", "") == ["carl@agency.example", "dana@acme.example"]
    assert offered("explain", "d") == ["dana@acme.example"]
    assert offered("explain", "pol") == offered("explain", "dana@acme.example", "") == ["dir"]


def test_a_policy_with_a_mistake_offers_no_names_and_says_nothing(
    policies: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (policies / "policies/acme/access.yaml").write_text("version: [")
    assert offered("explain", "--project", "") == []
    assert offered("explain", "") == ["dir"]
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("shell", [BashComplete, ZshComplete, FishComplete])
def test_the_shells_have_their_script(shell: type[ShellComplete]) -> None:
    made = shell(cli, {}, "reconciler", "_RECONCILER_COMPLETE")
    assert "_RECONCILER_COMPLETE" in made.source_template % made.source_vars()
