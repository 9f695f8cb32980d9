"""YAML text in, plain data with places out, strictly; the only module that knows PyYAML. Knows no schema."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import yaml

from reconciler.policy.marked import (
    LINE_BREAK,
    MOST_PROBLEMS,
    Mark,
    MarkedDocument,
    Marks,
    Steps,
    Value,
    after,
    path_text,
    quote,
    shorten,
    unread,
)
from reconciler.policy.scalars import Unclear, read_plain
from reconciler.problem import Location, Problem

DEEPEST_NESTING = 20

Loader = type[yaml.SafeLoader] | type[yaml.CSafeLoader]
FASTEST: Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_CONTROL = re.compile("[^\t\n\r\x20-\x7e]")
"""What no YAML text in ASCII may hold. To compile the same of all letters takes longer than most files."""


@cache
def _unprintable() -> re.Pattern[str]:
    """What no YAML text may hold, and the three line breaks (NEL, LS, PS) that only YAML 1.1 knows."""
    return re.compile(
        "[^\t\n\r\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
    )


_SURROGATE = re.compile("[\ud800-\udfff]")
"""SafeLoader, unlike CSafeLoader, makes one of an escape; no encoding can write it again."""

_SYNTAX_REMEDIES = {
    "mapping values are not allowed": "put text that holds ': ' in quotes, or correct the indentation",
    "could not find expected ':'": "end the key with a colon, or correct the indentation",
    "did not find expected key": "correct the indentation, or close a quote or bracket before this place",
    "expected '-' indicator": "begin each entry of the list with `- `, all in one column",
    "expected <block end>": "correct the indentation, or close a quote or bracket before this place",
    "unexpected end of stream": "close the quotes",
    "node content": "close the bracket",
    "expected ',' or": "close the bracket, or put a comma between its entries",
    "escape": "write the backslash twice, or use single quotes",
}
_ANY_SYNTAX_REMEDY = "look for a bracket, a quote or an indentation that is wrong here or just before"


def parse(text: str, file: str, loader: Loader = FASTEST) -> MarkedDocument:
    """Read text that came from `file`. Whatever is wrong is in the result's problems."""
    if found := (_CONTROL if text.isascii() else _unprintable()).search(text):
        return unread(_invisible(text, found.start(), file))
    tree = _Tree(file)
    try:
        for event in yaml.parse(text, Loader=loader):
            tree.take(event)
    except _StoppedError:
        return tree.document(whole=False)
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        # SafeLoader, unlike CSafeLoader, lets Python's own errors through on an escape like "\UFFFFFFFF".
        tree.problems.append(_syntax(error, tree.here, text))
        return tree.document(whole=False)
    return tree.document()


def _invisible(text: str, offset: int, file: str) -> Problem:
    place = after(text[:offset], file)
    if text[offset] == "\ufeff":
        return Problem(place, "the file holds a byte order mark", "save it as UTF-8 without a BOM")
    message = f"the file holds the invisible character U+{ord(text[offset]):04X}, which YAML text may not"
    return Problem(place, message, "delete the character")


def _syntax(error: Exception, here: Location, text: str) -> Problem:
    """Translate an error of the YAML parser; `here` is as far as reading came."""
    mark = getattr(error, "problem_mark", None)
    if mark is None:
        return Problem(here, f"this is not YAML: {error}", _ANY_SYNTAX_REMEDY)
    place = Location(here.file, mark.line + 1, mark.column + 1, here.path)
    said: str = getattr(error, "problem", None) or str(error)
    if "cannot start any token" in said:
        return _bad_start(place, text)
    context = getattr(error, "context", None)
    remedy = next((hint for part, hint in _SYNTAX_REMEDIES.items() if part in said), _ANY_SYNTAX_REMEDY)
    return Problem(place, f"this is not YAML: {said}" + (f" {context}" if context else ""), remedy)


def _bad_start(place: Location, text: str) -> Problem:
    """The parser met a character that begins nothing; which one, it does not always say."""
    found = LINE_BREAK.split(text)[place.line - 1][place.column - 1 :][:1]
    if found == "\t":
        return Problem(place, "this is not YAML: a tab stands where blanks belong", "indent with blanks")
    message = f"this is not YAML: no plain text begins with '{found}'"
    return Problem(place, message, "put the text in quotes")


