"""Ten thousand people on one page: small enough to keep, fast enough to type in."""

import pytest
from pages.conftest import Opened
from pages.world import NOW, world
from playwright.sync_api import Page, expect

from reconciler import drifted
from reconciler.report import page as pages

PEOPLE = 10_000
ALL_THERE = f"() => document.querySelectorAll('.grid tbody tr').length === {PEOPLE}"


@pytest.fixture(scope="module")
def html() -> str:
    return pages.drift([drifted.of(world(PEOPLE, groups=200))], [], NOW)


@pytest.fixture(scope="module")
def page(html: str, opened_once: Opened) -> Page:
    return opened_once(html)


def test_the_file_is_small(html: str) -> None:
    assert len(html.encode()) < 4_000_000


def test_the_first_rows_are_there_at_once_and_then_all(page: Page) -> None:
    assert page.locator(".grid tbody tr").count() >= 100
    page.wait_for_function(ALL_THERE, polling=100)


def test_a_filter_answers_while_one_types(page: Page) -> None:
    took = page.evaluate(
        """() => {
          const find = document.querySelector(".matrix input[type=search]");
          find.value = "okafor.00";
          const begun = performance.now();
          find.dispatchEvent(new Event("input", {bubbles: true}));
          document.body.offsetHeight;
          return performance.now() - begun;
        }"""
    )
    assert took < 2_000  # a benchmark measures it; here only that it is no matter of seconds
    expect(page.locator(".matrix [role=status]")).to_have_text("84 of 10,000 people")


def test_few_rows_are_laid_out_however_many_there_are(page: Page) -> None:
    page.get_by_role("button", name="Reset").click()
    page.wait_for_function(ALL_THERE, polling=100)
    last = page.locator(".grid tbody:last-child th button").first
    assert not last.evaluate("one => one.checkVisibility({contentVisibilityAuto: true})")


def test_paper_has_everybody(page: Page) -> None:
    page.get_by_label("Find").first.fill("a")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator(".grid tbody tr").count() == page.evaluate(
        "Number(document.querySelector('.grid').ariaRowCount) - 1"
    )


def test_of_many_groups_those_with_most_people_are_drawn_until_one_types(page: Page) -> None:
    picture = page.locator("section.picture")
    expect(picture.locator("[role=status]").first).to_have_text("201 groups, the 24 with most people in them")
    assert picture.locator(".from li:visible").count() == 24
    picture.get_by_label("Find").fill("eng-123")
    assert picture.locator(".from li:visible bdi").all_inner_texts() == ["eng-123"]
