"""How fast and how many at once requests may go to one server, learned from its refusals. Pure.

A server limits how many requests come in a time, or how many at once, and says neither beforehand. Where it
refuses, the pace goes on at what was let through, evenly spaced, and grows: slowly for as long as the limit
has proved steady, then faster and faster, so that a limit that has gone is outgrown. Where only such requests
were refused as came on top of many under way, there are fewer at once, and they go no slower.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from reconciler.http.limits import Quota

FIRST = 8
"""So many may go at once to begin with; one more with each that came through, until one is refused."""

CAUTION = 0.96
"""A pace begins so much below what was let through,"""
CREEP = 0.1
"""and grows by such a part while it is calm."""
CALM = 10.0
"""For how many seconds it is calm after a limit was found,"""
STEADY = 60.0
"""and at most, after it was found again where it was: three times as long each time."""
DOUBLES = 4.0
"""How many seconds after the calm it has doubled; after twice as many, it is sixteen times as fast."""
SEARCHING = 1.0
"""The calm after the first measure, which is the shortest; and the doubling where it hardly is one."""
IDLE = 0.5
"""Seconds without any request that tell nothing of what would have been let through."""
ENOUGH = 20
"""So many answers tell how many come through."""

SLOWEST = 1.0
"""Requests a second. A server that wants fewer has to say how long to wait."""
FASTEST = 2000.0
"""Requests a second that are as good as no limit."""
LATE = 0.1
"""A request that went late lets the next one go so many seconds early, or by the time between two."""

PAUSE = 0.5
"""Seconds of silence after a refusal that names no time; doubled while nothing comes through."""
LONGEST_PAUSE = 16.0

FLUKES = 4
"""So few may have come through above a limit of how many at once: answers are on their way for a while."""
PROBE = 16
"""After how many answers one more at once is tried; after four times as many where that was refused."""
RAREST_PROBE = 1024
WIDE = 64
"""So many at once are as good as any number."""


@dataclass(frozen=True, slots=True)
class Going:
    """A request under way: since when, and how many were under way then, with it."""

    since: float
    abreast: int


@dataclass(frozen=True, slots=True)
class _Rate:
    """Requests a second, from a moment on."""

    base: float
    start: float
    calm: float
    doubles: float

    def at(self, now: float) -> float:
        passed = max(0.0, now - self.start)
        if passed <= self.calm:
            return self.base * (1.0 + CREEP * passed / self.calm)
        doublings: float = min(30.0, ((passed - self.calm) / self.doubles) ** 2)
        return float(self.base * (1.0 + CREEP) * 2.0**doublings)

    def confirmed_by(self, base: float) -> bool:
        return 0.75 * self.base < base < 1.33 * self.base


@dataclass(slots=True)
class Pace:
    """The pace towards one server. All moments are of one monotonic clock. Not safe for several threads.

    Each request asks `wait`, is told to have gone by `go`, and comes back by one of `came_through`, `refused`
    and `came_to_nothing`. `tell` is given words whenever the pace changes.
    """

    tell: Callable[[str], object]
    well_until: float = float("-inf")
    """Up to when waiting is nobody's fault: something was let through, or the server said when it will be."""

    _under_way: int = 0
    _learned: bool = False
    """Whether anything was ever refused."""
    _slowed: float = float("-inf")
    """When it was last changed for a refusal; that of a request which went before tells nothing new."""
    _held: float = float("-inf")
    """Until when nothing is sent."""
    _next: float = float("-inf")
    """When the next request is due."""

    _rate: _Rate | None = None
    _since: float | None = None
    """From when on what comes through is counted: the end of the last pause, or of a long silence."""
    _last: float = float("-inf")
    """When a request came back last."""
    _through: int = 0
    _doubtful: bool = False
    """Whether the last refusal came after too few answers to know a rate by."""
    _in_vain: int = 0
    """How many times in a row nothing at all came through."""

    _places: int | None = None
    """How many may be under way; None: any number."""
    _crowded: bool = False
    """Whether the last refusal was for how many were under way."""
    _levels: dict[int, int] = field(default_factory=dict)
    """How many came through by how many were under way with them, since the places last changed."""
    _good: int = 0
    """How many came through since then."""
    _probe: int = PROBE
    _probing: bool = False
    """Whether the last of the places is a trial."""
    _takes: float = 0.0
    """How long a request is under way, by and large."""

    _quota: int | None = None
    """How many more the server said it would take, until `_renewed`."""
    _renewed: float = float("-inf")

    def wait(self, now: float) -> float | None:
        """The seconds until a request may go, None where one that is under way must come back first."""
        if now < self._held:
            return self._held - now
        if self._under_way >= (self._places or WIDE if self._learned else FIRST + self._through):
            return None
        if self._quota is not None and now < self._renewed and self._under_way >= self._quota:
            return None if self._under_way else self._renewed - now
        return max(0.0, self._next - now)

    def go(self, now: float) -> Going:
        """A request is sent now."""
        apart = 0.0 if self._rate is None else 1 / self._rate.at(now)
        silent = not self._under_way and now - max(self._last, self._held) > max(IDLE, 2 * apart)
        if self._since is None or silent:
            self._since, self._through = now, 0
        self._under_way += 1
        if self._rate is not None:
            self._space(self._rate.at(now), now)
        elif self._places is not None:  # side by side, but not in one instant
            self._next = now + self._takes / self._places / 2
        return Going(now, self._under_way)

    def _space(self, rate: float, now: float) -> None:
        if rate < FASTEST:
            apart = 1 / rate
            self._next = max(self._next, now - max(apart, LATE)) + apart
        else:
            self._rate = None
            self.tell("no limit a second")

    def came_to_nothing(self) -> None:
        """What came back tells nothing of limits."""
        self._under_way -= 1

    def came_through(self, going: Going, now: float, quota: Quota | None = None) -> None:
        """The server took a request, and perhaps said how many more it will take."""
        self._under_way -= 1
        self._last = now
        self._through += 1
        took = now - going.since
        self._takes += (took - self._takes) / 8 if self._takes else took
        self.well_until = max(self.well_until, now)
        self._quota = None
        if quota is not None:
            self._quota, self._renewed = quota.remaining, now + quota.seconds
            if not quota.remaining:
                self.well_until = max(self.well_until, self._renewed)
        if going.since >= self._slowed:
            self._levels[going.abreast] = self._levels.get(going.abreast, 0) + 1
            self._widen()

    def _widen(self) -> None:
        self._good += 1
        enough = min(PROBE, self._probe) if self._probing else self._probe
        if self._places is None or self._good < enough:
            return
        self._allow(self._places + 1 if self._places < WIDE else None)
        self._probing = True

    def refused(self, going: Going, now: float, asked: float | None) -> None:
        """The server did not take a request, for there were too many, and may have asked to wait so long."""
        self._under_way -= 1
        self._quota = None
        if going.since <= self._slowed:
            if self._crowded:
                self._narrow(going)
            self._hold(now + (asked or 0.0))
            return
        self._slowed = now
        self._crowded = self._on_top(going)
        if self._crowded:
            tried, self._probing = self._probing, False
            self._probe = min(RAREST_PROBE, 4 * self._probe) if tried else PROBE
            self._narrow(going)
            if not tried:  # of a trial it is known that it was one too many: it waits, the others need not
                self._hold(now + (asked or 0.0))
            self._count_anew()
        else:
            disproved, self._places = self._places is not None, None
            pause = min(LONGEST_PAUSE, PAUSE * 2.0 ** min(self._in_vain, 16))
            self._hold(now + (pause if asked is None else asked))
            self._slow_down(now, disproved)
        self._learned = True

    def _on_top(self, going: Going) -> bool:
        """Whether it may have been refused for those under way: none with as many came through before."""
        if self._rate is not None or (self._places is not None and not self._probing):
            return False
        as_many = sum(count for level, count in self._levels.items() if level >= going.abreast)
        return going.abreast > 1 and as_many < FLUKES

    def _narrow(self, going: Going) -> None:
        places = max(1, going.abreast - 1)
        if self._places is None or places < self._places:
            self._allow(places)

    def _allow(self, places: int | None) -> None:
        self._places = places
        self._good = 0
        self._levels.clear()
        self.tell("any number at once" if places is None else f"{places} at once")

    def _hold(self, until: float) -> None:
        self._held = max(self._held, until)

    def _count_anew(self) -> None:
        self._since, self._through = self._held, 0

    def _slow_down(self, now: float, disproved: bool) -> None:
        """Find the rate that is let through.

        What came through from the end of one pause to the end of the next, over that time, is exactly what a
        server lets through that saves up during pauses. One that saves up nothing lets through more, up to
        the rate at which it refused. So the truth is taken to lie between, rather high: the longer the time
        between two refusals, the closer are both.

        Where little is known, the rate stays as it is the first time: whoever asks little was perhaps refused
        for what others asked. `disproved`: that it was for too many at once was tried before.
        """
        since = now if self._since is None else self._since
        least = self._through / max(self._held - since, 0.001)
        most = self._rate.at(now) if self._rate is not None else self._through / max(now - since, 0.001)
        doubtful = self._through < ENOUGH
        known = not doubtful or (self._through > 0 and (disproved or self._doubtful))
        if self._rate is not None or known:
            lowest = most / 2 if self._rate is not None else 0.0
            between: float = (most * most * least) ** (1 / 3)
            self._set(min(most, max(lowest, between)), doubtful)
        self._doubtful = doubtful
        self._in_vain = 0 if self._through else self._in_vain + 1
        if self._in_vain > 1:  # see whether it takes one, before others follow
            self._allow(1)
            self._probe = 1
        self._count_anew()

    def _set(self, base: float, doubtful: bool) -> None:
        calm, doubles = CALM, DOUBLES
        if self._rate is not None and self._rate.confirmed_by(base):
            calm = min(STEADY, 3 * self._rate.calm)
        elif self._rate is None:  # the first measure is the shortest
            calm, doubles = (SEARCHING, SEARCHING) if doubtful else (SEARCHING, DOUBLES)
        self._rate = _Rate(max(SLOWEST, CAUTION * base), self._held, calm, doubles)
        self._next = self._held
        self.tell(f"{self._rate.base:.3g} a second")
