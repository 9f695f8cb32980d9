"""The kinds of fault that a SCIM server can have, as data; what they do is `hostile.server`'s."""

from dataclasses import dataclass
from enum import Enum, auto
from fnmatch import fnmatchcase

WRITES = ("POST", "PUT", "PATCH", "DELETE")


@dataclass(frozen=True)
class At:
    """Which requests are meant: all that fit, or the `nth` of them, counted from 1.

    `method` may be `write`, for every method that is one; `path` is below the base URL, with `*` for
    any text. `written`: counts only what arrives once a write of the run took effect.
    """

    method: str = ""
    path: str = "*"
    nth: int = 0
    written: bool = False

    def fits(self, method: str, path: str, written: bool) -> bool:
        meant = self.method in ("", method) or (self.method == "write" and method in WRITES)
        return meant and fnmatchcase(path, self.path) and (written or not self.written)


# What becomes of single requests. `after`: once the request took effect.


@dataclass(frozen=True)
class Status:
    """An error, in SCIM's own words."""

    at: At
    status: int
    scim_type: str = ""
    retry_after: str | None = None
    after: bool = False


@dataclass(frozen=True)
class Reset:
    """A connection that breaks; `mid_body` in the middle of an answer."""

    at: At
    after: bool = False
    mid_body: bool = False


@dataclass(frozen=True)
class Late:
    """An answer that takes its time; longer than the client waits, it never comes."""

    at: At
    seconds: float
    after: bool = True


@dataclass(frozen=True)
class Redirect:
    """An answer that sends the client to another URL; relative ones are the server's own."""

    at: At
    status: int
    location: str


class Body(Enum):
    """What an answer holds instead of what it should. All are under 200."""

    HTML = auto()
    XML = auto()
    NOTHING = auto()
    HALF = auto()
    BOMB = auto()
    """A few kilobytes that unpack to more than anybody should read."""
    ERROR = auto()
    JSON_LIST = auto()
    EMPTY_OBJECT = auto()
    DEEP = auto()
    """Brackets without end, which a parser that recurses can't take."""
    TEXT_TYPE = auto()
    """The true answer under `text/plain`."""
    NO_TYPE = auto()


@dataclass(frozen=True)
class Content:
    """An answer with something else in it."""

    at: At
    body: Body
    after: bool = True


Fault = Status | Reset | Late | Redirect | Content


# How the server is throughout.


class Paging(Enum):
    """Pages by index that go wrong."""

    REPEATS = auto()
    """`startIndex` is ignored."""
    WHOLE = auto()
    """`startIndex` and `count` are ignored: true all the same."""
    OVERLAPS = auto()
    FROM_ZERO = auto()
    """Pages begin one later than asked, so that somebody is skipped."""
    REORDERS = auto()
    """Another order on each page."""
    SKIPS = auto()
    """The first resource of each page is left out."""
    ENDS_EARLY = auto()
    """Everything after the first page is empty."""
    TWICE = auto()
    """The last of a page is its first again."""
    ENDLESS = auto()
    EMPTY = auto()
    """Nobody at all, with the right total."""
    GONE = auto()
    """Nobody at all, and a total of nobody: a server that has just lost its database, and finds it again."""
    REFUSED = auto()
    """400 for everything after the first page."""


class Total(Enum):
    """What `totalResults` says."""

    TOO_HIGH = auto()
    TOO_LOW = auto()
    OF_PAGE = auto()
    AS_TEXT = auto()
    """True all the same."""
    MISSING = auto()
    NULL = auto()
    NEGATIVE = auto()
    FRACTION = auto()
    BOOLEAN = auto()
    WORD = auto()
    ZERO = auto()
    HUGE = auto()


class Cursors(Enum):
    """Pages by cursor only (RFC 9865), and how they go wrong."""

    WORK = auto()
    SAME = auto()
    """Each page leads to itself."""
    EXPIRE_ONCE = auto()
    EXPIRE = auto()
    LOSES_A_PAGE = auto()
    """A total, and one page less."""
    EMPTY = auto()
    """Empty pages without end."""
    ENDLESS = auto()
    NUMBERS = auto()
    """A cursor that is no text."""


@dataclass(frozen=True)
class Cap:
    """The most resources on one page, whatever is asked for; `announced` in the ServiceProviderConfig."""

    size: int
    announced: bool = False


