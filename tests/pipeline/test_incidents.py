"""The list of incidents: each has its row, and each row names tests that there are."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROWS = re.findall(r"^\| (\d+) \| .* \| .* \| (.*) \|$", (ROOT / "docs/incidents.md").read_text(), re.M)
TESTS = {
    name
    for file in (ROOT / "tests").rglob("test_*.py")
    for name in re.findall(r"^ *def (test_\w+)", file.read_text(encoding="utf-8"), re.M)
}


def test_every_incident_has_its_row() -> None:
    assert [int(number) for number, _ in ROWS] == list(range(1, 39))


@pytest.mark.parametrize(("number", "held_by"), ROWS, ids=[number for number, _ in ROWS])
def test_every_test_that_a_row_names_is_there(number: str, held_by: str) -> None:
    named = set(re.findall(r"`(test_\w+)`", held_by))
    assert named, f"row {number} names no test"
    assert named <= TESTS
