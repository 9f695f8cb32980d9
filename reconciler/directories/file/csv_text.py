"""A table of memberships in CSV as the document that JSON would be, with places; not what it means.

One row for each membership, below comments that say what CSV itself can't: its format, the moment of the
export, how many rows there are, and whether everybody is listed.
"""

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

from reconciler.model import fold
from reconciler.policy.marked import MarkedDocument, Places, Steps, quote, unread
from reconciler.problem import Location, Problem, did_you_mean

COMMENTS = {
    "format": "reconciler.directory/1",
    "exported": "2026-11-26T06:00:00Z",
    "rows": "1234",
    "people": "all",
}
"""What may stand above the table as `# name: value`, each with an example."""

GROUP, GROUP_ID, USER_NAME = "group", "group_id", "user_name"
FACTS = (USER_NAME, "external_id", "active", "status", "since", "display_name", "email")
COLUMNS = (GROUP, GROUP_ID, *FACTS)
"""The columns that mean something here; every other one is an attribute."""

CUT = "was it cut short? write an export to another file, then rename it"

_TRUTH = {"true": True, "false": False}


def parse(text: str, name: str) -> MarkedDocument:
    """What the text of the file `name` holds. The first thing that is wrong is the result's problem."""
    table = _Table(name)
    try:
        table.read(text)
    except _StoppedError as stopped:
        return unread(stopped.problem)
    value = table.value()
    places = Places(lambda: _places(value, table.lines, name))
    return MarkedDocument(name, value, keys=places, values=places)


