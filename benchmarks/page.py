"""How big the page is, and how fast it answers: `PYTHONPATH=tests .venv/bin/python benchmarks/page.py`.

For ten and for ten thousand people it prints the size of the file, the time until the first rows are there,
and the time from a key to the rows that match while all rows are there, median of several tries; in the
chromium that is on the PATH.
"""

import shutil
import sys
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from pages.world import NOW, world
from playwright.sync_api import Page, sync_playwright

from reconciler import drifted
from reconciler.report import page as pages

SMALL, LARGE = 10, 10_000
GROUPS = {SMALL: 4, LARGE: 200}
WORDS = ("a", "okafor", "novak.0", "eng-003", "nobody")
TIMES = 5

TYPED = """(word) => {
  const find = document.querySelector(".matrix input[type=search]");
  find.value = word;
  const begun = performance.now();
  find.dispatchEvent(new Event("input", {bubbles: true}));
  document.body.offsetHeight;  // the rows are laid out
  return performance.now() - begun;
}"""
ALL_THERE = """() => {
  const grid = document.querySelector(".grid");
  return grid.querySelectorAll("tbody tr").length === grid.ariaRowCount - 1;
}"""
LOADED = "performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd"


def answers(page: Page) -> float:
    """Milliseconds from a key to the rows that match: of the word that takes longest."""
    return max(median(answer(page, word) for _ in range(TIMES)) for word in WORDS)


def answer(page: Page, word: str) -> float:
    """The same of one word and one try."""
    page.evaluate(TYPED, "")
    page.wait_for_function(ALL_THERE, polling=100)
    return float(page.evaluate(TYPED, word))


def main() -> None:
    """Print a line for each size, and how they compare."""
    chromium = shutil.which("chromium") or sys.exit("there is no chromium on the PATH")
    sizes: dict[int, int] = {}
    times: dict[int, float] = {}
    with sync_playwright() as playwright, TemporaryDirectory() as folder:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        for number in SMALL, LARGE:
            html = pages.drift([drifted.of(world(number, groups=GROUPS[number]))], [], NOW)
            file = Path(folder, f"{number}.html")
            file.write_text(html, encoding="utf-8")
            page = browser.new_page()
            page.goto(file.as_uri())
            loaded = float(page.evaluate(LOADED))
            sizes[number], times[number] = len(html.encode()), answers(page)
            print(
                f"{number} people: {sizes[number] / 1e6:.2f} MB, first rows after {loaded:.0f} ms, "
                f"a filter answers in {times[number]:.0f} ms at most"
            )
        browser.close()
    print(
        f"{LARGE} to {SMALL}: {sizes[LARGE] / sizes[SMALL]:.1f} times the size, "
        f"{times[LARGE] / times[SMALL]:.1f} times the wait"
    )


if __name__ == "__main__":
    main()
