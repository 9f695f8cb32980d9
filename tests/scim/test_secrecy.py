"""The token is in no message, no representation and no exception, however far one follows the chain."""

import json
import logging
import traceback
from collections.abc import Callable, Iterator

import httpx
import pytest
from scim.fake_server import BASE, JSON, SECRET, FakeServer, Fault, error_body, group, reset, user
from scim.worlds import organization, person, role_names, set_roles, some

from reconciler.errors import ReconcilerError
from reconciler.model import ORGANIZATION, Role
from reconciler.scim.client import Answer, connected, open_client
from reconciler.scim.provider import ScimProvider
from reconciler.settings import Connection, Token

ECHO = f"the header was 'Bearer {SECRET}', which I do not like"


def raising(request: httpx.Request) -> Exception:
    return httpx.ConnectError(f"cannot send {request.headers['authorization']}", request=request)


FAULTS = {
    "detail": Fault(status=401, headers=JSON, body=error_body(401, SECRET, ECHO)),
    "detail of a bad request": Fault(status=400, headers=JSON, body=error_body(400, SECRET, ECHO)),
    "error under 200": Fault(status=200, headers=JSON, body=error_body(500, detail=ECHO)),
    "web page": Fault(status=200, headers={"content-type": "text/html"}, body=f"<p>{ECHO}"),
    "message of a broken connection": Fault(breaks=raising),
    "reset": reset(),
    "redirect": Fault(status=307, headers={"location": f"https://evil.test/?token={SECRET}"}),
    "redirect to a host of that name": Fault(
        status=307, headers={"location": f"https://{SECRET.upper()}.evil.test/"}
    ),
    "content type": Fault(status=200, headers={"content-type": f"text/{SECRET}"}, body="x"),
    "name": Fault(status=200, headers=JSON, body=json.dumps(user("ada", nickName=ECHO))),
    "name in JSON's own spelling": Fault(
        status=200,
        headers=JSON,
        body=json.dumps(user("ada", nickName=ECHO)).replace("s3cret", "\\u00733cret"),
    ),
    "redirect within": Fault(status=307, headers={"location": f"/scim/v2/x?token={SECRET}"}),
}


def reading(provider: ScimProvider) -> None:
    provider.read()


def writing(provider: ScimProvider) -> None:
    provider.write(set_roles(person("ada"), (ORGANIZATION, some(Role.VIEWER), some(Role.ADMIN))))


def chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
@pytest.mark.parametrize("doing", [reading, writing])
def test_the_token_stays_out_of_every_failure(
    fault: Fault, doing: Callable[[ScimProvider], None], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "reconciler")
    server = FakeServer([user("ada", "org-viewer")], [group("web", "ada")])
    provider = ScimProvider(server.writing_client(), role_names(), organization())
    if doing is writing:
        provider.read()
    server.faults = [fault] * 20

    with pytest.raises(ReconcilerError) as caught:
        doing(provider)

    shown = [text for error in chain(caught.value) for text in (str(error), repr(error), repr(error.args))]
    shown += [caught.value.message, caught.value.hint, *traceback.format_exception(caught.value)]
    assert caplog.messages
    shown += caplog.messages
    assert [text for text in shown if SECRET in text.lower()] == []


def test_the_token_goes_to_the_origin_of_the_base_url_only() -> None:
    server = FakeServer([user("ada")], faults=[Fault(status=307, headers={"location": "https://evil.test/"})])

    with pytest.raises(ReconcilerError):
        server.client().get("/Users")

    assert {request.url.host for request in server.requests} == {"scim.test"}


def test_no_part_of_the_client_shows_the_token() -> None:
    server = FakeServer()
    client = server.writing_client()
    transport = connected(server.connection(), server.time.patience())

    for thing in (server.connection(), client, transport):
        assert SECRET not in repr(thing)
        assert SECRET not in str(thing)
    assert client.server == BASE


@pytest.mark.parametrize(
    "token", ["a/b+c==/d/e/f/g/h", 'quote"and\\backslash', "x" * 16], ids=["slash", "quote", "x"]
)
@pytest.mark.parametrize(
    "spell", [str, lambda text: text.replace("/", r"\/")], ids=["plain", "escaped slashes"]
)
def test_a_name_that_holds_the_token_is_found_however_json_spells_it(
    token: str, spell: Callable[[str], str]
) -> None:
    body = spell(json.dumps(user("ada", userName=f"x{token}y")))
    with pytest.raises(ReconcilerError) as caught:
        asking(token, body)
    assert caught.value.message.endswith(": the server's answer repeats the token that it was asked with")


@pytest.mark.parametrize("token", ["ada", "acme", "x" * 15])
def test_a_token_that_is_as_short_as_a_name_is_no_reason_to_believe_nothing(token: str) -> None:
    assert asking(token, json.dumps(user("ada", userName=token))).document["userName"] == token


def asking(token: str, body: str) -> Answer:
    """What a client with this token makes of such an answer."""
    transport = httpx.MockTransport(lambda _: httpx.Response(200, headers=JSON, content=body))
    with open_client(Connection(BASE, Token(token)), transport=transport) as client:
        return client.get("/Users/u-ada")
