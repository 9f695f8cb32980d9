"""The page of an access review in a real browser: what is gone through on a screen and signed on paper."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from build import at
from pages.world import NOW, user_name, world
from playwright.sync_api import Page, expect

from reconciler import evidence
from reconciler.errors import ReadError
from reconciler.evidence import Dossier, Evidence
from reconciler.git.commits import NOT_COMMITTED, Approval, Commit, Writer
from reconciler.overview import Overview
from reconciler.policy.document import Review
from reconciler.report.page import review

Open = Callable[..., Page]

COMMIT = Commit("c0ffee" * 7, "Ann", NOW, "the teams")
MERGE = Commit("beef" * 10, "Dee", NOW, "Merge pull request #12")
HOSTILE = "</script><img src=x onerror=alert(1)>\u202e\n"
DIGEST = "d" * 64


def found(overview: Overview, writer: Writer = COMMIT) -> Evidence:
    writers = {(place.file, place.line): writer for place in evidence.places(overview)}
    return evidence.of(overview, writers, {COMMIT.id: Approval(("Fay",), MERGE, "ci")})


def page(*several: Evidence, failures: tuple[tuple[str, ReadError], ...] = ()) -> str:
    return review.page(Dossier(several, NOW, "abc", False, "ci", None, "f" * 64, failures), DIGEST)


@pytest.fixture
def ten(opened: Open) -> Page:
    return opened(page(found(world())))


def test_each_line_of_policy_is_told_with_what_it_gives_to_whom_and_who_let_it_in(ten: Page) -> None:
    expect(ten.get_by_role("heading", level=2).first).to_have_text("10 people, 34 roles, 4 exceptions.")
    row = ten.get_by_role("row").filter(has_text="group admins")
    cells = row.get_by_role("cell").all_inner_texts()
    assert row.get_by_role("rowheader").inner_text().split("\n")[0].startswith("group admins")
    assert cells[0].replace("\xa0", " ").endswith("admin in organization")
    assert "2 people" in cells[1]
    told = ["Ann, 2026-11-23 12:00 UTC c0ffeec0ff: the teams", "approved by Fay"]
    assert cells[2].split("\n") == [*told, "merged by Dee: Merge pull request #12"]


def test_who_has_a_role_by_a_line_is_opened(ten: Page) -> None:
    row = ten.get_by_role("row").filter(has_text="group admins")
    name = row.get_by_text(user_name(0))
    expect(name).to_be_hidden()
    row.get_by_text("2 people").click()
    expect(name).to_be_visible()


def test_on_paper_there_is_room_for_decisions_and_a_signature(ten: Page) -> None:
    decisions, signed = ten.locator("td.decision"), ten.locator(".signed dt")
    assert decisions.count() == ten.locator(".lines tbody tr").count()
    expect(decisions.first).to_be_hidden()
    expect(signed.first).to_be_hidden()
    ten.emulate_media(media="print")
    expect(decisions.first).to_be_visible()
    expect(signed.first).to_be_visible()
    assert signed.all_text_contents() == ["Reviewer", "Date", "Signature"]
    expect(ten.locator(".ties")).to_contain_text(DIGEST)


def test_the_matrix_filters_as_on_every_page(ten: Page) -> None:
    ten.get_by_role("searchbox").fill("lindqvist nobody")
    expect(ten.locator(".matrix .count")).to_contain_text("0 of 10")


def test_how_it_stands_with_reviews_and_what_git_does_not_know_is_told(opened: Open) -> None:
    overview = world()
    policy = overview.case.policy
    marked = [replace(one, reviewed=Review(NOW, "ada@acme.example", at(1))) for one in policy.bindings]
    asked = replace(policy.organization, longest_review=1)
    case = replace(overview.case, policy=replace(policy, organization=asked, bindings=tuple(marked)))
    shown = opened(page(found(replace(overview, case=case), NOT_COMMITTED)))
    row = shown.get_by_role("row").filter(has_text="group admins")
    expect(row).to_contain_text("who wrote it is unknown: not committed yet")
    expect(row).to_contain_text("due soon")
    expect(row).to_contain_text("ada@acme.example")


def test_hostile_names_commits_and_failures_are_only_text(opened: Open) -> None:
    one = found(world(names=(HOSTILE,)), replace(COMMIT, author=HOSTILE, subject=HOSTILE))
    shown = opened(page(one, failures=((HOSTILE, ReadError(HOSTILE, HOSTILE)),)))
    expect(shown.get_by_role("alert")).to_contain_text("</script><img src=x onerror=alert(1)>\\u202e\\n")
    assert shown.locator("img").count() == 0
