"""The page of a drift run in a real browser: what a person sees, finds, opens, prints and hears."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pytest
from pages.conftest import Opened
from pages.world import NOW, past, user_name, world
from playwright.sync_api import Page, expect

from reconciler import drifted
from reconciler.errors import ReadError
from reconciler.finding import Finding, Kind
from reconciler.overview import Overview
from reconciler.policy.document import Guardrails, Limit
from reconciler.report import page as pages

Open = Callable[..., Page]
Show = Callable[[str], Page]

HOSTILE = (
    "<img src=x onerror=alert(1)>@acme.example",
    "</script><script>alert(1)</script>",
    "evil\u202egpj.exe@acme.example",
    "محمد@شركة.example",
    "x" * 300 + "@acme.example",
    "<!--<script>",
    "two\nlines",
    "🚀@acme.example",
)


def rendered(*overviews: Overview, failures: tuple[tuple[str, ReadError], ...] = ()) -> str:
    return pages.drift([drifted.of(one) for one in overviews], failures, NOW)


TEN = rendered(
    world(
        runs=(past(3, applied=3), past(2, failed=1), past(1, refused="removals")),
        findings=[
            Finding(Kind.UNPROVISIONED, "zoe@acme.example", "has no account", "look into it", since=NOW)
        ],
    )
)


@pytest.fixture(scope="module")
def open_page(opened_once: Opened) -> Page:
    return opened_once(TEN)


@pytest.fixture
def show(open_page: Page, opened_once: Opened) -> Show:
    """Shows a page as everybody sees it first."""
    return lambda html: opened_once.again(open_page, html)


@pytest.fixture
def ten(show: Show) -> Page:
    return show(TEN)


def rows(page: Page) -> list[str]:
    """The people that the matrix shows, in order."""
    return page.locator(".grid tbody th button").all_inner_texts()


def cell(page: Page, row: int, column: int) -> str:
    """What a screen reader reads in a cell of the matrix."""
    button = page.locator(f".grid tbody tr:nth-child({row}) td:nth-child({column + 1}) button")
    return button.get_attribute("aria-label") or "" if button.count() else ""


def everybody() -> list[str]:
    return [user_name(number) for number in range(10)]


def test_the_verdict_stands_first(ten: Page) -> None:
    expect(ten.get_by_role("heading", level=2).first).to_have_text(
        "One person differs from what the policy says."
    )
    expect(ten).to_have_title("drift: 1 person in acme")


def test_what_drifted_is_told_with_before_after_why_and_since_when(ten: Page) -> None:
    row = ten.get_by_role("table", name="Who has something else").get_by_role("row").nth(1)
    assert re.sub(r"\s+", " ", row.inner_text()).strip() == (
        f"{user_name(3)} loses organization A admin → V viewer group eng-001 (teams/teams.yaml:15) not known"
    )


@pytest.mark.parametrize(("media", "width"), [("screen", 1280), ("print", 688)])
def test_no_word_is_cut_in_two(media: Literal["screen", "print"], width: int, ten: Page) -> None:
    ten.emulate_media(media=media)
    ten.set_viewport_size({"width": width, "height": 800})
    lines = "(all) => all.map((one) => new Set([...one.getClientRects()].map((line) => line.top)).size)"
    assert ten.locator(".drifted td:nth-child(2) bdi").evaluate_all(lines) == [1]
    assert max(ten.locator(".plain tbody th bdi").evaluate_all(lines)) <= 2  # before the @ at most
    assert ten.locator(".wide").evaluate_all(
        "(all) => all.every((one) => one.scrollWidth <= one.clientWidth)"
    )


def test_everybody_is_in_the_matrix(ten: Page) -> None:
    grid = ten.get_by_role("grid")
    expect(grid).to_have_attribute("aria-rowcount", "11")
    assert rows(ten) == everybody()
    assert cell(ten, 4, 1) == "admin, should be viewer"
    assert cell(ten, 1, 2) == ""


def test_it_filters_by_what_is_typed_and_says_how_many_are_left(ten: Page) -> None:
    status = ten.locator(".matrix [role=status]")
    expect(status).to_have_text("10 people")
    ten.get_by_label("Find").first.fill("hiro")
    assert rows(ten) == [user_name(7)]
    expect(status).to_have_text("1 of 10 people")
    ten.get_by_label("Find").first.fill("nobody at all")
    assert rows(ten) == []
    expect(status).to_have_text("0 of 10 people")
    ten.get_by_role("button", name="Reset").click()
    assert rows(ten) == everybody()


def test_it_filters_by_the_group_or_the_line_that_gives_a_role(ten: Page) -> None:
    ten.get_by_label("Find").first.fill("eng-003")
    assert rows(ten) == [user_name(5), user_name(9)]
    ten.get_by_label("Find").first.fill("temporary inc-4212")
    assert rows(ten) == [user_name(6)]


def test_it_filters_by_scope_role_drift_and_admins_together(ten: Page) -> None:
    tools = ten.get_by_role("search")
    tools.get_by_label("Role").select_option("admin")
    tools.get_by_label("Scope").select_option("organization")
    assert rows(ten) == [user_name(0), user_name(1), user_name(3), user_name(5)]
    tools.get_by_label("Only drift").check()
    assert rows(ten) == [user_name(3)]
    tools.get_by_label("Only drift").uncheck()
    tools.get_by_label("Role").select_option("any")
    tools.get_by_label("Scope").select_option("any")
    tools.get_by_label("Only admins").check()
    tools.get_by_label("Scope").select_option("project-0")
    assert rows(ten) == [user_name(5), user_name(9)]


def test_a_column_sorts_the_highest_role_first_and_then_the_other_way_round(ten: Page) -> None:
    grid = ten.get_by_role("grid")
    header = grid.get_by_role("columnheader", name="project-0")
    header.get_by_role("button").click()
    expect(header).to_have_attribute("aria-sort", "descending")
    assert [cell(ten, row, 2) for row in range(1, 5)] == ["admin", "admin", "viewer", "viewer"]
    header.get_by_role("button").click()
    expect(header).to_have_attribute("aria-sort", "ascending")
    assert [cell(ten, row, 2) for row in range(7, 11)] == ["viewer", "viewer", "admin", "admin"]
    name = grid.get_by_role("columnheader", name="Person")
    expect(name).to_have_attribute("aria-sort", "none")
    name.get_by_role("button").click()
    name.get_by_role("button").click()
    assert rows(ten) == everybody()[::-1]


def test_a_cell_opens_to_why(ten: Page) -> None:
    ten.get_by_role("row", name=user_name(5)).get_by_role("button", name="admin").first.click()
    dialog = ten.get_by_role("dialog", name=user_name(5))
    asked = dialog.locator("section").first
    expect(asked.get_by_role("heading")).to_have_text("organization")
    expect(asked).to_contain_text(
        "temporary grant from 2026-11-14 12:00 UTC until 2026-11-27 12:00 UTC, INC-4211"
    )
    expect(asked).to_contain_text("access/temporary.yaml:6")
    expect(asked).to_contain_text("outranked")
    dialog.get_by_role("button", name="Close").click()
    expect(dialog).to_be_hidden()


def test_all_of_it_can_be_done_with_the_keyboard(ten: Page) -> None:
    ten.keyboard.press("Tab")
    expect(ten.get_by_role("link", name="Skip to the content")).to_be_focused()
    ten.get_by_role("button", name="Reset").focus()
    ten.keyboard.press("Tab")
    expect(ten.get_by_role("columnheader", name="Person").get_by_role("button")).to_be_focused()
    for key in ("ArrowDown", "ArrowDown", "ArrowDown", "ArrowDown", "ArrowRight"):
        ten.keyboard.press(key)
    focused = ten.locator(":focus")
    expect(focused).to_have_attribute("aria-label", "admin, should be viewer")
    assert focused.evaluate("one => getComputedStyle(one).outlineStyle") == "solid"
    ten.keyboard.press("Enter")
    expect(ten.get_by_role("dialog", name=user_name(3))).to_be_visible()
    ten.keyboard.press("Escape")
    expect(focused).to_have_attribute("aria-label", "admin, should be viewer")
    ten.keyboard.press("Control+End")
    assert ten.evaluate("document.activeElement.closest('tr').rowIndex") == 10
    ten.keyboard.press("Control+Home")
    ten.keyboard.press("ArrowRight")
    ten.keyboard.press("Enter")
    expect(ten.get_by_role("columnheader", name="organization")).to_have_attribute("aria-sort", "descending")
    expect(ten.get_by_role("columnheader", name="organization").get_by_role("button")).to_be_focused()


def test_a_screen_reader_finds_landmarks_headings_and_named_tables(ten: Page) -> None:
    for role in ("banner", "main", "contentinfo"):
        expect(ten.get_by_role(role)).to_have_count(1)
    assert ten.get_by_role("main").get_by_role("heading", level=3).all_inner_texts() == [
        "What drifted",
        "Who has what",
        "How groups lead to roles",
        "Organization admins",
        "Temporary grants",
        "To look at",
        "Past runs",
    ]
    unnamed = "[...document.querySelectorAll('table')].filter(one => !one.caption?.textContent.trim()).length"
    assert ten.evaluate(unnamed) == 0
    assert ten.evaluate("new Set([...document.querySelectorAll('[id]')].map(one => one.id)).size") == (
        ten.locator("[id]").count()
    )


def test_pointing_at_a_group_tells_what_it_leads_to(ten: Page) -> None:
    picture = ten.locator("section.picture")
    expect(picture.locator(".lines .line")).to_have_count(17)
    picture.get_by_role("button", name="eng-001").hover()
    expect(picture.locator(".told")).to_have_text(
        "eng-001: admin in project-2; contributor in project-1; viewer in organization, project-3"
    )
    expect(picture.locator(".line.lit")).to_have_count(4)
    picture.get_by_role("button", name="project-4").focus()
    expect(picture.locator(".told")).to_have_text("project-4: contributor by eng-003, eng-002")
    picture.get_by_label("Find").fill("project-4")
    assert picture.locator(".from li:visible bdi").all_inner_texts() == ["eng-003", "eng-002"]
    picture.get_by_text("The same as a table").click()
    expect(picture.get_by_role("row", name="eng-001")).to_contain_text("admin in project-2")


def test_admins_grants_findings_and_runs_are_told(ten: Page) -> None:
    admins = ten.get_by_role("region", name="Organization admins")
    expect(admins.get_by_role("row", name=user_name(3))).to_contain_text("should not be")
    expect(admins.get_by_role("row", name=user_name(5))).to_contain_text("4 days left")
    grants = ten.get_by_role("region", name="Temporary grants").get_by_role("listitem")
    expect(grants).to_contain_text(["4 days left", "begins in 2 days", "25 days left"])
    findings = ten.get_by_role("region", name="To look at")
    expect(findings.get_by_role("row", name="zoe")).to_contain_text(
        "has no account, since 2026-11-23 12:00 UTC"
    )
    runs = ten.get_by_role("region", name="Past runs")
    runs.get_by_text("The same as a table").click()
    assert [row.split("\t")[-2:] for row in runs.locator("tbody tr").all_inner_texts()] == [
        ["2", "refused: removals"],
        ["3", "2 applied, 1 failed"],
        ["3", "3 applied"],
    ]


def test_what_is_in_the_way_is_told(show: Show) -> None:
    page = show(rendered(world(40, guardrails=Guardrails(demotions=Limit(0, 0)))))
    region = page.get_by_role("region", name="In the way of a run")
    expect(region).to_contain_text("refuses this")


def test_names_of_strangers_are_text_and_nothing_else(show: Show) -> None:
    page = show(rendered(world(12, names=HOSTILE, drifted_every=4, name="</title><b>acme")))
    shown = rows(page)
    assert {
        "<img src=x onerror=alert(1)>@acme.example",
        "</script><script>alert(1)</script>",
        "<!--<script>",
    } <= {*shown}
    assert "evil\\u202egpj.exe@acme.example" in shown
    assert "two\\nlines" in shown
    expect(page.locator("img, b b")).to_have_count(0)
    assert page.evaluate("document.scripts.length") == 2
    page.get_by_role("button", name=HOSTILE[1]).first.click()
    expect(page.get_by_role("dialog", name=HOSTILE[1])).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_several_organizations_are_shown_one_at_a_time(show: Show) -> None:
    failure = ("gamma", ReadError("the server answered 503", "try again"))
    page = show(rendered(world(), world(3, name="beta", drifted_every=99), failures=(failure,)))
    expect(page.get_by_role("heading", level=1)).to_have_text(
        "Drift: 1 person in acme; 1 organization could not be looked at"
    )
    expect(page.get_by_role("alert")).to_contain_text("gamma could not be looked at")
    organizations = page.get_by_role("navigation", name="Organizations")
    expect(organizations.get_by_role("link")).to_have_text(["acme 1 differ", "beta no drift"])
    expect(page.get_by_role("grid")).to_have_count(1)
    organizations.get_by_role("link", name="beta").click()
    expect(organizations.get_by_role("link", name="beta")).to_have_attribute("aria-current", "true")
    assert page.locator("article:visible .grid tbody tr").count() == 3
    page.emulate_media(media="print")
    assert page.locator("article:visible").count() == 2


def test_on_paper_everything_is_there_and_no_control_is(ten: Page, tmp_path: Path) -> None:
    ten.emulate_media(media="print")
    expect(ten.get_by_role("search")).to_be_hidden()
    expect(ten.get_by_role("button", name="Theme")).to_be_hidden()
    expect(ten.locator(".sheet thead")).to_have_css("display", "table-header-group")
    expect(ten.locator(".sheet thead button").first).to_have_css(
        "display", "contents"
    )  # else no head repeats
    tops = "[...document.querySelectorAll('.grid tbody tr')].map(row => row.getBoundingClientRect().top)"
    assert len({*ten.evaluate(tops)}) == 10
    ten.pdf(path=tmp_path / "page.pdf", format="A4")
    assert (tmp_path / "page.pdf").read_bytes().startswith(b"%PDF")
    expect(ten.locator("details[open]")).to_have_count(0)


RATIO = """
(selector) => {
  const pixel = Object.assign(document.createElement("canvas"), {width: 1, height: 1});
  const canvas = pixel.getContext("2d", {willReadFrequently: true});
  const rgba = (color) => {
    canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = color; canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data].map((part) => part / 255);
  };
  const light = (rgb) => rgb.slice(0, 3)
    .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4))
    .reduce((sum, part, n) => sum + part * [0.2126, 0.7152, 0.0722][n], 0);
  const behind = (one) => {
    const shape = getComputedStyle(one, "::before");
    const color = rgba(shape.backgroundColor);
    if (shape.content !== "none" && color[3] === 1) return color;
    for (; one; one = one.parentElement) {
      const color = rgba(getComputedStyle(one).backgroundColor);
      if (color[3] === 1) return color;
    }
    return rgba("canvas");
  };
  return [...document.querySelectorAll(selector)]
    .filter((one) => one.checkVisibility() && one.textContent.trim())
    .map((one) => {
      const [a, b] = [light(rgba(getComputedStyle(one).color)), light(behind(one))];
      return [(Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), one.className || one.tagName];
    })
    .sort(([one], [other]) => one - other)[0];
}
"""
TEXTS = (
    "p, h2, h3, h4, th, td, button, a, code, small, b, span, li, summary, figcaption, .chip, label, caption"
)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_has_enough_contrast(scheme: Literal["light", "dark"], ten: Page) -> None:
    ten.emulate_media(color_scheme=scheme)
    ratio, which = ten.evaluate(RATIO, TEXTS)
    assert ratio >= 4.5, which
    ten.get_by_role("button", name="admin, should be viewer").click()
    ratio, which = ten.evaluate(RATIO, "dialog *")
    assert ratio >= 4.5, which


def test_the_theme_can_be_chosen(ten: Page) -> None:
    ten.emulate_media(color_scheme="dark")
    paper = "getComputedStyle(document.body).backgroundColor"
    dark = ten.evaluate(paper)
    ten.get_by_role("button", name="Theme: automatic").click()
    expect(ten.get_by_role("button", name="Theme: light")).to_be_visible()
    assert ten.evaluate(paper) != dark
    ten.get_by_role("button", name="Theme: light").click()
    assert ten.evaluate(paper) == dark


def test_nothing_moves_where_motion_is_not_wanted(ten: Page) -> None:
    behaviour = "getComputedStyle(document.documentElement).scrollBehavior"
    assert ten.evaluate(behaviour) == "smooth"
    ten.emulate_media(reduced_motion="reduce")
    assert ten.evaluate(behaviour) == "auto"


@pytest.mark.parametrize("direction", ["ltr", "rtl"])
def test_the_page_itself_never_scrolls_sideways(direction: str, ten: Page) -> None:
    ten.evaluate("direction => { document.documentElement.dir = direction }", direction)
    for width in (320, 700, 1280):  # a phone, or 400 % of a screen
        ten.set_viewport_size({"width": width, "height": 640})
        assert ten.evaluate("document.documentElement.scrollWidth") == width


def test_arrow_keys_go_where_they_point_in_either_direction_of_writing(ten: Page) -> None:
    ten.evaluate("document.documentElement.dir = 'rtl'")
    ten.locator(".grid thead button").first.focus()
    ten.keyboard.press("ArrowLeft")
    expect(ten.locator(":focus")).to_have_text("organization")


def test_without_javascript_all_that_matters_is_there_as_tables(opened: Open) -> None:
    page = opened(TEN, java_script_enabled=False)
    table = page.get_by_role("table", name="Who has what: each")
    expect(table.get_by_role("row")).to_have_count(11)
    expect(table.get_by_role("row", name=user_name(3))).to_contain_text("admin → viewer")
    expect(page.get_by_role("search")).to_have_count(0)
    expect(page.get_by_role("region", name="What drifted")).to_contain_text("group eng-001")
    expect(page.locator(".lines .line")).to_have_count(17)


def test_nobody_at_all_is_a_page_too(show: Show) -> None:
    page = show(rendered())
    expect(page.get_by_role("main")).to_be_visible()
