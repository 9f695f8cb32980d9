"""YAML files in, plain data with places out, strictly; the only module that knows PyYAML. Knows no schema."""

import hashlib
import re
import stat
from dataclasses import dataclass, field, replace
from pathlib import Path

import yaml

from reconciler.policy.marked import (
    MOST_PROBLEMS,
    MarkedDocument,
    Steps,
    Value,
    path_text,
    quote,
    shorten,
    unread,
)
from reconciler.policy.scalars import Unclear, read_plain
from reconciler.problem import Location, Problem

LARGEST_FILE = 1024 * 1024
"""Bytes. A thousand bindings are about 100 kB."""

DEEPEST_NESTING = 20

Loader = type[yaml.SafeLoader] | type[yaml.CSafeLoader]
FASTEST: Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_UNPRINTABLE = re.compile(
    "[^\t\n\r\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
)
"""What no YAML text may hold, and the three line breaks (NEL, LS, PS) that only YAML 1.1 knows."""

_SURROGATE = re.compile("[\ud800-\udfff]")
"""SafeLoader, unlike CSafeLoader, makes one of an escape; no encoding can write it again."""

_LINE_BREAK = re.compile("\r\n|\r|\n")

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


def read(path: Path, shown: str) -> MarkedDocument:
    """Read a file; `shown` is how messages call it. Whatever is wrong is in the result's problems."""
    try:
        content = _content(path, shown)
    except OSError as error:
        content = _unreadable(path, shown, error)
    return unread(content) if isinstance(content, Problem) else document(content, shown)


def document(content: bytes, shown: str) -> MarkedDocument:
    """Read what a file holds. Whatever is wrong is in the result's problems."""
    try:
        return replace(parse(content.decode(), shown), digest=hashlib.sha256(content).hexdigest())
    except UnicodeDecodeError as error:
        return unread(_undecodable(content, error.start, shown))


def parse(text: str, file: str, loader: Loader = FASTEST) -> MarkedDocument:
    """Read text that came from `file`. Whatever is wrong is in the result's problems."""
    if found := _UNPRINTABLE.search(text):
        return unread(_unprintable(text, found.start(), file))
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


def _content(path: Path, shown: str) -> bytes | Problem:
    """The bytes of a regular file of bearable size. Looks before it opens: a pipe would never end.

    A file that grows meanwhile is refused, too: half a policy would take roles away.
    """
    status = path.stat()
    if stat.S_ISDIR(status.st_mode):
        return Problem(Location(shown), "a folder stands where a file belongs", "rename the folder")
    if not stat.S_ISREG(status.st_mode):
        return Problem(Location(shown), "this is not a regular file", "write the policy to a plain file")
    if status.st_size > LARGEST_FILE:
        return too_large(status.st_size, shown)
    with path.open("rb") as file:
        content = file.read(LARGEST_FILE + 1)
    return content if len(content) <= LARGEST_FILE else too_large(len(content), shown)


def too_large(size: int, shown: str) -> Problem:
    """The problem of a file that has more bytes than are read."""
    message = f"the file has {size:,} bytes, more than the {LARGEST_FILE:,} that a policy file may have"
    return Problem(Location(shown), message, "split it into several files")


def _unreadable(path: Path, shown: str, error: OSError) -> Problem:
    if isinstance(error, PermissionError):
        return Problem(Location(shown), "the file cannot be read: permission denied", "make it readable")
    if isinstance(error, FileNotFoundError) and path.is_symlink():
        message = "the file is a link to something that does not exist"
        return Problem(Location(shown), message, "correct the link or delete it")
    reason = (error.strerror or "unknown reason").lower()
    return Problem(Location(shown), f"the file cannot be read: {reason}", "check the path and the disk")


