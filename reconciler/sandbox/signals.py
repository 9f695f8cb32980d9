"""Waiting for signals without missing one, in a program that has threads. Decides nothing about them."""

import signal
import socket
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""What asks a program to stop."""


@contextmanager
def arriving(numbers: Iterable[signal.Signals]) -> Iterator[Iterator[int]]:
    """The numbers of these signals, each when it arrives; asking for the next one waits.

    A handler alone would not do: where another thread takes the signal, or where it comes just before
    the main thread begins to wait, the handler does not run until that wait is over. A byte in a
    socket ends the wait. A hang-up that nohup has us ignore stays ignored.
    """
    receiver, sender = socket.socketpair()
    with receiver, sender:
        sender.setblocking(False)
        former_socket = signal.set_wakeup_fd(sender.fileno())
        former = {
            number: signal.signal(number, lambda *_: None)
            for number in numbers
            if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN
        }
        try:
            yield _received(receiver)
        finally:
            for number, disposition in former.items():
                signal.signal(number, disposition)
            signal.set_wakeup_fd(former_socket)


def _received(receiver: socket.socket) -> Iterator[int]:
    while True:
        yield from receiver.recv(64)
