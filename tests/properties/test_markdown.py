"""Whatever people, groups and projects are called: Markdown shows it, obeys none of it, and fits."""

from build import at, holds, live, plan, principal, provenance, scope_change, set_roles
from hypothesis import example, given, settings
from hypothesis import strategies as st
from rendered import LIVE, cells, page

from reconciler.errors import ReadError
from reconciler.finding import Finding, Kind
from reconciler.guardrails import Violation
from reconciler.model import ORGANIZATION, Scope
from reconciler.planning import Prepared
from reconciler.problem import Location, Problem
from reconciler.report.markdown import plan as markdown
from reconciler.report.markdown.dialect import Dialect
from reconciler.report.markdown.markup import prose, row, span
from reconciler.report.markdown.room import size
from reconciler.report.plain import printable

HOSTILE = [
    *("@team", "@everyone", "#123", "GH-1", "!1", "~bug", "&2", "%3", "$x$", "$$", ":tada:", "deadbeef"),
    *("`", "``", "|", "\\", "\\|", "\\`", "**", "__", "~~", "- ", "# ", "> ", "1. ", "---", "[^1]", "{+x+}"),
    *(
        "[x](javascript:alert(1))",
        "![x](https://evil.example/x.png)",
        "<script>",
        "</details>",
        "<!--",
        "-->",
    ),
    *("<img src=x onerror=alert(1)>", "&lt;", "&#64;x", "www.evil.example", "https://evil.example", "a@b.cc"),
    *("\n", "\r\n", "\n\n", "\t", "\u202e", "\u200b", "\ud800", "\x00", "Zoë", "𝔘", "(", ")", ",", "'", '"'),
    *(" ", "word"),
]
texts = st.lists(st.one_of(st.sampled_from(HOSTILE), st.text(max_size=5)), max_size=8).map("".join)


@settings(max_examples=50)
@given(texts)
@example("a`b|c\\")
def test_a_name_is_one_piece_of_code_in_one_cell(name: str) -> None:
    markdown = f"{row([span(name), 'x'])}\n{row(['---', '---'])}"
    found = page(markdown)
    assert cells(markdown) == [[*(found.codes or ["(empty)"]), "x"]]
    assert (found.texts, len(found.codes)) == (("x",), 1) if name else (("(empty)", "x"), 0)


@settings(max_examples=50)
@given(texts)
def test_a_sentence_is_words_and_code_and_nothing_else(sentence: str) -> None:
    markdown = f"{row([prose(sentence), 'x'])}\n{row(['---', '---'])}"
    found = page(markdown)
    assert (found.links, found.html, found.others) == ((), (), frozenset())
    assert not [text for text in found.texts if LIVE.search(text)]
    [[cell, x]] = cells(markdown)
    assert x == "x"
    if not {*"`|\\"} & {*sentence}:
        assert cell.replace(" ", "") == printable(sentence).replace(r"\x20", "").replace(" ", "")


@st.composite
def prepared(draw: st.DrawFn) -> Prepared:
    names = draw(st.lists(texts.filter(bool), min_size=1, max_size=8, unique=True))
    word = draw(texts)
    place = Location(draw(texts), 3, 1, draw(texts))
    people = [principal(f"p{index}", user_name=name) for index, name in enumerate(names)]
    changes = [
        set_roles(
            person,
            scope_change(ORGANIZATION, "admin", "viewer", provenance(word, "viewer")),
            scope_change(Scope(word or "web"), "", "admin", provenance(word, "admin")),
        )
        for person in people
    ]
    return Prepared(
        plan(
            *changes,
            problems=(Problem(place, word, word),),
            findings=(Finding(Kind.LEAVER, word, word, word, place),),
        ),
        live({f"p{index}": holds("admin") for index in range(len(people))}, *people),
        (Violation("removals", 2, 1, word, word, tuple(names), True),),
    )


@settings(max_examples=15)
@given(st.lists(prepared(), max_size=2), texts, st.integers(0, 4000), st.booleans())
def test_a_comment_is_never_over_its_limit_and_holds_no_markup_but_ours(
    several: list[Prepared], word: str, limit: int, folds: bool
) -> None:
    dialect = Dialect(limit, folds, lambda one: f"https://example/{one.file}")
    failures = [(word, ReadError(word, word))]
    shown = markdown.plans(several, failures, [Problem(at(), word)], dialect)
    assert size(shown) <= limit
    found = page(shown)
    if limit > 200:
        assert not [html for html in found.html if not html.startswith(("<details>", "</details>"))]
        assert not [link for link in found.links if not link.startswith("https://example/")]
        assert found.others == frozenset()
        assert not [text for text in found.texts if LIVE.search(text)]