class Filters(Enum):
    """What becomes of `filter`."""

    IGNORED = auto()
    REFUSED = auto()
    ANSWER_NOBODY = auto()


class Hidden(Enum):
    """What no answer ever shows."""

    MEMBERS = auto()
    GROUPS = auto()
    """`User.groups`."""
    VERSIONS = auto()
    """No `meta.version` and no ETag."""
    LISTED_VERSIONS = auto()
    """No `meta.version`, but the ETag of a single resource."""
    ABILITIES = auto()
    """No ServiceProviderConfig."""
    SCHEMAS = auto()


class Shape(Enum):
    """How resources are written."""

    ACTIVE_AS_TEXT = auto()
    ACTIVE_AS_WORD = auto()
    """`"active": "no"`, which is nothing that SCIM knows."""
    ROLES_AS_JSON = auto()
    """Each value a JSON object in a text, as Entra writes it."""
    ROLES_AS_JSON_LIST = auto()
    """One value: a JSON list in a text."""
    ROLES_AS_COMMA_LIST = auto()
    """One value: all roles with commas between."""
    ROLES_AS_LIST = auto()
    """One value: a list."""
    ROLES_AS_OBJECTS = auto()
    """Each value an object."""
    ROLES_WITH_SPACES = auto()
    ROLES_AS_TEXTS = auto()
    """Texts instead of objects: understood."""
    ROLES_AS_ONE_TEXT = auto()
    """`"roles": "org-viewer,org-admin"`."""
    ROLES_TWICE = auto()
    MEMBERS_TWICE = auto()
    MEMBERS_TWICE_DIFFERENTLY = auto()
    """The same member with another `display`."""
    MEMBERS_CUT = auto()
    """No more than one member of each group."""
    MEMBERS_AS_TEXTS = auto()
    MEMBERS_BY_REFERENCE = auto()
    """`$ref` and no `value`."""
    OTHER_CASE = auto()
    """Attribute names in capitals."""
    NO_USER_NAMES = auto()
    NUMBERS_AS_IDS = auto()
    SAME_NAMES = auto()
    """Names that differ in letter case only."""


class Patching(Enum):
    """What becomes of a PATCH."""

    IGNORED = auto()
    """200, the resource as it is, and nothing done."""
    IGNORED_SILENTLY = auto()
    """204 and nothing done."""
    FORGETS_REMOVALS = auto()
    """200; what is to be removed stays."""
    ONLY_FIRST = auto()
    """500 after the first of its operations took effect: not atomic."""
    WITHOUT_FILTERS = auto()
    """400 invalidPath for a path with a filter in it."""
    WITHOUT_FILTERS_UNSAID = auto()
    """The same as invalidFilter, and PATCH announced as supported."""
    UNKNOWN = auto()
    """501, and said so in the ServiceProviderConfig."""
    UNKNOWN_UNSAID = auto()
    NOT_ALLOWED = auto()
    """405."""
    REMOVES_ALL = auto()
    """What is to be removed by a filter takes everything with it."""
    ADDS_ALONE = auto()
    """What is added is all that is left."""
    ANSWERS_200 = auto()
    """With the resource in it."""
    ANSWERS_200_EMPTY = auto()
    ANSWERS_202 = auto()


class Etags(Enum):
    """How `If-Match` is answered."""

    NEVER_MATCH = auto()
    """412 for the very version that was given: weak ones compared strongly."""
    ALWAYS_NEW = auto()
    """Each answer has another version, and none of them matches."""
    NO_ASCII = auto()
    """Versions that no header can carry."""


class Accounts(Enum):
    """What becomes of accounts."""

    FORGETS_ACTIVE = auto()
    """200, and `active` is as it was."""
    DELETES_BY_DEACTIVATING = auto()
    """204, and the account is still there."""


class Deed(Enum):
    """What a competing writer does."""

    RAISE = auto()
    """Gives the person `org-contributor`."""
    CLEAR = auto()
    """Takes every role from the person."""
    DECORATE = auto()
    """Gives the person a value that is no role of the policy."""
    TOUCH = auto()
    """Changes the version and nothing else."""
    DELETE = auto()
    DEACTIVATE = auto()


@dataclass(frozen=True)
class Rival:
    """Somebody else writes to a person just before a request is served."""

    at: At
    deed: Deed
    person: str


Trait = Paging | Total | Cursors | Cap | Filters | Hidden | Shape | Patching | Etags | Accounts
Knob = Fault | Trait | Rival
