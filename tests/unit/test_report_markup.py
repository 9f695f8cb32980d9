"""Names and sentences from elsewhere in Markdown: read as they are, and never obeyed."""

import pytest
from rendered import LIVE, cells, page

from reconciler.problem import Location
from reconciler.report.markdown.markup import LONGEST_NAME, joined, place, prose, reason, row, span
from reconciler.report.people import Name, Place

AT = Location("policies/acme/web.yaml", 6, 3)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("dana@acme.example", "`dana@acme.example`"),
        ("@everyone", "`@everyone`"),
        ("a|b", r"`a\x7cb`"),
        ("a`b", r"`a\x60b`"),
        ("``", r"`\x60\x60`"),
        ("a\\", r"`a\x5c`"),
        ("a\\b", r"`a\b`"),
        (" a  b ", r"`\x20a \x20b\x20`"),
        (" ", r"`\x20`"),
        ("", "(empty)"),
        ("a\nb", r"`a\nb`"),
        ("a\u202eb", r"`a\u202eb`"),
        ("\ud800", r"`\ud800`"),
        ("<script>alert(1)</script>", "`<script>alert(1)</script>`"),
        ("Zoë", "`Zoë`"),
        ("x" * 101, f"`{'x' * LONGEST_NAME}… (101 characters)`"),
    ],
)
def test_a_name_is_code_that_nothing_in_it_can_end(name: str, shown: str) -> None:
    assert span(name) == shown


@pytest.mark.parametrize(
    ("sentence", "shown"),
    [
        ("is active here, and left", "is active here, and left"),
        ("until 2026-11-27 23:59 UTC, INC-1 outage", "until 2026-11-27 23:59 UTC, `INC-1` outage"),
        ("20 % of 9 people (and never more than 10)", "20 % of 9 people (and never more than 10)"),
        ("is 'zoe@acme.example' here", "is `'zoe@acme.example'` here"),
        ("raise `guardrails.removals` in the policy", "raise `guardrails.removals` in the policy"),
        ("`apply --approve 0f`", "`apply --approve 0f`"),
        ("ping @team, now", "ping `@team`, now"),
        ("(see #123)", "(see `#123`)"),
        ("[x](javascript:alert(1))", "`[x](javascript:alert(1))`"),
        ("(a@b), (c(d)e);", "(`a@b`), (`c(d)e);`"),
        ("<!-- hidden --> shown", "`<!--` hidden `-->` shown"),
        ("<img src=x onerror=alert(1)>", "`<img` `src=x` `onerror=alert(1)>`"),
        ("cost $x$ or $$y$$", "cost `$x$` or `$$y$$`"),
        ("at www.evil.example now", "at `www.evil.example` now"),
        ("a:tada:.", "`a:tada`:."),
        (":tada:", "`:tada`:"),
        ("a lone ` here", r"a lone `\x60` here"),
        ("`a``b`", "`a` `b`"),
        ("commit deadbeef", "commit `deadbeef`"),
        ("a\n# b", r"`a\n#` b"),
        ("~~a~~ *b* _c_ **d**", "`~~a~~` `*b*` `_c_` `**d**`"),
        ("", ""),
    ],
)
def test_a_sentence_keeps_its_words_and_shows_the_rest_as_code(sentence: str, shown: str) -> None:
    assert prose(sentence) == shown
    found = page(f"- {prose(sentence)}")
    assert (found.links, found.html, found.others) == ((), (), frozenset())
    assert not [text for text in found.texts if LIVE.search(text)]


def test_a_pipe_opens_no_cell_in_a_table() -> None:
    table = f"{row(['a', 'b'])}\n{row(['---', '---'])}\n{row([span('x|y`|`z'), prose('p|q | r')])}"
    assert cells(table) == [["a", "b"], [r"x\x7cy\x60\x7c\x60z", r"p\x7cq \x7c r"]]


def test_a_line_of_policy_is_a_link_where_the_host_has_one() -> None:
    def link(at: Location) -> str:
        return f"https://github.com/o/r/blob/c0ffee/{at.file}#L{at.line}"

    url = "https://github.com/o/r/blob/c0ffee/policies/acme/web.yaml#L6"
    assert place(AT, link) == f"[`web.yaml:6`]({url})"
    assert place(AT, lambda _: "") == "`policies/acme/web.yaml:6`"
    assert place(Location("policies/acme"), lambda _: "") == "`policies/acme`"


@pytest.mark.parametrize("url", ["javascript:alert(1)", "data:text/html,x", "//evil.example", "HTTPS"])
def test_a_link_leads_nowhere_but_to_a_page(url: str) -> None:
    assert place(AT, lambda _: url) == "`policies/acme/web.yaml:6`"


def test_the_name_of_a_file_ends_no_link() -> None:
    at = Location('a](b) <x>|`\n".yaml', 1)
    found = page(f"- {place(at, lambda one: f'https://example/{one.file}')}")
    assert found.links == ("https://example/a%5D%28b%29%20%3Cx%3E%7C%60%0A%22.yaml",)
    assert (found.html, found.others) == ((), frozenset())


def test_a_reason_shows_names_as_code_and_places_as_links() -> None:
    words = ("group ", Name("a`b@c"), " (", Place(AT), "), admin at most as ", Name("x"))
    assert reason(words, lambda _: "https://example/l") == (
        r"group `a\x60b@c` ([`web.yaml:6`](https://example/l)), admin at most as `x`"
    )


def test_a_reason_of_very_many_pieces_is_cut() -> None:
    assert reason(("a ",) * 40, lambda _: "") == "a " * 16 + " …"


def test_two_pieces_of_code_stay_two() -> None:
    assert joined([span("a"), span("b"), " c ", "", span("d")]) == "`a` `b` c `d`"
