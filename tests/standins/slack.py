"""A stand-in for Slack's incoming webhooks: takes what Slack takes, refuses the rest in Slack's words.

It knows no more than Slack's documentation of Block Kit and rate limits says, and what
`msg_blocks_too_long` was seen to mean. `readable` is what a person would see.
"""

import json
import re
from dataclasses import dataclass, field
from typing import Any

import httpx

MOST_BLOCKS = 50
LONGEST = {"header": 150, "section": 3000, "context": 3000}
LONGEST_TOGETHER = 13_000
LONGEST_TEXT = 40_000
KINDS = {"header": {"plain_text"}, "section": {"plain_text", "mrkdwn"}, "context": {"plain_text", "mrkdwn"}}
CONTROL = re.compile(r"<[^<>]*>")
"""What Slack parses in any text: mentions, channels, links."""


@dataclass
class Slack:
    """`secret` is the path of the one webhook that is there. `busy`: so many requests come too fast."""

    secret: str = "/services/T0000/B0000/s3cretOfTheChannel"
    busy: int = 0
    wait: int = 1
    """For so many seconds it asks then."""
    refuses: tuple[int, str] | None = None
    """Status and words for every request, such as those of a channel that is gone."""
    posted: list[dict[str, Any]] = field(default_factory=list)
    requests: int = 0

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.requests += 1
        if request.method != "POST" or request.url.raw_path.decode() != self.secret:
            return httpx.Response(404, text="no_service", request=request)
        if self.busy:
            self.busy -= 1
            return httpx.Response(
                429, headers={"retry-after": str(self.wait)}, text="rate_limited", request=request
            )
        status, words = self.refuses or _judged(request.content)
        if (status, words) == (200, "ok"):
            self.posted.append(json.loads(request.content))
        return httpx.Response(status, text=words, request=request)


def texts(message: dict[str, Any]) -> list[dict[str, Any]]:
    """Every text object of a message."""
    return [
        one for block in message["blocks"] for one in [*block.get("elements", ()), block.get("text")] if one
    ]


def readable(message: dict[str, Any]) -> str:
    """What a person sees: all texts as they are shown."""
    lines = [one["text"] for one in texts(message)]
    return "\n".join(_decoded(line) for line in lines)


def obeyed(message: dict[str, Any]) -> list[str]:
    """All that Slack would make a mention, a link or a channel of, wherever it stands."""
    return [found for text in (*texts(message), message) for found in CONTROL.findall(text["text"])]


def _decoded(text: str) -> str:
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def _judged(content: bytes) -> tuple[int, str]:
    """How Slack answers a message."""
    try:
        message = json.loads(content.decode("utf-8"))
    except ValueError:
        return 400, "invalid_payload"
    if not isinstance(message, dict) or not isinstance(message.get("blocks", []), list):
        return 400, "invalid_payload"
    if not message.get("text"):
        return 400, "no_text"
    blocks = message.get("blocks", [])
    if len(blocks) > MOST_BLOCKS or not all(map(_is_block, blocks)) or _long(message["text"]) > LONGEST_TEXT:
        return 400, "invalid_blocks"
    if len(json.dumps(blocks, ensure_ascii=False)) > LONGEST_TOGETHER:
        return 400, "msg_blocks_too_long"
    return 200, "ok"


def _is_block(block: Any) -> bool:
    kind = block.get("type")
    if kind not in KINDS:
        return False
    if kind == "context":
        found = block.get("elements", [])
        return 1 <= len(found) <= 10 and all(_is_text(kind, one) for one in found)
    return _is_text(kind, block.get("text"))


def _is_text(kind: str, text: Any) -> bool:
    fields = {"type", "text", "emoji"} if text.get("type") == "plain_text" else {"type", "text", "verbatim"}
    return set(text) <= fields and text["type"] in KINDS[kind] and 1 <= _long(text["text"]) <= LONGEST[kind]


def _long(text: str) -> int:
    """In units of UTF-16, the strictest way to count."""
    return len(text.encode("utf-16-le")) // 2