def _undecodable(content: bytes, offset: int, shown: str) -> Problem:
    before = content[:offset].decode()
    encoding = "UTF-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "another encoding"
    message = f"the file is not UTF-8: byte {content[offset]:#04x} at offset {offset} looks like {encoding}"
    return Problem(_place(before, shown), message, "save the file as UTF-8")


def _unprintable(text: str, offset: int, file: str) -> Problem:
    place = _place(text[:offset], file)
    if text[offset] == "\ufeff":
        return Problem(place, "the file holds a byte order mark", "save it as UTF-8 without a BOM")
    message = f"the file holds the invisible character U+{ord(text[offset]):04X}, which YAML text may not"
    return Problem(place, message, "delete the character")


def _place(before: str, file: str) -> Location:
    """The line and column of what follows the text `before`."""
    lines = _LINE_BREAK.split(before)
    return Location(file, len(lines), len(lines[-1]) + 1)


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
    found = _LINE_BREAK.split(text)[place.line - 1][place.column - 1 :][:1]
    if found == "\t":
        return Problem(place, "this is not YAML: a tab stands where blanks belong", "indent with blanks")
    message = f"this is not YAML: no plain text begins with '{found}'"
    return Problem(place, message, "put the text in quotes")


class _StoppedError(Exception):
    """The rest of the file is not worth reading; why is among the problems."""


@dataclass(slots=True)
class _Key:
    """A key that waits for its value; not `kept`, its value is read for problems only."""

    text: str
    kept: bool = True


@dataclass(slots=True)
class _Frame:
    """A list or mapping that is open. `key` is the mapping's key that waits for a value."""

    container: list[Value] | dict[str, Value]
    steps: Steps
    is_key: bool
    key: _Key | None = None


