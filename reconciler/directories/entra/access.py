"""What a request shows Graph to be let in: an access token that an app has signed in for.

https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow
"""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from reconciler.errors import ReadError
from reconciler.http import answers
from reconciler.http.client_credentials import ASSERTION, BEARER, Signs, lasts
from reconciler.http.patience import Patience
from reconciler.http.reach import Reach
from reconciler.http.renewed import Granted, Renewed
from reconciler.http.sender import Sender
from reconciler.http.transport import Broken, Reply, Request, Transport
from reconciler.http.words import printable, quoted, status_words
from reconciler.settings.entra import EntraConnection
from reconciler.settings.token import LONGEST, Token

TRIES = 3
"""How often a token is asked for with an assertion, each time with a new one."""

_FIT = re.compile(r"[\x21-\x7e]+")
_NUMBER = re.compile(r"AADSTS[0-9]+")
_TAIL = re.compile(r"\s*Trace ID:.*", re.DOTALL)


class AppAccess:
    """Access tokens of an app by client credentials, renewed before they end. Secrets go to the authority.

    Safe to use from several threads.
    """

    def __init__(
        self,
        connection: EntraConnection,
        signer: Signs | None,
        reach: Reach,
        patience: Patience,
    ) -> None:
        """`signer` signs where the app has a certificate; else its secret is sent."""
        self._connection = connection
        self._signer = signer
        self._path = f"/{connection.tenant}/oauth2/v2.0/token"
        headers = {"Accept": "application/json"}
        transport = Transport(
            connection.authority, connection.authorities, headers, patience.clock, reach.transport
        )
        self._sender = Sender(transport, patience, self.clean)
        self._renewed = Renewed(self._granted, patience.clock)
        self._assertion: Token | None = None

    def authorization(self) -> str:
        """What goes into the header of that name. Raises ReadError where the app can't sign in."""
        return f"{BEARER}{self._renewed.token().reveal()}"

    def renew(self, refused: str) -> None:
        """Drop what was shown and refused."""
        self._renewed.drop(Token(refused.removeprefix(BEARER)))

    def secrets(self) -> tuple[Token, ...]:
        """What no message may hold."""
        credential = self._connection.credential
        secret = credential if isinstance(credential, Token) else None
        own = tuple(one for one in (secret, self._assertion) if one is not None)
        return (*own, *self._renewed.known())

    def clean(self, text: str) -> str:
        """A text without any of these: a server may well repeat what it complains about."""
        for secret in self.secrets():
            text = secret.hidden_in(text)
        return text

    def close(self) -> None:
        self._sender.close()

    def _granted(self) -> Granted:
        connection = self._connection
        what = (
            f"could not sign in to {connection.authority} as app {connection.client} of {connection.tenant}"
        )
        reply = self._asked()
        if isinstance(reply, Broken):
            raise ReadError(f"{what}: {self.clean(reply.words)}", reply.hint) from self._sender.cause(reply)
        document = answers.json_object(reply.body)
        if document is None or (reply.status != 200 and "error" not in document):
            raise ReadError(f"{what}: {self._seen(reply)}", self._hint(""))
        if reply.status != 200 or "error" in document:
            raise self._refused(what, reply, document)
        token = document.get("access_token")
        if not (isinstance(token, str) and len(token) <= LONGEST and _FIT.fullmatch(token)):
            raise ReadError(f"{what}: the answer holds no access token", self._hint(""))
        if str(document.get("token_type")).casefold() != "bearer":
            raise ReadError(f"{what}: the access token is not of type Bearer", self._hint(""))
        return Granted(Token(token), self._sender.patience.clock() + lasts(document))

    def _seen(self, reply: Reply) -> str:
        """What an answer is that has no JSON of an authority. It may hold a token: nothing of it is shown."""
        kind = printable(self.clean(reply.headers.get("content-type", "")) or "no content type", 60)
        note = f"; {reply.note}" if reply.note else ""
        size = (
            f"{len(reply.body)} bytes that are no answer of an authority" if reply.body else "nothing in it"
        )
        return f"the server answered {status_words(reply.status)} with {size} ({kind}){note}"

    def _asked(self) -> Reply | Broken:
        """One answer. A secret can be sent again as it is; an assertion is good once."""
        patience = self._sender.patience
        for tried in range(TRIES - 1):
            result = self._sender.insist(self._request())
            lasting = result.lasting if isinstance(result, Broken) else result.status < 500
            if self._signer is None or lasting:
                return result
            patience.sleep(patience.backoff(tried))
        return self._sender.insist(self._request())

    def _request(self) -> Request:
        form = {
            "client_id": self._connection.client,
            "scope": f"{self._connection.graph}/.default",
            "grant_type": "client_credentials",
            **self._proof(),
        }
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        repeatable = self._signer is None
        return Request("POST", self._path, (), urlencode(form).encode(), kind, repeatable)

    def _proof(self) -> Mapping[str, str]:
        """Who asks: the secret, or an assertion that the certificate's key signed."""
        credential = self._connection.credential
        if isinstance(credential, Token):
            return {"client_secret": credential.reveal()}
        assert self._signer is not None
        audience = self._sender.transport.url(self._path)
        now = self._sender.patience.now()
        self._assertion = self._signer.assertion(self._connection.client, audience, now)
        return {"client_assertion_type": ASSERTION, "client_assertion": self._assertion.reveal()}

    def _refused(self, what: str, reply: Reply, document: Mapping[str, Any]) -> ReadError:
        """In the authority's own words (RFC 6749 section 5.2), without what changes from answer to answer."""
        code, described = document.get("error"), document.get("error_description")
        words = self.clean(_TAIL.sub("", described if isinstance(described, str) else ""))
        reason = f"the server answered {status_words(reply.status)}"
        if isinstance(code, str):
            reason += f" ({printable(self.clean(code), 40)})"
        if words:
            reason += f": {quoted(words)}"
        if isinstance(trace := document.get("trace_id"), str):
            reason += f"; trace id {printable(self.clean(trace), 40)}"
        if reply.note:
            reason += f"; {reply.note}"
        number = _NUMBER.match(words)
        return ReadError(f"{what}: {reason}", self._hint(number[0] if number else ""))

    def _hint(self, number: str) -> str:
        """What to look at, by the number of Microsoft's that an answer begins with."""
        front = self._connection.front
        match number:
            case "AADSTS90002" | "AADSTS900023" | "AADSTS900021":
                return f"is {front}AZURE_TENANT_ID right, and {front}AZURE_AUTHORITY_HOST that of its cloud?"
            case "AADSTS700016":
                return f"is {front}AZURE_CLIENT_ID the app's id, and is the app registered in this tenant?"
            case "AADSTS7000215":
                return (
                    f"{front}AZURE_CLIENT_SECRET must give the value of the app's secret, not the secret's id"
                )
            case "AADSTS7000222":
                return f"make a new secret for the app, and set {front}AZURE_CLIENT_SECRET to it"
            case "AADSTS700027":
                return "is the certificate registered with the app?"
            case "AADSTS700024":
                return "is the clock right here?"
            case "AADSTS500011" | "AADSTS1002012" | "AADSTS70011":
                return f"is {front}AZURE_GRAPH_ENDPOINT the Graph of this tenant's cloud?"
            case _:
                return f"are {front}AZURE_TENANT_ID, {front}AZURE_CLIENT_ID and the app's credential right?"
