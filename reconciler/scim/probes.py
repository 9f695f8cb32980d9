"""What a SCIM server can do, seen by asking it: every question is a GET, and a refusal is an answer."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TypeVar
from uuid import uuid4

from reconciler.checkup import ANY_REMEDY, Ability, Check, Verdict, failed, not_seen
from reconciler.errors import ReadError
from reconciler.http import filters
from reconciler.http.words import quoted, status_words
from reconciler.phrases import counted
from reconciler.policy.document import MembersFrom
from reconciler.scim import discovery, listing, memberships, users, wire
from reconciler.scim.client import Answer, AnswerError, Client
from reconciler.scim.discovery import Abilities, Announced
from reconciler.scim.listing import Query
from reconciler.scim.reading import Reading
from reconciler.scim.wire import JsonObject, Page

T = TypeVar("T")

REFUSED = (401, 403)

PLAIN = frozenset({"id", "username", "schemas", "meta"})
"""What may come with a user, in lower case, of whom only the userName was asked for."""

COPES = "a run finds out and works without; tell whoever runs the server"

LISTINGS = "a listing that could be cut short by this is refused; tell whoever runs the server"

NOT_SEEN = "not looked at"

NOT_TRIED = "not tried: it would write"


@dataclass(frozen=True, slots=True)
class Greeting:
    """What the first two questions came to: what the server says of itself, and a page of its users."""

    said: Answer | ReadError
    users: Page[JsonObject] | ReadError

    @property
    def announced(self) -> Announced:
        return discovery.announced(self.said.document) if isinstance(self.said, Answer) else Announced()

    @property
    def abilities(self) -> Abilities:
        return discovery.read(self.said.document) if isinstance(self.said, Answer) else Abilities()

    @property
    def readable(self) -> bool:
        """Whether there is any sense in asking on."""
        return isinstance(self.users, Page)


def greet(client: Client) -> Greeting:
    """Ask the first two questions."""
    said = _attempt(lambda: client.get(discovery.PATH))
    if isinstance(said, ReadError) and not isinstance(said, AnswerError):
        return Greeting(said, said)
    abilities = discovery.read(said.document) if isinstance(said, Answer) else Abilities()
    users = _attempt(lambda: listing.first(client, Query("/Users"), replace(abilities, page=1)))
    return Greeting(said, users)


def connection(greeting: Greeting) -> Check:
    """Whether a SCIM server answers. That it refuses the token is an answer."""
    said, users = greeting.said, greeting.users
    if isinstance(said, Answer):
        return Check("connection", Verdict.OK, "a SCIM server answers")
    if isinstance(users, Page) or _refuses(users):
        why = f"{status_words(said.status)}" if isinstance(said, AnswerError) else "no answer"
        return Check("connection", Verdict.OK, f"a server answers; it says nothing of its abilities ({why})")
    return failed("connection", users)


def token(greeting: Greeting) -> Check:
    """Whether the server takes the token, shown by a page of users: some tell of themselves to anybody."""
    if isinstance(greeting.users, Page):
        return Check("token", Verdict.OK, "the server takes it")
    return failed("token", greeting.users) if _refuses(greeting.users) else not_seen("token")


def token_user(ask: Callable[[], str | None], reading: Reading) -> Check:
    """Whose token it is; `ask` tells the id of the user (`ProviderReader.token_user`)."""
    try:
        id_ = ask()
    except ReadError as error:
        return failed("token user", error)
    if id_ is None:
        return Check("token user", Verdict.UNKNOWN, "the server does not tell whose token it is (GET /Me)")
    people = _attempt(lambda: reading.people)
    if isinstance(people, ReadError):
        return Check("token user", Verdict.UNKNOWN, f"it is that of the user with the id {quoted(id_)}")
    if id_ not in people:
        remedy = (
            "the guardrail own_user has nothing to measure: is it the token of a user of this organization?"
        )
        return Check(
            "token user", Verdict.FINDING, f"it is of the user {quoted(id_)}, who is not listed", remedy
        )
    return Check("token user", Verdict.OK, f"it is that of {quoted(people[id_].principal.user_name)}")


def abilities(client: Client, greeting: Greeting, reading: Reading, *, members: bool) -> Iterator[Ability]:
    """Each ability in turn; `members` tells whether it matters who is in which group there."""
    probe = _Probe(client, greeting, reading)
    yield probe.users()
    yield probe.groups()
    if members:
        yield probe.members()
    yield probe.count()
    yield probe.index()
    yield probe.cursor()
    yield probe.filter()
    yield probe.projection()
    yield probe.versions()
    yield Ability("PATCH", _said(greeting.announced.patch), NOT_TRIED)
    yield from probe.bulk()


def unseen(greeting: Greeting) -> Iterator[Ability]:
    """What is announced, where nothing could be looked at; and why, if no check says it."""
    users, announced = greeting.users, greeting.announced
    if isinstance(greeting.said, Answer) and isinstance(users, ReadError) and not _refuses(users):
        yield Ability("users", None, users.message, Verdict.FAILED, users.hint or ANY_REMEDY)
    said = {
        "startIndex": announced.by_index,
        "cursor": announced.by_cursor,
        "filter": announced.filter,
        "ETag": announced.etag,
        "PATCH": announced.patch,
    }
    for name, value in said.items():
        if value is not None:
            yield Ability(name, _said(value), NOT_SEEN, Verdict.UNKNOWN)


@dataclass(frozen=True, slots=True)
class _Probe:
    """Asks, with the first user that the server told of as the example."""

    client: Client
    greeting: Greeting
    reading: Reading

    @property
    def said(self) -> Announced:
        return self.greeting.announced

    @property
    def sample(self) -> JsonObject | None:
        users = self.greeting.users
        return users.resources[0] if isinstance(users, Page) and users.resources else None

    def users(self) -> Ability:
        return _listed("users", "user", lambda: self.reading.people)

    def groups(self) -> Ability:
        return _listed("groups", "group", lambda: self.reading.groups)

    def members(self) -> Ability:
        """The first way that shows who is in a group."""
        ids = _attempt(lambda: list(self.reading.groups))
        if isinstance(ids, ReadError) or not ids:
            return Ability("members", None, NOT_SEEN, Verdict.UNKNOWN)
        failure: ReadError | None = None
        for way in (way for way in MembersFrom if way is not MembersFrom.AUTO):
            found = _attempt(lambda way=way: memberships.read(self.reading, ids[:1], way))  # type: ignore[misc]
            if not isinstance(found, ReadError):
                return Ability("members", None, f"by {way}")
            failure = found
        assert failure is not None
        return Ability("members", None, "no way shows anybody", Verdict.FAILED, failure.hint)

    def count(self) -> Ability:
        """Whether no more come than were asked for."""
        said = f"{self.said.page} at most" if self.said.page else None
        page = self._ask(self._start, ("count", "1"))
        if isinstance(page, ReadError):
            return Ability("count", said, _refusal(page), Verdict.FINDING, LISTINGS)
        if len(page.resources) > 1:
            seen = f"ignored: one was asked for, {len(page.resources)} came"
            return Ability("count", said, seen, Verdict.FINDING, LISTINGS)
        if not page.resources:
            return Ability("count", said, "no user to ask for", Verdict.UNKNOWN)
        return Ability("count", said, "works")

    def index(self) -> Ability:
        """Whether `startIndex` is heeded: the second user is not the first again."""
        said, promised = _said(self.said.by_index), self.said.by_index is True
        one = self._ask(("startIndex", "1"), ("count", "1"))
        two = self._ask(("startIndex", "2"), ("count", "1"))
        for page in (one, two):
            if isinstance(page, ReadError):
                return Ability("startIndex", said, _refusal(page), _if(promised), COPES if promised else "")
        assert isinstance(one, Page)
        assert isinstance(two, Page)
        if not two.resources or one.total == 1:
            return Ability("startIndex", said, "too few users to tell", Verdict.UNKNOWN)
        if _ids(one)[:1] == _ids(two)[:1]:
            seen = "ignored: the second user is the first again"
            return Ability("startIndex", said, seen, Verdict.FINDING, LISTINGS)
        return Ability("startIndex", said, "works")

    def cursor(self) -> Ability:
        """Whether a first page leads to another one (RFC 9865)."""
        said, promised = _said(self.said.by_cursor), self.said.by_cursor is True
        one = self._ask(("cursor", ""), ("count", "1"))
        if isinstance(one, ReadError):
            return Ability("cursor", said, _refusal(one), _if(promised), COPES if promised else "")
        if one.next_cursor is None:
            few = len(one.resources) < 2 and one.total in (None, 0, 1)
            seen = "too few users to tell" if few and promised else "no cursor comes back"
            verdict = Verdict.UNKNOWN if few and promised else _if(promised)
            return Ability("cursor", said, seen, verdict, COPES if verdict is Verdict.FINDING else "")
        two = self._ask(("cursor", one.next_cursor), ("count", "1"))
        if isinstance(two, ReadError) or set(_ids(two)) <= set(_ids(one)):
            seen = _refusal(two) if isinstance(two, ReadError) else "leads nowhere new"
            remedy = "listings by cursor will be refused; tell whoever runs the server"
            return Ability("cursor", said, seen, Verdict.FINDING, remedy)
        return Ability("cursor", said, "works")

    def filter(self) -> Ability:
        """Whether a filter answers what was asked: one user by their name, and nobody by none's."""
        said, promised = _said(self.said.filter), self.said.filter is True
        name = wire.attribute(self.sample or {}, "userName")
        if not isinstance(name, str):
            return Ability("filter", said, "no user to ask for", Verdict.UNKNOWN)
        nobody = self._filtered(f"no-such-user-{uuid4()}")
        one = self._filtered(name)
        for page in (nobody, one):
            if isinstance(page, ReadError):
                return Ability("filter", said, _refusal(page), _if(promised), COPES if promised else "")
        assert isinstance(nobody, Page)
        assert isinstance(one, Page)
        if nobody.resources:
            seen = "ignored: somebody who does not exist is answered"
        elif _ids(one) != [wire.attribute(self.sample or {}, "id")]:
            seen = f"wrong: a user asked for by userName is answered as {counted(len(one.resources), 'user')}"
        else:
            return Ability("filter", said, "works")
        remedy = "don't set directory.members_from: filter; tell whoever runs the server"
        return Ability("filter", said, seen, Verdict.FINDING, remedy)

    def projection(self) -> Ability:
        """Whether only the attributes come that were asked for. No server announces that."""
        page = self._ask(self._start, ("count", "1"), ("attributes", "userName"))
        if isinstance(page, ReadError):
            return Ability("projection", None, _refusal(page))
        came = {name.casefold() for resource in page.resources for name in resource} - PLAIN
        more = {name.casefold() for name in self.sample or {}} - PLAIN
        if not more:
            return Ability("projection", None, "too little in a user to tell", Verdict.UNKNOWN)
        return Ability("projection", None, "ignored: whole users come" if came else "works")

    def versions(self) -> Ability:
        """Whether a user has a version, which keeps two writers from undoing each other."""
        said, id_ = _said(self.said.etag), wire.attribute(self.sample or {}, "id")
        if not isinstance(id_, str):
            return Ability("ETag", said, "no user to look at", Verdict.UNKNOWN)
        found = _attempt(lambda: users.look(self.client, id_))
        if isinstance(found, ReadError) or found is None:
            seen = _refusal(found) if found else "a user who is listed is not found by id"
            return Ability("ETag", said, seen, Verdict.FINDING, "GET /Users/ID is how a run reads back")
        if found.person.version is None:
            promised = self.said.etag is True
            remedy = "a run reads back what it wrote; but don't let two run at once" if promised else ""
            return Ability("ETag", said, "a user has no version", _if(promised), remedy)
        return Ability("ETag", said, "a user has a version")

    def bulk(self) -> Iterator[Ability]:
        """How many people may be written in one request, where the server or somebody here speaks of that."""
        limits = self.said.bulk
        if limits is not None:
            yield Ability("Bulk", f"{limits.operations} at most", NOT_TRIED)
        elif self.client.bulk:
            remedy = "each person is written alone here: unset CIRCLECI_SCIM_BULK"
            yield Ability("Bulk", None, NOT_TRIED, Verdict.FINDING, remedy)

    @property
    def _start(self) -> tuple[str, str]:
        return ("cursor", "") if self.greeting.abilities.cursor_first else ("startIndex", "1")

    def _filtered(self, name: str) -> Page[JsonObject] | ReadError:
        return self._ask(self._start, ("count", "2"), ("filter", f"userName eq {filters.scim(name)}"))

    def _ask(self, *params: tuple[str, str]) -> Page[JsonObject] | ReadError:
        page = _attempt(lambda: wire.page(self.client.get("/Users", params).document))
        if (
            isinstance(page, AnswerError)
            and page.status == 404
            and any(name == "filter" for name, _ in params)
        ):
            return Page((), 0, None)
        return page


def _listed(name: str, noun: str, read: Callable[[], object]) -> Ability:
    """Whether a listing can be proved to be whole."""
    found = _attempt(read)
    if isinstance(found, ReadError):
        return Ability(name, None, found.message, Verdict.FAILED, found.hint or ANY_REMEDY)
    return Ability(name, None, f"{counted(len(found), noun)}, whole")  # type: ignore[arg-type]


def _attempt(work: Callable[[], T]) -> T | ReadError:
    try:
        return work()
    except ReadError as error:
        return error


def _refuses(result: Page[JsonObject] | ReadError) -> bool:
    return isinstance(result, AnswerError) and result.status in REFUSED


def _refusal(error: ReadError | Page[JsonObject]) -> str:
    if isinstance(error, AnswerError):
        return f"refused: {error.reason}"
    return error.message if isinstance(error, ReadError) else ""


def _ids(page: Page[JsonObject]) -> list[object]:
    return [wire.attribute(resource, "id") for resource in page.resources]


def _said(value: bool | None) -> str | None:
    return None if value is None else "yes" if value else "no"


def _if(promised: bool) -> Verdict:
    """What it means that something was not seen to work."""
    return Verdict.FINDING if promised else Verdict.OK
