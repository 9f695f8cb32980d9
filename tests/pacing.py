"""Servers that limit requests, and clients of one pace before them, in a time that passes by itself."""

import heapq
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from reconciler.http.limits import Quota
from reconciler.http.pace import Going, Pace


@dataclass(frozen=True)
class Answered:
    """What a server says to one request: whether it took it, how long to wait, what is left."""

    taken: bool
    after: float | None = None
    quota: Quota | None = None


class Limited(Protocol):
    def arrives(self, now: float) -> Answered: ...

    def leaves(self) -> None: ...


@dataclass
class Bucket:
    """Lets `rate` a second through, saves up for `burst` at once. Asks to wait `after` seconds."""

    rate: float
    burst: float
    after: float | None = 1.0
    left: float = field(init=False)
    at: float = 0.0

    def __post_init__(self) -> None:
        self.left = self.burst

    def arrives(self, now: float) -> Answered:
        self.left = min(self.burst, self.left + (now - self.at) * self.rate)
        self.at = now
        if self.left < 1 - 1e-9:
            return Answered(False, self.after)
        self.left -= 1
        return Answered(True)

    def leaves(self) -> None:
        pass


@dataclass
class Windows:
    """So many in each window of time; tells when the next one begins, and what is left where it is `open`."""

    number: int
    seconds: float
    begins: float = 0.0
    open: bool = False
    window: float = -1.0
    used: int = 0

    def arrives(self, now: float) -> Answered:
        window = (now + self.begins) // self.seconds
        if window != self.window:
            self.window, self.used = window, 0
        until = (window + 1) * self.seconds - self.begins - now
        if self.used == self.number:
            return Answered(False, float(int(until) + 1))
        self.used += 1
        return Answered(True, quota=Quota(self.number - self.used, until) if self.open else None)

    def leaves(self) -> None:
        pass


@dataclass
class Crowd:
    """At most so many at once."""

    places: int
    after: float | None = None
    inside: int = 0

    def arrives(self, now: float) -> Answered:
        if self.inside >= self.places:
            return Answered(False, self.after)
        self.inside += 1
        return Answered(True)

    def leaves(self) -> None:
        self.inside -= 1


@dataclass
class Unlimited:
    def arrives(self, now: float) -> Answered:
        return Answered(True)

    def leaves(self) -> None:
        pass


@dataclass
class Changing:
    """One server until a moment, then another."""

    first: Limited
    until: float
    then: Limited
    now: float = 0.0

    def arrives(self, now: float) -> Answered:
        self.now = now
        return (self.first if now < self.until else self.then).arrives(now)

    def leaves(self) -> None:
        (self.first if self.now < self.until else self.then).leaves()


@dataclass
class Shared:
    """A bucket of which somebody else takes half, every other `seconds`."""

    bucket: Bucket
    seconds: float
    taken_until: float = 0.0

    def arrives(self, now: float) -> Answered:
        while self.taken_until < now:
            if int(self.taken_until / self.seconds) % 2:
                self.bucket.arrives(self.taken_until)
            self.taken_until += 2 / self.bucket.rate
        return self.bucket.arrives(now)

    def leaves(self) -> None:
        pass


@dataclass
class Ran:
    """What became of so many requests: how long they took, how many were refused, when each came through."""

    seconds: float = 0.0
    refused: int = 0
    through: list[float] = field(default_factory=list)
    said: list[str] = field(default_factory=list)

    def rate(self, begin: float, end: float) -> float:
        return sum(begin <= moment < end for moment in self.through) / (end - begin)


def run(server: Limited, requests: int, at_once: int = 8, latency: float = 0.02, jitter: float = 0.1) -> Ran:
    """Send requests until all have come through, each refused one again."""
    ran = Ran()
    pace = Pace(lambda words: ran.said.append(f"{now:.2f} {words}"))
    chance = random.Random(1)
    now = 0.0
    number = 0
    events: list[tuple[float, int, Callable[[], None]]] = []
    line: deque[int] = deque()
    unsent = requests
    waking = -1.0

    def at(moment: float, what: Callable[[], None]) -> None:
        nonlocal number
        number += 1
        heapq.heappush(events, (moment, number, what))

    def queue(tries: int) -> Callable[[], None]:
        return lambda: line.append(tries)

    def taken(going: Going, answer: Answered) -> None:
        nonlocal unsent
        server.leaves()
        pace.came_through(going, now, answer.quota)
        ran.through.append(now)
        if unsent:
            unsent -= 1
            line.append(0)

    def refused(going: Going, answer: Answered, tries: int) -> None:
        ran.refused += 1
        pace.refused(going, now, answer.after)
        backoff = min(20.0, 0.5 * 2**tries) * chance.random()
        at(now + max(answer.after or 0.0, backoff), queue(tries + 1))

    def send() -> None:
        tries = line.popleft()
        going = pace.go(now)
        answer = server.arrives(now)
        takes = latency * (1 + jitter * (chance.random() - 0.5))
        if answer.taken:
            at(now + takes, lambda: taken(going, answer))
        else:
            at(now + takes / 4, lambda: refused(going, answer, tries))

    for _ in range(min(at_once, requests)):
        unsent -= 1
        line.append(0)
    while len(ran.through) < requests:
        while line and (wait := pace.wait(now)) == 0.0:
            send()
        if line and wait is not None and waking <= now:
            waking = now + wait
            at(waking, lambda: None)
        now, _, what = heapq.heappop(events)
        what()
    ran.seconds = now
    return ran
