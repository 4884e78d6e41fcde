"""SIGINT and SIGTERM end a process in order: what it holds is let go on the way out.

The first one is raised as an exception where the main thread is. From then on SIGTERM is ignored, which may come twice
(to the process and to its group); a second Ctrl-C ends the process at once.
"""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupted(KeyboardInterrupt):
    """A signal asked this process to end; libraries know what to do on Ctrl-C, so SIGTERM is like it."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.signal = signal.Signals(number)

    @property
    def exit_status(self) -> int:
        """What a shell expects."""
        return 128 + self.signal


def raise_on_signals() -> None:
    """From now on the first SIGINT or SIGTERM raises :class:`Interrupted` in the main thread.

    One that is ignored stays so: a shell starts its background jobs without SIGINT.
    """
    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _interrupt)


@contextmanager
def noted_signals() -> Iterator[threading.Event]:
    """Within the block the first SIGINT or SIGTERM is not raised, but sets the event that the block is given.

    The block ends what it does at a point of its own choice; then :class:`Interrupted` is raised. It is for the main
    thread.
    """
    asked = threading.Event()
    numbers: list[int] = []

    def note(number: int, _: FrameType | None) -> None:
        _leave_the_rest()
        numbers.append(number)
        asked.set()

    before = {number: signal.getsignal(number) for number in SIGNALS}
    for number, handler in before.items():
        if handler is not signal.SIG_IGN:
            signal.signal(number, note)
    try:
        yield asked
    finally:
        if not numbers:
            for number, handler in before.items():
                signal.signal(number, handler)
    if numbers:
        raise Interrupted(numbers[0])


@contextmanager
def kept_handlers() -> Iterator[None]:
    """What is done on SIGINT and SIGTERM is the same after the block, whatever a library in it decides.

    Unless one of them ended the block: then the end is not disturbed.
    """
    before = {number: signal.getsignal(number) for number in SIGNALS}
    yield
    if threading.current_thread() is threading.main_thread():  # no other can have changed it
        for number, handler in before.items():
            signal.signal(number, handler)


def interruption(error: BaseException | None) -> Interrupted | None:
    """The interruption that ``error`` is, or that it came out of: what is let go may fail, as its other end is gone."""
    while error is not None:
        if isinstance(error, Interrupted):
            return error
        if isinstance(error, KeyboardInterrupt):  # of a library with a handler of its own
            return Interrupted(signal.SIGINT)
        error = error.__cause__ or error.__context__
    return None


def _interrupt(number: int, _: FrameType | None) -> None:
    _leave_the_rest()
    raise Interrupted(number)


def _leave_the_rest() -> None:
    """What comes after the first signal: no other SIGTERM counts, and a Ctrl-C ends the process at once."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
