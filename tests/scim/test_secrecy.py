"""The token is in no message, no representation and no exception, however far one follows the chain."""

import traceback
from collections.abc import Callable, Iterator

import httpx
import pytest
from scim.fake_server import BASE, JSON, SECRET, FakeServer, Fault, error_body, group, reset, user
from scim.worlds import organization, person, role_names, set_roles, some

from reconciler.errors import ReconcilerError
from reconciler.model import ORGANIZATION, Role
from reconciler.scim.provider import ScimProvider
from reconciler.scim.transport import Transport

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
def test_the_token_stays_out_of_every_failure(fault: Fault, doing: Callable[[ScimProvider], None]) -> None:
    server = FakeServer([user("ada", "org-viewer")], [group("web", "ada")])
    provider = ScimProvider(server.writing_client(), role_names(), organization())
    if doing is writing:
        provider.read()
    server.faults = [fault] * 20

    with pytest.raises(ReconcilerError) as caught:
        doing(provider)

    shown = [text for error in chain(caught.value) for text in (str(error), repr(error), repr(error.args))]
    shown += [caught.value.message, caught.value.hint, *traceback.format_exception(caught.value)]
    assert [text for text in shown if SECRET in text] == []


def test_the_token_goes_to_the_origin_of_the_base_url_only() -> None:
    server = FakeServer([user("ada")], faults=[Fault(status=307, headers={"location": "https://evil.test/"})])

    with pytest.raises(ReconcilerError):
        server.client().get("/Users")

    assert {request.url.host for request in server.requests} == {"scim.test"}


def test_no_part_of_the_client_shows_the_token() -> None:
    server = FakeServer()
    client = server.writing_client()
    transport = Transport(server.connection(), server.time.clock)

    for thing in (server.connection(), client, transport):
        assert SECRET not in repr(thing)
        assert SECRET not in str(thing)
    assert client.server == BASE
