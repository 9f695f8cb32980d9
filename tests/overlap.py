"""Hands without threads: who is quick and who is slow is drawn, so that any interleaving can be had again."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from random import Random

from reconciler.change import Change, CreateGroup, Stage
from reconciler.hands import Ended, Hands, written
from reconciler.ports import Portion, Provider


def drawn(random: Random) -> Callable[[Provider], Hands]:
    """What to give to `apply.carry_out`."""
    return lambda provider: DrawnHands(provider, random)


def subject(change: Change) -> str:
    return change.name if isinstance(change, CreateGroup) else change.principal.id


class DrawnHands(Hands):
    """Writes in any order: what lies ready, what is on its way, what took effect and was not told."""

    def __init__(self, provider: Provider, random: Random) -> None:
        super().__init__(provider)
        self._random = random
        self._ready: list[Portion] = []
        self._sent: list[Portion] = []
        self._answered: list[Ended] = []
        self.most = 0
        """How many portions were on their way at once."""

    @property
    def _portions(self) -> list[Portion]:
        return [*self._ready, *self._sent, *(one.portion for one in self._answered)]

    @property
    def busy(self) -> bool:
        return bool(self._portions)

    @property
    def free(self) -> int:
        return self._most - len(self._portions)

    def begin(self, portion: Portion) -> None:
        """Also holds that nobody is written to twice at once, and that who is unseated is so alone."""
        assert self.free > 0
        self._ready.append(portion)
        changes = [change for one in self._portions for change in one]
        assert len({subject(change) for change in changes}) == len(changes)
        assert len(changes) == 1 or all(change.stage is not Stage.UNSEAT for change in changes)
        self._send()

    def _send(self) -> None:
        while self._ready and len(self._sent) + len(self._answered) < self._provider.at_once:
            self._sent.append(self._ready.pop(0))
        self.most = max(self.most, len(self._sent) + len(self._answered))

    def ended(self) -> Sequence[Ended]:
        while not self._answered or (self._sent and self._random.random() < 0.5):
            self._answer()
        told = self._random.randint(1, len(self._answered))
        self._random.shuffle(self._answered)
        found, self._answered = self._answered[:told], self._answered[told:]
        self._send()
        return found

    def _answer(self) -> None:
        """One that is on its way takes effect. An interrupt may come in the middle of it."""
        self._random.shuffle(self._sent)
        self._answered.append(written(self._provider, self._sent[-1]))
        self._sent.pop()

    def recall(self) -> Iterable[Change]:
        taken = [change for portion in self._ready for change in portion]
        self._ready.clear()
        return taken

    def abandon(self) -> Iterable[Change]:
        left = [change for portion in self._portions for change in portion]
        self._let_go()
        return left

    def close(self) -> None:
        self._ready.clear()
        self._let_go()

    def _let_go(self) -> None:
        """What is on its way still may take effect when nobody waits for it any more."""
        for portion in self._sent[:-1]:
            with suppress(KeyboardInterrupt):
                if self._random.random() < 0.5:
                    written(self._provider, portion)
        self._sent, self._answered = [], []
