"""Answers that are not what was asked for: errors, and successes with something else in them."""

import gzip
from collections.abc import Mapping
from typing import assert_never

import httpx
from hostile.faults import Body
from scim.fake_server import JSON, error_body

from reconciler.http.transport import LARGEST_BODY

HTML = b"<!DOCTYPE html><html><title>Sign in</title></html>"
XML = b'<?xml version="1.0"?><users><user/></users>'


def refused(status: int, scim_type: str = "", headers: Mapping[str, str] = {}) -> httpx.Response:
    """An error in SCIM's own words."""
    return httpx.Response(status, content=error_body(status, scim_type, "no"), headers=JSON | dict(headers))


def content(body: Body, true: httpx.Response) -> httpx.Response:
    """An answer under 200 instead of the true one."""
    match body:
        case Body.HTML:
            return _answer(HTML, "text/html")
        case Body.XML:
            return _answer(XML, "application/xml")
        case Body.NOTHING:
            return _answer(b"", "")
        case Body.HALF:
            return _answer(true.content[: len(true.content) // 2] or b"{", JSON["content-type"])
        case Body.BOMB:
            bomb = gzip.compress(bytes(LARGEST_BODY + 1), 1)
            return httpx.Response(200, content=bomb, headers=JSON | {"content-encoding": "gzip"})
        case Body.ERROR:
            return _answer(error_body(500, "", "away").encode(), JSON["content-type"])
        case Body.JSON_LIST:
            return _answer(b"[" + (true.content or b"{}") + b"]", JSON["content-type"])
        case Body.EMPTY_OBJECT:
            return _answer(b"{}", JSON["content-type"])
        case Body.DEEP:
            return _answer(b"[" * 100_000, JSON["content-type"])
        case Body.TEXT_TYPE | Body.NO_TYPE:
            kind = "text/plain" if body is Body.TEXT_TYPE else ""
            return httpx.Response(true.status_code, content=true.content, headers=_typed(kind))
        case _ as never:
            assert_never(never)


def _answer(content: bytes, kind: str) -> httpx.Response:
    return httpx.Response(200, content=content, headers=_typed(kind))


def _typed(kind: str) -> Mapping[str, str]:
    return {"content-type": kind} if kind else {}