@dataclass(slots=True)
class _Tree:
    """Grows plain data from parser events, one by one, without recursion."""

    file: str
    problems: list[Problem] = field(default_factory=list)
    here: Location = Location("")
    _root: Value = None
    _begun: bool = False
    _open: list[_Frame] = field(default_factory=list)
    _keys: dict[Steps, Location] = field(default_factory=dict)
    _values: dict[Steps, Location] = field(default_factory=dict)
    _unknown: set[Steps] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.here = Location(self.file, 1, 1)

    def document(self, *, whole: bool = True) -> MarkedDocument:
        self._values.setdefault((), Location(self.file, 1, 1))
        value = self._root if whole else None
        problems = tuple(self.problems)
        return MarkedDocument(
            self.file, value, self._keys, self._values, frozenset(self._unknown), problems, whole
        )

    def take(self, event: yaml.Event) -> None:
        """Grow by one event. Raises _StoppedError where reading on makes no sense."""
        self.here = self._location(event, self._steps())
        match event:
            case yaml.DocumentStartEvent():
                self._start_document()
            case yaml.MappingStartEvent() | yaml.SequenceStartEvent():
                self._start_container(event)
            case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                self._end_container()
            case yaml.ScalarEvent():
                self._scalar(event)
            case yaml.AliasEvent():
                self._alias(event)
            case _:
                pass

    def _complain(self, message: str, remedy: str) -> None:
        self.problems.append(Problem(self.here, message, remedy))
        if len(self.problems) == MOST_PROBLEMS:
            remedy = "correct these first; is this a policy file?"
            self._stop(f"reading stopped here, after {MOST_PROBLEMS} problems", remedy)

    def _stop(self, message: str, remedy: str) -> None:
        self.problems.append(Problem(self.here, message, remedy))
        raise _StoppedError

    def _location(self, event: yaml.Event, steps: Steps) -> Location:
        mark = event.start_mark
        assert mark is not None, "the parser marks every event"
        return Location(self.file, mark.line + 1, mark.column + 1, path_text(steps))

    def _steps(self) -> Steps:
        """The way to the value that comes next; for a key, to the mapping that it is in."""
        if not self._open:
            return ()
        frame = self._open[-1]
        if isinstance(frame.container, list):
            return (*frame.steps, len(frame.container))
        return (*frame.steps, frame.key.text) if frame.key else frame.steps

    def _wants_key(self) -> bool:
        return bool(self._open) and isinstance(self._open[-1].container, dict) and self._open[-1].key is None

    def _start_document(self) -> None:
        if self._begun:
            self._stop("a second document starts here", "put it in a file of its own and delete the `---`")
        self._begun = True

    def _start_container(self, event: yaml.MappingStartEvent | yaml.SequenceStartEvent) -> None:
        self._refuse_decoration(event)
        is_key = self._wants_key()
        if is_key:
            self._complain("a key is a list or a mapping", "write one word or a text in quotes as the key")
        if len(self._open) == DEEPEST_NESTING:
            message = f"lists and mappings are nested more than {DEEPEST_NESTING} levels deep"
            self._stop(message, "close the brackets, or correct the indentation")
        steps = self._steps()
        self._values.setdefault(steps, self.here)
        container: list[Value] | dict[str, Value] = {} if isinstance(event, yaml.MappingStartEvent) else []
        self._open.append(_Frame(container, steps, is_key))

    def _end_container(self) -> None:
        frame = self._open.pop()
        if frame.is_key:
            self._open[-1].key = _Key("?", kept=False)
        else:
            self._put(frame.container)

    def _scalar(self, event: yaml.ScalarEvent) -> None:
        self._refuse_decoration(event)
        if _SURROGATE.search(event.value):
            self._stop("the text holds half a character", "write the character itself, not its escapes")
        plain = event.style is None or event.style == ""
        value = read_plain(event.value) if plain and event.tag is None else event.value
        if self._wants_key():
            self._key(event, value)
            return
        steps = self._steps()
        self._values.setdefault(steps, self.here)
        if isinstance(value, Unclear):
            self._unknown.add(steps)
            self._complain(*_unclear(value))
            value = value.text
        self._put(value)

    def _alias(self, event: yaml.AliasEvent) -> None:
        self._complain(
            f"the alias {quote(f'*{event.anchor}')} refers to another place", "write the value out here"
        )
        if self._wants_key():
            self._open[-1].key = _Key("?", kept=False)
            return
        self._unknown.add(self._steps())
        self._values.setdefault(self._steps(), self.here)
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

    def _key(self, event: yaml.ScalarEvent, value: str | int | bool | Unclear | None) -> None:
        frame = self._open[-1]
        assert isinstance(frame.container, dict)
        text = event.value
        steps = (*frame.steps, text)
        self.here = self._location(event, steps)
        frame.key = _Key(text, kept=text not in frame.container)
        if not frame.key.kept:
            first = self._keys[steps]
            message = f"the key {quote(text)} was used before, in line {first.line}"
            self._complain(message, "put both under one key, or delete one")
        elif not isinstance(value, str):
            self._unknown.add(steps)
            self._complain(*(_unclear(value) if isinstance(value, Unclear) else _not_text(text)))
        self._keys.setdefault(steps, self.here)

    def _put(self, value: Value) -> None:
        """Put a value where it belongs: under the key that waits, in the open list, or as the root."""
        if not self._open:
            self._root = value
            return
        frame = self._open[-1]
        if isinstance(frame.container, list):
            frame.container.append(value)
            return
        assert frame.key is not None
        if frame.key.kept:
            frame.container[frame.key.text] = value
        frame.key = None


def _unclear(scalar: Unclear) -> tuple[str, str]:
    if scalar.text == "<<":
        return "'<<' merges another mapping into this one", "write the keys out here"
    message = f"some YAML readers take {quote(scalar.text)} for {scalar.taken_for}, others for text"
    return message, f'write "{shorten(scalar.text)}" in quotes for the text'


def _not_text(key: str) -> tuple[str, str]:
    if not key:
        return "a key is empty", "write the key before the colon"
    return f"the key {quote(key)} is not text", f'write "{shorten(key)}" in quotes'
