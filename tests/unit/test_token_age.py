"""The dates of a token: from a JWT that nobody verifies here, or from its file."""

import base64
import json
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from reconciler.checkup import TokenDates
from reconciler.settings import Token, age

ISSUED = datetime(2026, 11, 1, tzinfo=UTC)
EXPIRES = datetime(2027, 2, 1, tzinfo=UTC)


def jwt(payload: object) -> str:
    text = payload if isinstance(payload, str) else json.dumps(payload)
    parts = ('{"alg":"RS256"}', text, "signature")
    return ".".join(base64.urlsafe_b64encode(part.encode()).decode().rstrip("=") for part in parts)


def dates(token: str, **environ: str) -> TokenDates:
    return age.dates("acme-eu", environ, Token(token))


@pytest.mark.parametrize("padding", ["", "a", "aa", "aaa", "ü?>"])
def test_a_jwt_tells_when_it_was_issued_and_ends(padding: str) -> None:
    claims = {"sub": padding, "iat": ISSUED.timestamp(), "exp": int(EXPIRES.timestamp())}
    assert dates(jwt(claims)) == TokenDates(ISSUED, EXPIRES)


NOTHING = {
    "one word": "s3cret",
    "three words": "a.b.c",
    "dots": "..",
    "two words": "a.b",
    "list": jwt("[1]"),
    "half an object": jwt("{"),
    "depths": jwt("[" * 100_000),
    "no claim": jwt({}),
    "text for a number": jwt({"iat": "2026-11-01"}),
    "truth": jwt({"iat": True}),
    "no year": jwt({"iat": 1e300}),
    "no number": jwt('{"iat": NaN, "exp": Infinity}'),
    "no end": jwt('{"iat": ' + "9" * 5000 + "}"),
    "long ago": jwt({"iat": -(10**15)}),
    "null": jwt({"iat": None, "exp": [1]}),
}


@pytest.mark.parametrize("token", NOTHING.values(), ids=NOTHING)
def test_what_tells_nothing_is_unknown(token: str) -> None:
    assert dates(token) == TokenDates()


def test_a_file_tells_when_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("s3cret")
    os.utime(path, (0, ISSUED.timestamp()))
    assert dates("s3cret", CIRCLECI_SCIM_TOKEN_FILE=str(path)) == TokenDates(written=ISSUED)
    assert dates("s3cret", ACME_EU_CIRCLECI_SCIM_TOKEN_FILE=str(path)) == TokenDates(written=ISSUED)
    others = {"CIRCLECI_SCIM_TOKEN_FILE": str(path), "ACME_EU_CIRCLECI_SCIM_URL": "https://x"}
    assert dates("s3cret", **others) == TokenDates()


def test_a_pipe_and_a_file_that_is_gone_tell_nothing(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    try:
        for path in (f"/dev/fd/{reading}", str(tmp_path / "gone"), "a\0b"):
            assert dates("s3cret", CIRCLECI_SCIM_TOKEN_FILE=path) == TokenDates()
    finally:
        os.close(reading)
        os.close(writing)
