"""The strict YAML reader: values and places, and that nothing but problems comes of bad text."""

import os
from contextlib import suppress
from pathlib import Path

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from reconciler.policy.content import LARGEST_FILE, read
from reconciler.policy.marked import MOST_PROBLEMS, MarkedDocument, path_text
from reconciler.policy.reader import Loader, parse
from reconciler.problem import Location

ROOT = Path(__file__).parents[2]
LOADERS: list[Loader] = [yaml.SafeLoader, yaml.CSafeLoader] if yaml.__with_libyaml__ else [yaml.SafeLoader]

loaders = pytest.mark.parametrize("loader", LOADERS, ids=lambda loader: loader.__name__)

POLICY = """\
# teams
version: 1
bindings:
  - group: "no"     # quoted: text
    projects: {store front: admin,
               checkout: viewer}
  -
    group: |
      ünï
"""


def complaints(document: MarkedDocument) -> list[str]:
    return [str(problem) for problem in document.problems]


@loaders
def test_values_are_plain_data(loader: Loader) -> None:
    assert parse(POLICY, "web.yaml", loader).value == {
        "version": 1,
        "bindings": [
            {"group": "no", "projects": {"store front": "admin", "checkout": "viewer"}},
            {"group": "ünï\n"},
        ],
    }


@loaders
def test_every_key_and_value_has_its_place(loader: Loader) -> None:
    document = parse(POLICY, "web.yaml", loader)
    places = {at.path: (at.line, at.column, document.at(steps).column) for steps, at in document.keys.items()}
    assert places == {
        "version": (2, 1, 10),
        "bindings": (3, 1, 3),
        "bindings[0].group": (4, 5, 12),
        "bindings[0].projects": (5, 5, 15),
        'bindings[0].projects["store front"]': (5, 16, 29),
        "bindings[0].projects.checkout": (6, 16, 26),
        "bindings[1].group": (8, 5, 12),
    }
    assert document.at(("bindings", 1)) == Location("web.yaml", 8, 5, "bindings[1]")
    assert document.at(()) == Location("web.yaml", 2, 1)


def test_a_path_shows_odd_keys_in_quotes_and_long_ones_shortened() -> None:
    assert path_text(("projects", "a.b", 3, "", "x" * 99)) == f'projects["a.b"][3][""]["{"x" * 57}..."]'


@loaders
@pytest.mark.parametrize(
    ("text", "value"),
    [("", None), ("# nothing\n", None), ("---\n", None), ("~", None), ("a:\n", {"a": None}), ("[]", [])],
)
def test_nothing_is_read_as_nothing(text: str, value: object, loader: Loader) -> None:
    document = parse(text, "f.yaml", loader)
    assert (document.value, document.problems, document.whole) == (value, (), True)


@loaders
def test_of_a_duplicate_key_the_first_value_stays_and_the_second_is_told(loader: Loader) -> None:
    document = parse("a: {b: 1}\na: {b: 2, c: 3}\n", "f.yaml", loader)
    assert document.value == {"a": {"b": 1}}
    assert document.at(("a", "b")).line == 1
    assert complaints(document) == [
        "f.yaml:2:1 a: the key 'a' was used before, in line 1; put both under one key, or delete one"
    ]


@loaders
@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("a: no", "1:4 a", "some YAML readers take 'no' for a truth value, others for text"),
        ("012: x", '1:1 ["012"]', "some YAML readers take '012' for a number, others for text"),
        ("1: x", '1:1 ["1"]', "the key '1' is not text"),
        ("?\n: x", '1:2 [""]', "a key is empty"),
        ("? [a]\n: x", "1:3", "a key is a list or a mapping"),
        ("a: &x 1", "1:4 a", "the anchor '&x' names this value for copying"),
        ("a: *x", "1:4 a", "the alias '*x' refers to another place"),
        ("*x : a", "1:1", "the alias '*x' refers to another place"),
        ("<<: {a: b}", '1:1 ["<<"]', "'<<' merges another mapping into this one"),
        ("a: !!str 1", "1:4 a", "the tag '!!str' gives this value a type"),
        ("a: !env X", "1:4 a", "the tag '!env' gives this value a type"),
        ("a: ! X", "1:4 a", "the tag '!' gives this value a type"),
        ("- !!map {a: b}", "1:3 [0]", "the tag '!!map' gives this value a type"),
    ],
)
def test_what_strict_yaml_does_not_have_is_a_problem_at_its_place(
    text: str, place: str, message: str, loader: Loader
) -> None:
    document = parse(text, "f.yaml", loader)
    assert document.whole
    assert [f"{str(problem.at)[7:]}: {problem.message}" for problem in document.problems] == [
        f"{place}: {message}"
    ]


