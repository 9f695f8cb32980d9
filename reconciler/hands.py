"""Writes that are under way at once: begun in one thread, sent by others, their ends told to the first.

Whoever begins them decides what is written and keeps account of it; a thread here does nothing but write.
"""

from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from threading import Thread

from reconciler.change import Change
from reconciler.errors import ReadError, WriteError
from reconciler.ports import Portion, Provider

LISTENING = 0.5
"""After so many seconds who waits for an end looks up: a signal that came right before would go unheard."""


@dataclass(frozen=True, slots=True)
class Ended:
    """What came of a portion of changes: all were written but those that are `left`, or one failed."""

    portion: Portion
    left: Collection[Change] = ()
    """Which are to be written one by one."""
    failure: WriteError | ReadError | None = None
    """Why the only change of the portion was not written."""


class Hands:
    """As many threads as the provider takes writes at once. All methods are for one thread alone.

    Some portions more lie ready, so that no hand waits while the next ones are recorded, which may take as
    long as a write. Where only one may be under way, none does: each is recorded once the one before is done.
    The threads are no reason for the program to stay: who does not wait for the end of a write need not.
    """

    def __init__(self, provider: Provider) -> None:
        self._provider = provider
        self._hands = 0
        self._most = 3 * provider.at_once - 2
        self._under_way: dict[int, Portion] = {}
        self._begun: SimpleQueue[Portion | None] = SimpleQueue()
        self._ended: SimpleQueue[Ended | tuple[Portion, BaseException]] = SimpleQueue()

    @property
    def busy(self) -> bool:
        """Whether anything is under way."""
        return bool(self._under_way)

    @property
    def free(self) -> int:
        """How many more portions may be begun: none as long as they are few, for together they cost less."""
        free = self._most - len(self._under_way)
        return free if free >= self._provider.at_once else 0

    def begin(self, portion: Portion) -> None:
        """Have a portion written, as soon as there is a hand for it; at most `free` of them."""
        self._under_way[id(portion)] = portion
        if self._hands < min(len(self._under_way), self._provider.at_once):
            self._hands += 1
            Thread(target=self._work, daemon=True).start()
        self._begun.put(portion)

    def ended(self) -> Sequence[Ended]:
        """What has ended by now: wait until it is one portion at least. Some must be under way.

        Raises whatever a write raised that it must not raise.
        """
        found = [self._first()]
        while True:
            try:
                found.append(self._ended.get_nowait())
            except Empty:
                return [self._taken(one) for one in found]

    def _first(self) -> Ended | tuple[Portion, BaseException]:
        while True:
            with suppress(Empty):
                return self._ended.get(timeout=LISTENING)

    def recall(self) -> Iterable[Change]:
        """Take back all that lies ready: these changes were certainly not sent."""
        taken: list[Change] = []
        while True:
            try:
                portion = self._begun.get_nowait()
            except Empty:
                return taken
            if portion is not None:
                del self._under_way[id(portion)]
                taken += portion

    def abandon(self) -> Iterable[Change]:
        """Wait for nothing more: all changes whose end is unknown. Nothing may be begun after that."""
        left = [change for portion in self._under_way.values() for change in portion]
        self._under_way.clear()
        return left

    def close(self) -> None:
        """Send nothing more, and let threads end that have nothing to do."""
        self.recall()
        for _ in range(self._hands):
            self._begun.put(None)

    def _taken(self, one: Ended | tuple[Portion, BaseException]) -> Ended:
        if not isinstance(one, Ended):
            raise one[1]
        del self._under_way[id(one.portion)]
        return one

    def _work(self) -> None:
        while (portion := self._begun.get()) is not None:
            try:
                self._ended.put(written(self._provider, portion))
            except BaseException as error:  # which whoever waits for the end has to see
                self._ended.put((portion, error))


def written(provider: Provider, portion: Portion) -> Ended:
    """Write a portion; what came of it."""
    if len(portion) > 1:
        return Ended(portion, left=provider.write_together(portion))
    try:
        provider.write(portion[0])
    except (WriteError, ReadError) as failure:
        return Ended(portion, failure=failure)
    return Ended(portion)
