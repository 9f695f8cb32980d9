"""A token that several threads use: asked for once, renewed in time, and never forgotten too soon."""

import threading
from collections.abc import Callable
from itertools import count

import pytest
from scim.fake_server import Time

from reconciler.errors import ReadError
from reconciler.http.renewed import FORMER, Granted, Renewed
from reconciler.settings.token import Token

SECONDS = 10.0


def numbered(lasts: float = 100.0, clock: Callable[[], float] = lambda: 0.0) -> Renewed:
    """Gives token-1, token-2 and so on."""
    numbers = count(1)
    return Renewed(lambda: Granted(Token(f"token-{next(numbers)}"), clock() + lasts), clock)


def test_a_token_is_used_until_its_end() -> None:
    clock = Time()
    renewed = numbered(100.0, clock.clock)

    def given_at(moment: float) -> str:
        clock.passed = moment
        return renewed.token().reveal()

    moments = (0.0, 99.9, 100.0, 199.9, 200.0)
    assert list(map(given_at, moments)) == ["token-1", "token-1", "token-2", "token-2", "token-3"]


def test_threads_that_want_one_at_the_same_time_get_the_same() -> None:
    renewed, together = numbered(), threading.Barrier(8, timeout=SECONDS)
    given = list[str]()

    def want() -> None:
        together.wait()
        given.append(renewed.token().reveal())

    threads = [threading.Thread(target=want) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert given == ["token-1"] * 8


def test_who_drops_a_token_that_was_replaced_does_not_drop_the_new_one() -> None:
    renewed = numbered()
    refused = renewed.token()
    renewed.drop(refused)
    assert renewed.token().reveal() == "token-2"
    renewed.drop(refused)
    assert renewed.token().reveal() == "token-2"


def test_what_was_refused_once_is_asked_for_again_by_who_comes_later() -> None:
    refusals = [ReadError("no")]

    def grant() -> Granted:
        if refusals:
            raise refusals.pop()
        return Granted(Token("token"), 1.0)

    renewed = Renewed(grant, lambda: 0.0)
    with pytest.raises(ReadError, match="no"):
        renewed.token()
    assert renewed.token().reveal() == "token"


def test_former_tokens_are_known_for_a_while() -> None:
    renewed = numbered()
    for _ in range(FORMER + 3):
        renewed.drop(renewed.token())
    assert [token.reveal() for token in renewed.known()] == [f"token-{n}" for n in range(3, FORMER + 4)]