@loaders
@pytest.mark.parametrize(
    ("text", "line", "column", "message"),
    [
        ("a: 1\n---\nb: 2\n", 2, 1, "a second document starts here"),
        ("a:\n\t- b\n", 2, 1, "this is not YAML: a tab stands where blanks belong"),
        ("a: @b\n", 1, 4, "this is not YAML: no plain text begins with '@'"),
        ("a: %b\n", 1, 4, "this is not YAML: no plain text begins with '%'"),
        ("[" * 100_000, 1, 21, "lists and mappings are nested more than 20 levels deep"),
        ("{a: " * 100_000, 1, 81, "lists and mappings are nested more than 20 levels deep"),
        ("- " * 100_000, 1, 41, "lists and mappings are nested more than 20 levels deep"),
        ("a: 'x\0'\n", 1, 6, "the file holds the invisible character U+0000, which YAML text may not"),
        (
            "a: 1\r\nb: \x1b[31m\n",
            2,
            4,
            "the file holds the invisible character U+001B, which YAML text may not",
        ),
        ("a: x\u2028b: y\n", 1, 5, "the file holds the invisible character U+2028, which YAML text may not"),
        ("\ufeffa: 1\n", 1, 1, "the file holds a byte order mark"),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_where_reading_cannot_go_on_the_place_is_told_and_nothing_is_made_of_the_rest(
    text: str, line: int, column: int, message: str, loader: Loader
) -> None:
    document = parse(text, "f.yaml", loader)
    assert (document.value, document.whole) == (None, False)
    assert [(problem.at.line, problem.at.column, problem.message) for problem in document.problems] == [
        (line, column, message)
    ]


@loaders
@pytest.mark.parametrize(
    "text",
    [
        "a: b: c",
        'a: "x',
        "a: [1",
        "a: {b: [1, 2}",
        "- a\nb: 1",
        "%YAML 3.0\n---\na",
        'a: "\\UFFFFFFFF"',
        "a: |x",
    ],
)
def test_a_syntax_error_has_a_line_and_a_remedy(text: str, loader: Loader) -> None:
    (problem,) = parse(text, "f.yaml", loader).problems
    assert problem.at.line
    assert problem.message.startswith("this is not YAML: ")
    assert problem.remedy


@loaders
def test_anchors_that_expand_without_end_are_read_once(loader: Loader) -> None:
    levels = "".join(
        f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]\n" for old, new in zip("abcdef", "bcdefg", strict=True)
    )
    document = parse(f"a: &a [lol]\n{levels}", "f.yaml", loader)
    assert len(document.problems) == 7 + 6 * 9


@loaders
def test_reading_stops_after_many_problems(loader: Loader) -> None:
    document = parse("- no\n" * 50_000, "f.yaml", loader)
    assert (len(document.problems), document.whole) == (MOST_PROBLEMS + 1, False)
    assert document.problems[-1].message == "reading stopped here, after 100 problems"


def test_a_lone_surrogate_never_becomes_a_value() -> None:
    for loader in LOADERS:
        document = parse('a: "\\ud800"', "f.yaml", loader)
        assert document.problems
        str(document.value).encode()


def unread(path: Path) -> str:
    document = read(path, "f.yaml")
    assert (document.value, document.whole) == (None, False)
    (problem,) = document.problems
    return str(problem)


def test_a_file_of_fifty_megabytes_is_not_opened(tmp_path: Path) -> None:
    path = tmp_path / "f.yaml"
    with path.open("wb") as file:
        file.truncate(50 * LARGEST_FILE)
    path.chmod(0)
    assert unread(path) == (
        "f.yaml: the file has 52,428,800 bytes, more than the 1,048,576 that a policy file may have; "
        "split it into several files"
    )


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (
            b"a: 1\nb: \xe4\n",
            "f.yaml:2:4: the file is not UTF-8: byte 0xe4 at offset 8 looks like another encoding",
        ),
        (
            "a: 1".encode("utf-16"),
            "f.yaml:1:1: the file is not UTF-8: byte 0xff at offset 0 looks like UTF-16",
        ),
    ],
    ids=["latin-1", "utf-16"],
)
def test_another_encoding_is_told_with_the_line_of_the_first_wrong_byte(
    content: bytes, told: str, tmp_path: Path
) -> None:
    (tmp_path / "f.yaml").write_bytes(content)
    assert unread(tmp_path / "f.yaml") == f"{told}; save the file as UTF-8"


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "f.yaml")
    assert (
        unread(tmp_path / "f.yaml") == "f.yaml: this is not a regular file; write the policy to a plain file"
    )