class _StoppedError(Exception):
    """The rest is not worth reading, because of this problem."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem))
        self.problem = problem


@dataclass(slots=True)
class _Table:
    """What has been read of a table so far; `line` is where reading is."""

    name: str
    line: int = 1
    comments: dict[str, str] = field(default_factory=dict)
    groups: list[dict[str, Any]] = field(default_factory=list)
    people: list[dict[str, Any]] = field(default_factory=list)
    lines: dict[Steps, int] = field(default_factory=dict)
    """Of each comment, group, member and person of the document."""
    _numbers: dict[tuple[str, str], int] = field(default_factory=dict)
    """Which of the groups has this folded name and this id."""
    _alone: dict[str, bool] = field(default_factory=dict)
    """By folded user_name of everybody: whether they stand in a row without a group."""

    def problem(self, message: str, remedy: str, column: str = "") -> Problem:
        return Problem(Location(self.name, self.line, 1, column), message, remedy)

    def value(self) -> dict[str, Any]:
        """The document. With `# people: all`, everybody in any row is all there are."""
        heads = {name: self.comments[name] for name in ("format", "exported")}
        people = {"people": self.people} if "people" in self.comments else {}
        return {**heads, "groups": self.groups, **people}

    def read(self, text: str) -> None:
        """Comments, the names of the columns, then rows. Raises _StoppedError."""
        while text.startswith("#"):
            comment, _, text = text.partition("\n")
            self._comment(comment.removesuffix("\r"))
            self.line += 1
        self._check_comments()
        self._rows(text)
        if not text.endswith("\n"):
            self._stop("the last row has no end", CUT)

    def _rows(self, text: str) -> None:
        rows = csv.reader(io.StringIO(text, newline=""), strict=True)
        above, number, columns = self.line - 1, 0, None
        try:
            for cells in rows:
                self.line = above + rows.line_num
                if columns is None:
                    self._check_columns(columns := cells)
                elif cells:
                    number += 1
                    self._row(columns, cells)
        except csv.Error as error:
            self.line = above + rows.line_num
            self._stop(f"this is not CSV: {error}", CUT)
        if columns is None:
            self._check_columns([])
        if self.comments["rows"] != str(number):
            self._stop(f"`# rows:` says {quote(self.comments['rows'])}, and there are {number}", CUT)

    def _stop(self, message: str, remedy: str, column: str = "") -> NoReturn:
        raise _StoppedError(self.problem(message, remedy, column))

    def _comment(self, line: str) -> None:
        name, _, value = line.removeprefix("#").partition(":")
        name, value = name.strip(), value.strip()
        if name not in COMMENTS:
            known = ", ".join(f"`# {name}:`" for name in COMMENTS)
            self._stop(f"unknown comment {quote(line)}{did_you_mean(name, COMMENTS)}", f"there are {known}")
        if name in self.comments:
            self._stop(f"a second `# {name}:` stands here", "delete one of the two")
        if name == "people" and value != "all":
            remedy = "write `# people: all` if everybody is listed, or delete the comment"
            self._stop(f"`# people:` can't be {quote(value)}", remedy)
        self.comments[name] = value
        self.lines[name,] = self.line

    def _check_comments(self) -> None:
        for name, example in COMMENTS.items():
            if name not in self.comments and name != "people":
                self._stop(f"`# {name}:` is missing above the table", f"add such as `# {name}: {example}`")

    def _check_columns(self, columns: list[str]) -> None:
        for column in columns:
            known = column.strip().lower().replace(" ", "_")
            if column not in COLUMNS and known in COLUMNS:
                self._stop(f"unknown column {quote(column)}, did you mean '{known}'?", "rename it")
            if columns.count(column) > 1:
                self._stop(f"two columns are called {quote(column)}", "delete one of the two")
        for column in (GROUP, USER_NAME):
            if column not in columns:
                self._stop(f"there is no column '{column}'", "the row below the comments names the columns")

    def _row(self, columns: list[str], cells: list[str]) -> None:
        if len(cells) != len(columns):
            self._stop(f"this row has {len(cells)} cells below {len(columns)} columns", CUT)
        row = {column: cell for column, cell in zip(columns, cells, strict=True) if cell}
        group, group_id, person = row.pop(GROUP, ""), row.pop(GROUP_ID, ""), self._person(row)
        if group_id and not group:
            self._stop("this row has a group's id and no group", "fill the column 'group'", GROUP)
        if not group and person is None:
            self._stop("this row names neither a group nor a person", "delete it")
        if person is not None:
            self._take(person, alone=not group)
        if group:
            self._join(group, group_id, person)

    def _person(self, row: Mapping[str, str]) -> dict[str, Any] | None:
        """The person of a row; None where it only says that there is a group."""
        if row and USER_NAME not in row:
            self._stop("this row tells of a person and not who", "fill the column 'user_name'", USER_NAME)
        person: dict[str, Any] = {name: row[name] for name in FACTS if name in row}
        attributes = {name: cell for name, cell in row.items() if name not in FACTS}
        if attributes:
            person["attributes"] = attributes
        if (active := row.get("active")) is not None:
            if active.lower() not in _TRUTH:
                self._stop(f"active can't be {quote(active)}", "write true, false or nothing", "active")
            person["active"] = _TRUTH[active.lower()]
        return person or None

    def _take(self, person: dict[str, Any], *, alone: bool) -> None:
        """Keep the first row of each person. A row without a group is for somebody in none."""
        name = fold(person[USER_NAME])
        if alone and "people" not in self.comments:
            message = "this row has no group, and nothing says that everybody is listed"
            self._stop(message, "add `# people: all` above the table if so, or delete the row", GROUP)
        if name not in self._alone:
            self.lines["people", len(self.people)] = self.line
            self.people.append(person)
        elif alone or self._alone[name]:
            message = f"{quote(person[USER_NAME])} stands in a row without a group, and in another"
            self._stop(message, "delete one of the two", GROUP)
        self._alone[name] = alone

    def _join(self, group: str, group_id: str, person: dict[str, Any] | None) -> None:
        key = (fold(group), group_id)
        if key not in self._numbers:
            self._numbers[key] = len(self.groups)
            self.lines["groups", len(self.groups)] = self.line
            self.groups.append({"name": group, "members": [], **({"id": group_id} if group_id else {})})
        elif person is None or not self.groups[self._numbers[key]]["members"]:
            message = f"a row without a person says that nobody is in {quote(group)}, and there is another"
            self._stop(message, "delete one of the two", GROUP)
        if person is not None:
            members = self.groups[self._numbers[key]]["members"]
            self.lines["groups", self._numbers[key], "members", len(members)] = self.line
            members.append(person)


def _places(value: Mapping[str, Any], lines: Mapping[Steps, int], name: str) -> Mapping[Steps, Location]:
    """The line that each value of the document came from, with its column in place of a path."""
    found = {steps: Location(name, line, 1) for steps, line in lines.items()}
    for steps, line in lines.items():
        if len(steps) == 1 or steps[0] not in value:
            continue
        inner: Any = value
        for step in steps:
            inner = inner[step]
        columns = {"name": GROUP, "id": GROUP_ID} if "members" in inner else {}
        found |= {(*steps, key): Location(name, line, 1, columns.get(key, key)) for key in inner}
        for key in inner.get("attributes", ()):
            found[*steps, "attributes", key] = Location(name, line, 1, key)
    return found
