"""What a request shows Okta to be let in: an API token, or an access token that an app's key has earned."""

from typing import Protocol
from urllib.parse import urlencode

from reconciler.errors import ReadError
from reconciler.http import answers
from reconciler.http.client_credentials import ASSERTION, BEARER, Signs, lasts
from reconciler.http.renewed import Granted, Renewed
from reconciler.http.sender import Sender
from reconciler.http.transport import Broken, Reply, Request
from reconciler.http.words import printable, quoted, status_words
from reconciler.settings.okta import KEY, AppKey
from reconciler.settings.token import Token

TOKEN_PATH = "/oauth2/v1/token"
TRIES = 3
"""How often a token is asked for, each time with a new assertion, since each is good once."""

NO_PROOF = (
    "at the app, switch off 'Require Demonstrating Proof of Possession (DPoP) header in token requests'"
)

_HINTS = {  # with what stands in front of the variables' names
    "invalid_client": "is the key registered with the app, is {0}OKTA_CLIENT_CLIENTID its client id, "
    "{0}OKTA_CLIENT_KID the key's id, and the clock right here?",
    "invalid_scope": "grant the app these scopes under Okta API Scopes, "
    "or name others in {0}OKTA_CLIENT_SCOPES",
    "use_dpop_nonce": NO_PROOF,
    "invalid_dpop_proof": NO_PROOF,
}


class Access(Protocol):
    """What goes into the header Authorization. Safe to use from several threads."""

    def authorization(self) -> str:
        """Raises ReadError where there is nothing to show."""
        ...

    def renew(self, refused: str) -> bool:
        """Drop what was shown and refused; whether there can be anything better."""
        ...

    def secrets(self) -> tuple[Token, ...]:
        """What no message may hold."""
        ...


class ApiToken:
    """A token that an administrator made, with that administrator's rights."""

    def __init__(self, token: Token) -> None:
        self._token = token

    def authorization(self) -> str:
        return f"SSWS {self._token.reveal()}"

    def renew(self, refused: str) -> bool:
        return False

    def secrets(self) -> tuple[Token, ...]:
        return (self._token,)


class AppAccess:
    """Access tokens of an app, by client credentials with private_key_jwt, renewed before they end."""

    def __init__(self, app: AppKey, signer: Signs, scopes: tuple[str, ...], sender: Sender) -> None:
        self._app = app
        self._signer = signer
        self._scopes = app.scopes or scopes
        self._sender = sender
        self._renewed = Renewed(self._granted, sender.patience.clock)
        self._assertions: tuple[Token, ...] = ()

    def authorization(self) -> str:
        return f"{BEARER}{self._renewed.token().reveal()}"

    def renew(self, refused: str) -> bool:
        self._renewed.drop(Token(refused.removeprefix(BEARER)))
        return True

    def secrets(self) -> tuple[Token, ...]:
        return (self._app.key, *self._assertions, *self._renewed.known())

    def _granted(self) -> Granted:
        what = f"could not get an access token of {self._sender.transport.server}"
        reply = self._asked()
        if isinstance(reply, Broken):
            raise ReadError(f"{what}: {self._clean(reply.words)}", reply.hint) from self._sender.cause(reply)
        document = answers.json_object(reply.body)
        if reply.status != 200 or document is None or "error" in document:
            raise self._refused(what, reply, document)
        token = document.get("access_token")
        if not isinstance(token, str) or not (
            token.isascii() and token.isprintable() and token.split() == [token]
        ):
            raise ReadError(f"{what}: the answer holds none")
        if document.get("token_type") != "Bearer":
            kind = quoted(self._clean(str(document.get("token_type"))), 40)
            raise ReadError(f"{what}: the server gave one of type {kind}, not Bearer", NO_PROOF)
        return Granted(Token(token), self._sender.patience.clock() + lasts(document))

    def _asked(self) -> Reply | Broken:
        """One answer. What failed is sent again with a new assertion, for it may have used the former up."""
        for _ in range(TRIES - 1):
            result = self._sender.insist(self._request(), again=lambda: False)
            if _lasting(result):
                return result
        return self._sender.insist(self._request(), again=lambda: False)

    def _request(self) -> Request:
        audience = self._sender.transport.url(TOKEN_PATH)
        assertion = self._signer.assertion(self._app.client_id, audience, self._sender.patience.now())
        self._assertions = (*self._assertions[-TRIES:], assertion)
        form = {
            "grant_type": "client_credentials",
            "scope": " ".join(self._scopes),
            "client_assertion_type": ASSERTION,
            "client_assertion": assertion.reveal(),
        }
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        return Request("POST", TOKEN_PATH, content=urlencode(form).encode(), headers=kind, repeatable=True)

    def _refused(self, what: str, reply: Reply, document: dict[str, object] | None) -> ReadError:
        """RFC 6749 section 5.2."""
        if document is None:
            return ReadError(f"{what}: {self._clean(answers.seen(reply, self._app.key))}")
        front = self._app.source.removesuffix(KEY)
        code, words = document.get("error"), document.get("error_description")
        reason = f"the server answered {status_words(reply.status)}"
        if isinstance(code, str):
            reason += f" ({printable(self._clean(code), 40)})"
        if isinstance(words, str):
            reason += f": {quoted(self._clean(words))}"
        if reply.note:
            reason += f"; {reply.note}"
        if code in ("use_dpop_nonce", "invalid_dpop_proof"):
            reason += "; the app demands a proof of possession (DPoP), which this program does not give"
        return ReadError(f"{what}: {reason}", _HINTS.get(str(code), "").format(front))

    def _clean(self, text: str) -> str:
        for secret in self.secrets():
            text = secret.hidden_in(text)
        return text


def _lasting(result: Reply | Broken) -> bool:
    """Whether asking again is pointless, or would take too long."""
    if isinstance(result, Broken):
        return result.lasting
    return bool(result.note) or not (result.status in (408, 429) or result.status >= 500)
