"""`.ci/reference.py`: the pages that it makes are as the program is now."""

import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES: dict[str, str] = runpy.run_path(str(ROOT / ".ci" / "reference.py"))["pages"]()


@pytest.mark.parametrize("path", PAGES)
def test_a_page_that_is_made_says_what_the_program_says(path: str) -> None:
    assert (ROOT / path).read_text(encoding="utf-8") == PAGES[path], "run `make docs`"