def test_a_folder_is_not_read(tmp_path: Path) -> None:
    assert unread(tmp_path) == "f.yaml: a folder stands where a file belongs; rename the folder"


def test_a_link_to_nowhere_is_told(tmp_path: Path) -> None:
    (tmp_path / "f.yaml").symlink_to("nowhere.yaml")
    assert unread(tmp_path / "f.yaml") == (
        "f.yaml: the file is a link to something that does not exist; correct the link or delete it"
    )


def test_a_link_to_itself_is_told(tmp_path: Path) -> None:
    (tmp_path / "f.yaml").symlink_to("f.yaml")
    assert "f.yaml: the file cannot be read: too many levels of symbolic links" in unread(tmp_path / "f.yaml")


@pytest.fixture
def closed_file(tmp_path: Path) -> None:
    (tmp_path / "f.yaml").write_text("version: 1\n")
    (tmp_path / "f.yaml").chmod(0)


@pytest.mark.usefixtures("closed_file", "without_privileges")
def test_a_file_without_permission_is_told() -> None:
    assert unread(Path("f.yaml")) == "f.yaml: the file cannot be read: permission denied; make it readable"


def test_loaders_tell_the_same_of_every_policy_of_the_tests_and_place_its_problems_alike() -> None:
    paths = [path for folder in ("tests/policies", "policies") for path in (ROOT / folder).rglob("*.y*ml")]
    assert len(paths) > 100
    for path in paths:
        with suppress(UnicodeDecodeError):
            text = path.read_text(encoding="utf-8")
            documents = [parse(text, "f.yaml", loader) for loader in LOADERS]
            told = [
                (
                    document.value,
                    dict(document.keys),
                    dict(document.values),
                    document.unknown,
                    document.whole,
                    # Where text ends too early, each names the place at which it gave up.
                    [problem.at for problem in document.problems]
                    if document.whole
                    else bool(document.problems),
                )
                for document in documents
            ]
            assert told[1:] == told[:-1], path


@settings(max_examples=300)
@given(st.text(alphabet="ab:-?[]{}&*!|>'\"%@`#,. \n\t\\x0019~<=", max_size=60))
@example('"\\UFFFFFFFF"')
@example("? ? ? a")
@example("{a: *b, *c : [d], ? e}")
@example("---")
@example("? .")
@example("{a: , b}")
def test_no_text_makes_anything_but_problems_and_loaders_that_accept_it_agree(text: str) -> None:
    documents = [parse(text, "f.yaml", loader) for loader in LOADERS]
    accepted = [
        (document.value, dict(document.keys), dict(document.values))
        for document in documents
        if not document.problems
    ]
    assert accepted[1:] == accepted[:-1]  # one may be stricter: they disagree about some tabs


@settings(max_examples=200)
@given(st.text())
def test_no_unicode_makes_anything_but_problems(text: str) -> None:
    for loader in LOADERS:
        document = parse(text, "f.yaml", loader)
        assert document.whole or document.problems
