"""Posting a notification, and what came of it in words that show no part of a URL but its host."""

import json
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime
from typing import assert_never
from urllib.parse import urlsplit, urlunsplit

from reconciler.http.patience import Patience
from reconciler.http.reach import Reach
from reconciler.http.sender import Sender
from reconciler.http.transport import Broken, Reply, Request, Transport
from reconciler.http.words import host, status_words
from reconciler.notifications import slack, webhook
from reconciler.notifications.summary import Summary
from reconciler.settings.webhooks import Hook, Slack, Webhook

SECONDS = 10.0
"""How long one notification may take, with all its tries."""
TRIES = 3
LARGEST_ANSWER = 1024 * 1024

_LATER = "nothing is lost but the message"
_NEW = "make another webhook in Slack, and put its URL in {name}"
_CHANNEL = "make a webhook for a channel that is there, and put its URL in {name}"
_RIGHTS = "ask an administrator of the workspace to allow it, or make a webhook for another channel"
_OURS = "Slack does not take this message as it is; please report it"
_SLACK_HINTS = {
    "invalid_payload": _OURS,
    "invalid_blocks": _OURS,
    "no_text": _OURS,
    "msg_blocks_too_long": _OURS,
    "user_not_found": _CHANNEL,
    "channel_not_found": _CHANNEL,
    "channel_is_archived": _CHANNEL,
    "action_prohibited": _RIGHTS,
    "posting_to_general_channel_denied": _RIGHTS,
    "no_service": _NEW,
    "no_service_id": _NEW,
    "no_active_hooks": _NEW,
    "no_team": _NEW,
    "invalid_token": _NEW,
    "team_disabled": "the workspace was disabled",
    "rollup_error": _LATER,
}
"""What Slack answers, in plain text, and what to do. Nothing else of an answer is repeated."""


@dataclass(frozen=True, slots=True)
class Undelivered:
    """Why a notification did not arrive, without any part of the URL but its host; and what to do."""

    reason: str
    hint: str


def post(hook: Hook, summary: Summary, authorities: str, reach: Reach, seconds: float) -> Undelivered | None:
    """Post a summary within so many seconds; None where it was taken.

    What may have been lost on the way is sent again: to be told twice is better than not to be told. Raises
    SettingsError where the environment names certificates or a proxy that can't be used.
    """
    patience = replace(reach.waiting, budget=seconds, tries=TRIES)
    request = _request(hook, summary, reach.now())
    result = _sent(hook, request, authorities, reach, patience)
    if isinstance(result, Broken):
        return Undelivered(_hidden(hook, result.words), result.hint)
    match hook:
        case Slack():
            return _by_slack(hook, result)
        case Webhook():
            return _by_receiver(hook, result)
        case _ as never:
            assert_never(never)


def address(hook: Hook) -> str:
    """The host alone, which is no secret."""
    return host(hook.url.reveal())


def _request(hook: Hook, summary: Summary, now: datetime) -> Request:
    """The path is not told here, for `--debug` shows it."""
    match hook:
        case Slack():
            body = json.dumps(slack.message(summary), ensure_ascii=False, separators=(",", ":")).encode()
            signed = {}
        case Webhook():
            body = webhook.body(summary, now)
            signed = dict(webhook.headers(webhook.name(summary, now), body, hook.keys, now))
        case _ as never:
            assert_never(never)
    headers = {"Content-Type": "application/json; charset=utf-8", **signed}
    return Request("POST", "/***", content=body, headers=headers, repeatable=True)


def _sent(hook: Hook, request: Request, authorities: str, reach: Reach, patience: Patience) -> Reply | Broken:
    url = hook.url.reveal()
    parts = urlsplit(url)
    origin = urlunsplit((parts.scheme, parts.netloc, "", "", ""))
    transport = Transport(origin, authorities, {}, patience.clock, reach.transport, LARGEST_ANSWER)
    with closing(Sender(transport, patience, lambda text: _hidden(hook, text))) as sender:
        return sender.insist(request, url)


def _hidden(hook: Hook, text: str) -> str:
    """The text without the URL and without what comes after its host."""
    parts = urlsplit(hook.url.reveal())
    for secret in (hook.url.reveal(), urlunsplit(("", "", parts.path, parts.query, "")), parts.path):
        if len(secret) > 1:
            text = text.replace(secret, "***")
    return text


def _by_slack(hook: Slack, reply: Reply) -> Undelivered | None:
    said = reply.body[:100].decode("ascii", errors="replace").strip()
    if reply.status == 200 and said == "ok":
        return None
    code = f" ({said})" if said in _SLACK_HINTS else ""
    otherwise = "" if reply.status != 200 else ", but not ok, as Slack does"
    hint = _SLACK_HINTS.get(said) or _hint(hook, reply)
    return Undelivered(f"{_answered(reply)}{code}{otherwise}", hint.format(name=hook.name))


def _by_receiver(hook: Webhook, reply: Reply) -> Undelivered | None:
    if 200 <= reply.status < 300:
        return None
    return Undelivered(_answered(reply), _hint(hook, reply))


def _answered(reply: Reply) -> str:
    note = f"; {reply.note}" if reply.note else ""
    return f"the answer was {status_words(reply.status)}{note}"


def _hint(hook: Hook, reply: Reply) -> str:
    match reply.status:
        case 301 | 302 | 303 | 307 | 308:
            return f"no redirect is followed; put the URL that it leads to in {hook.name}"
        case 410:
            return f"the receiver wants no more of these; unset {hook.name}"
        case 401 | 403 if isinstance(hook, Webhook):
            return "does the receiver have one of the secrets, and is its clock right?"
        case 429:
            return _LATER
        case status if status >= 500:
            return _LATER
        case _:
            return f"is {hook.name} the URL of a webhook?"
