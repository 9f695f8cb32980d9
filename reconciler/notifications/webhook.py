"""A summary as signed JSON, as Standard Webhooks has it: body, name of the message, headers. Pure."""

import base64
import hashlib
import hmac
import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from reconciler.change import scope_data, words
from reconciler.exact import canonical
from reconciler.notifications.summary import Failure, Person, Share, Summary
from reconciler.settings.token import Token

Document = dict[str, object]

FORMAT = "reconciler.notification/1"

PEOPLE = 50
"""So many people are told, of all organizations together: receivers expect some 20 kB at the most."""
PROBLEMS = 10
LONGEST_TEXT = 300


def body(summary: Summary, now: datetime) -> bytes:
    """Format `reconciler.notification/1`, as docs/notifications.md describes it. `now` is aware."""
    document = {
        "type": f"reconciler.{summary.command}",
        "timestamp": now.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        "data": {
            "format": FORMAT,
            **_said(summary),
            "who": _text(summary.origin.who),
            "pipeline": _text(summary.origin.pipeline),
        },
    }
    return json.dumps(document, separators=(",", ":")).encode("ascii")


def name(summary: Summary, now: datetime) -> str:
    """The message's `webhook-id`: one for all that say the same on the same day, UTC, whoever sent them."""
    day = now.astimezone(UTC).date().isoformat()
    said = canonical([day, _said(summary)])
    return f"msg_{hashlib.sha256(said.encode('ascii')).hexdigest()[:32]}"


def headers(name: str, body: bytes, keys: Iterable[Token], now: datetime) -> Mapping[str, str]:
    """What shows the receiver that a body is from here and when it was signed: one signature by each key."""
    seconds = int(now.timestamp())
    signed = f"{name}.{seconds}.".encode("ascii") + body
    return {
        "webhook-id": name,
        "webhook-timestamp": str(seconds),
        "webhook-signature": " ".join(_signature(base64.b64decode(key.reveal()), signed) for key in keys),
    }


def _signature(key: bytes, signed: bytes) -> str:
    return f"v1,{base64.b64encode(hmac.digest(key, signed, 'sha256')).decode('ascii')}"


def _said(summary: Summary) -> Document:
    """All that a message says of a run, without who ran it when and where."""
    each = max(1, PEOPLE // max(1, sum(bool(share.people) for share in summary.shares)))
    return {
        "command": summary.command,
        "exit_code": int(summary.exit_code),
        "commit": _text(summary.origin.commit),
        "organizations": [_share(share, each) for share in summary.shares],
        "failures": [_failure(one) for one in summary.failures],
    }


def _share(share: Share, people: int) -> Document:
    counts = share.counts
    return {
        "organization": share.organization,
        "ending": share.ending.value,
        "server": share.server or None,
        "mode": share.mode or None,
        "run": share.run or None,
        "fingerprint": share.fingerprint or None,
        "counts": {
            "gain": counts.gain,
            "move": counts.move,
            "lose": counts.lose,
            "lose_everything": counts.lose_everything,
            "new_admins": counts.new_admins,
            "former_admins": counts.former_admins,
            "accounts": dict(counts.accounts),
        },
        "results": dict(share.results),
        "people": [_person(one) for one in share.people[:people]],
        "people_left_off": len(share.people[people:]),
        "refusals": [
            {"guardrail": one.guardrail, "message": _text(one.message), "remedy": _text(one.remedy)}
            for one in share.refusals
        ],
        "failures": [_failure(one) for one in share.failures],
        "problems": [_text(one) for one in share.problems[:PROBLEMS]],
        "findings": dict(share.findings),
    }


def _person(person: Person) -> Document:
    return {
        "user": _text(person.user),
        "verb": person.verb,
        "scopes": [
            {"scope": scope_data(one.scope), "before": words(one.before), "after": words(one.after)}
            for one in person.scopes
        ],
        "result": person.result,
        "detail": _text(person.detail),
    }


def _failure(failure: Failure) -> Document:
    return {
        "message": _text(failure.message),
        "hint": _text(failure.hint),
        "exit_code": int(failure.exit_code),
    }


def _text(text: str | None) -> str | None:
    """Text from outside, as it is, but no longer than a message can bear; null for none."""
    if not text:
        return None
    return text if len(text) <= LONGEST_TEXT else f"{text[: LONGEST_TEXT - 1]}…"
