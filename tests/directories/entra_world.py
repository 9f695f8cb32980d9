"""Our directory in front of the stand-in for Graph, in memory, and a small company for it."""

from collections.abc import Callable
from typing import Any

import httpx
import trustme
from directories import asking
from scim.fake_server import Time
from standins.graph import CLIENT, CLIENT_SECRET, TENANT, Graph, event, group, person

from reconciler.directories.entra.client import GraphClient, installed_signer
from reconciler.directories.entra.directory import EntraDirectory
from reconciler.http.reach import Reach
from reconciler.policy.document import DirectoryKind, Organization, PersonClass
from reconciler.settings.entra import Certificate, EntraConnection
from reconciler.settings.token import Token

SERVER = "https://graph.microsoft.com/v1.0"


def company(**changes: Any) -> Graph:
    """Six people, two groups and one that nobody is in, on pages of two."""
    values: dict[str, Any] = {
        "people": [
            person("ada", displayName="Ada L."),
            person("bob"),
            person("cleo", accountEnabled=False),
            person("dan", accountEnabled=False),
            person("eve"),
            person("finn", mail=None, employeeType="Contractor"),
        ],
        "groups": [group("platform", "ada", "bob", "cleo"), group("eng-web", "eve"), group("empty")],
        "page": 2,
    }
    return Graph(**{**values, **changes})


def with_event(world: Graph) -> Graph:
    world.log = [event("eve", "failure", "2026-11-19T08:00:00Z", "The server is full.")]
    return world


def organization(classes: dict[str, PersonClass] | None = None, **settings: Any) -> Organization:
    return asking.organization(DirectoryKind.ENTRA, classes, **settings)


def directory(
    world: Graph,
    of: Organization | None = None,
    *,
    credential: Token | Certificate | None = None,
    time: Time | None = None,
    answer: Callable[[httpx.Request], httpx.Response] | None = None,
    **connection: Any,
) -> EntraDirectory:
    """It, with the app's secret or another credential; `answer` may stand before the stand-in."""
    reach = Reach(httpx.MockTransport(answer or world.answer), (time or Time()).patience())
    app = EntraConnection(TENANT, CLIENT, credential or Token(CLIENT_SECRET), **connection)
    return EntraDirectory(GraphClient(app, installed_signer, reach), of or organization())


def registered(graph: Graph, authority: trustme.CA | None = None) -> str:
    """A key with its certificate in PEM, as an app has them that is registered with that certificate."""
    own = (authority or trustme.CA()).issue_cert("app.acme.example", key_type=trustme.KeyType.RSA)
    graph.certificates = [own.cert_chain_pems[0].bytes().decode()]
    return own.private_key_and_cert_chain_pem.bytes().decode()