class _StoppedError(Exception):
    """The rest of the file is not worth reading; why is among the problems."""


@dataclass(slots=True)
class _Frame:
    """A list or mapping that is open; `is_key` where it stands for a key, which is told and dropped.

    `key` is the mapping's key that waits for its value; not `kept`, its value is read for problems only.
    """

    container: list[Value] | dict[str, Value]
    steps: Steps
    is_key: bool
    key: str | None = None
    kept: bool = True
    key_end: Mark = (0, 0)
    """Where the key ends that waits for its value."""

    @property
    def inside(self) -> Steps:
        """The way to the value that comes next; for a key, to the mapping that it is in."""
        if isinstance(self.container, list):
            return (*self.steps, len(self.container))
        return self.steps if self.key is None else (*self.steps, self.key)

    @property
    def wants_key(self) -> bool:
        return self.key is None and isinstance(self.container, dict)

    def drop(self) -> None:
        """Have a key that is none."""
        self.key, self.kept = "?", False

    def put(self, value: Value) -> None:
        """Put a value where it belongs: in the list, or under the key that waits."""
        if isinstance(self.container, list):
            self.container.append(value)
            return
        assert self.key is not None, "a value follows a key"
        if self.kept:
            self.container[self.key] = value
        self.key = None


@dataclass(slots=True)
class _Tree:
    """Grows plain data from parser events, one by one, without recursion."""

    file: str
    problems: list[Problem] = field(default_factory=list)
    _root: Value = None
    _begun: bool = False
    _open: list[_Frame] = field(default_factory=list)
    _keys: dict[Steps, Mark] = field(default_factory=dict)
    _values: dict[Steps, Mark] = field(default_factory=dict)
    _unknown: set[Steps] = field(default_factory=set)
    _steps: Steps = ()
    _mark: Mark = (0, 0)

    @property
    def here(self) -> Location:
        """As far as reading came."""
        line, column = self._mark
        return Location(self.file, line + 1, column + 1, path_text(self._steps))

    def document(self, *, whole: bool = True) -> MarkedDocument:
        self._values.setdefault((), (0, 0))
        return MarkedDocument(
            self.file,
            self._root if whole else None,
            Marks(self.file, self._keys),
            Marks(self.file, self._values),
            frozenset(self._unknown),
            tuple(self.problems),
            whole,
        )

    def take(self, event: yaml.Event) -> None:
        """Grow by one event. Raises _StoppedError where reading on makes no sense."""
        mark = event.start_mark
        assert mark is not None, "the parser marks every event"
        self._mark = mark.line, mark.column
        self._steps = self._open[-1].inside if self._open else ()
        if grow := _GROWTH.get(type(event)):
            grow(self, event)

    def _complain(self, message: str, remedy: str) -> None:
        self.problems.append(Problem(self.here, message, remedy))
        if len(self.problems) == MOST_PROBLEMS:
            remedy = "correct these first; is this a policy file?"
            self._stop(f"reading stopped here, after {MOST_PROBLEMS} problems", remedy)

    def _stop(self, message: str, remedy: str) -> None:
        self.problems.append(Problem(self.here, message, remedy))
        raise _StoppedError

    def start_document(self, _event: yaml.Event) -> None:
        if self._begun:
            self._stop("a second document starts here", "put it in a file of its own and delete the `---`")
        self._begun = True

    def start_mapping(self, event: yaml.MappingStartEvent) -> None:
        self._start(event, {})

    def start_list(self, event: yaml.SequenceStartEvent) -> None:
        self._start(event, [])

    def _start(self, event: yaml.CollectionStartEvent, container: list[Value] | dict[str, Value]) -> None:
        self._refuse_decoration(event)
        is_key = bool(self._open) and self._open[-1].wants_key
        if is_key:
            self._complain("a key is a list or a mapping", "write one word or a text in quotes as the key")
        if len(self._open) == DEEPEST_NESTING:
            message = f"lists and mappings are nested more than {DEEPEST_NESTING} levels deep"
            self._stop(message, "close the brackets, or correct the indentation")
        self._values.setdefault(self._steps, self._mark)
        self._open.append(_Frame(container, self._steps, is_key))

    def end_container(self, _event: yaml.Event) -> None:
        frame = self._open.pop()
        if frame.is_key:
            self._open[-1].drop()
        else:
            self._put(frame.container)

    def scalar(self, event: yaml.ScalarEvent) -> None:
        self._refuse_decoration(event)
        text = event.value
        if not text.isascii() and _SURROGATE.search(text):
            self._stop("the text holds half a character", "write the character itself, not its escapes")
        value = text if event.style or event.tag is not None else read_plain(text)
        if self._open and self._open[-1].wants_key:
            assert event.end_mark is not None, "the parser marks every event"
            self._open[-1].key_end = event.end_mark.line, event.end_mark.column
            self._key(self._open[-1], text, value)
            return
        self._values.setdefault(self._steps, self._mark if text or event.style else self._nowhere)
        if isinstance(value, Unclear):
            self._unknown.add(self._steps)
            self._complain(*_unclear(value))
            value = text
        self._put(value)

    @property
    def _nowhere(self) -> Mark:
        """The place of a value that is not there, of which the two parsers tell different ones."""
        if not self._open:
            return (0, 0)
        if isinstance(self._open[-1].container, list):
            return self._mark
        line, column = self._open[-1].key_end
        return line, column + 1

    def alias(self, event: yaml.AliasEvent) -> None:
        self._complain(
            f"the alias {quote(f'*{event.anchor}')} refers to another place", "write the value out here"
        )
        if self._open and self._open[-1].wants_key:
            self._open[-1].drop()
            return
        self._unknown.add(self._steps)
        self._values.setdefault(self._steps, self._mark)
        self._put(None)

    def _refuse_decoration(self, event: yaml.NodeEvent) -> None:
        """Anchors and tags: one copies what a reviewer does not see, the other makes types of text."""
        if event.anchor is not None:
            remedy = "delete it, and write the value out where it is used"
            self._complain(f"the anchor {quote('&' + event.anchor)} names this value for copying", remedy)
        tag = getattr(event, "tag", None)
        if tag is not None:
            tag = tag.replace("tag:yaml.org,2002:", "!!")
            self._complain(
                f"the tag {quote(tag)} gives this value a type", "delete the tag, and put text in quotes"
            )

    def _key(self, frame: _Frame, text: str, value: str | int | bool | Unclear | None) -> None:
        assert isinstance(frame.container, dict)
        steps = self._steps = (*frame.steps, text)
        frame.key, frame.kept = text, text not in frame.container
        if not frame.kept:
            message = f"the key {quote(text)} was used before, in line {self._keys[steps][0] + 1}"
            self._complain(message, "put both under one key, or delete one")
        elif not isinstance(value, str):
            self._unknown.add(steps)
            self._complain(*(_unclear(value) if isinstance(value, Unclear) else _not_text(text)))
        self._keys.setdefault(steps, self._mark)

    def _put(self, value: Value) -> None:
        """Put a value where it belongs; one that lies in nothing is the root."""
        if self._open:
            self._open[-1].put(value)
        else:
            self._root = value


_GROWTH: Mapping[type[yaml.Event], Callable[[_Tree, Any], None]] = {
    yaml.DocumentStartEvent: _Tree.start_document,
    yaml.MappingStartEvent: _Tree.start_mapping,
    yaml.SequenceStartEvent: _Tree.start_list,
    yaml.MappingEndEvent: _Tree.end_container,
    yaml.SequenceEndEvent: _Tree.end_container,
    yaml.ScalarEvent: _Tree.scalar,
    yaml.AliasEvent: _Tree.alias,
}
"""How a tree grows by each kind of event; the others say nothing of the data."""


def _unclear(scalar: Unclear) -> tuple[str, str]:
    if scalar.text == "<<":
        return "'<<' merges another mapping into this one", "write the keys out here"
    message = f"some YAML readers take {quote(scalar.text)} for {scalar.taken_for}, others for text"
    return message, f'write "{shorten(scalar.text)}" in quotes for the text'


def _not_text(key: str) -> tuple[str, str]:
    if not key:
        return "a key is empty", "write the key before the colon"
    return f"the key {quote(key)} is not text", f'write "{shorten(key)}" in quotes'
