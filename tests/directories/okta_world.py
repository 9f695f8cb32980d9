"""Our directory in front of the stand-in for Okta, in memory, and a small company for it."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx
from directories import asking
from scim.fake_server import Time
from standins.okta import CLIENT, NOW, SSWS, Event, Group, Okta, Person

from reconciler.directories.okta.client import OktaClient, installed_signer
from reconciler.directories.okta.directory import LOG_SCOPE, SCOPES, OktaDirectory
from reconciler.http.reach import Reach
from reconciler.policy.document import DirectoryKind, Organization, PersonClass
from reconciler.settings.okta import AppKey, OktaConnection
from reconciler.settings.token import Token

URL = "https://acme.okta.test"


def company(**changes: Any) -> Okta:
    """Six people, two groups and one that nobody is in, on pages of two."""
    values: dict[str, Any] = {
        "people": [
            Person("ada", profile={"displayName": "Ada L."}),
            Person("bob"),
            Person("cleo", "SUSPENDED"),
            Person("dan", "DEPROVISIONED"),
            Person("eve"),
            Person("finn", "STAGED"),
        ],
        "groups": [Group("platform", ["ada", "bob", "cleo"]), Group("eng-web", ["eve"]), Group("empty")],
        "page": 2,
    }
    return Okta(**{**values, **changes})


def with_event(okta: Okta) -> Okta:
    """The same with a log in which Eve could not be provisioned and Ada could."""
    push = "application.provision.user.push"
    okta.events = [
        Event(push, okta.person("eve"), NOW - timedelta(hours=2)),
        Event(push, okta.person("ada"), NOW - timedelta(hours=1), "SUCCESS"),
    ]
    return okta


def organization(classes: dict[str, PersonClass] | None = None, **settings: Any) -> Organization:
    return asking.organization(DirectoryKind.OKTA, classes, **settings)


def directory(
    okta: Okta,
    of: Organization | None = None,
    *,
    key: str | None = None,
    time: Time | None = None,
    connection: Callable[..., OktaConnection] = OktaConnection,
    answer: Callable[[httpx.Request], httpx.Response] | None = None,
    **patience: Any,
) -> OktaDirectory:
    """It, with the API token, or with an app's key; `answer` may stand before the stand-in."""
    credential = Token(SSWS) if key is None else AppKey(CLIENT, Token(key), "OKTA_CLIENT_PRIVATEKEY")
    reach = Reach(httpx.MockTransport(answer or okta.answer), (time or Time()).patience(**patience))
    of = of or organization()
    scopes = (*SCOPES, LOG_SCOPE) if of.directory.log else SCOPES
    return OktaDirectory(OktaClient(connection(URL, credential), scopes, installed_signer, reach), of)
