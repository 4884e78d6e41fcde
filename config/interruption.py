"""SIGINT and SIGTERM end a process in order: what it holds is let go on the way out.

The first one is raised as an exception where the main thread is. From then on SIGTERM is ignored, which may come twice
(to the process and to its group); a second Ctrl-C ends the process at once.
"""

import signal
from types import FrameType


class Interrupted(SystemExit):
    """A signal asked this process to end; ``code`` is what a shell expects, 128 and the signal's number."""

    def __init__(self, number: int) -> None:
        super().__init__(128 + number)
        self.signal = signal.Signals(number)


def raise_on_signals() -> None:
    """From now on the first SIGINT or SIGTERM raises :class:`Interrupted` in the main thread.

    One that is ignored stays so: a shell starts its background jobs without SIGINT.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _interrupt)


def interruption(error: BaseException | None) -> Interrupted | None:
    """The interruption that ``error`` is, or that it came out of: what is let go may fail, as its other end is gone."""
    while error is not None:
        if isinstance(error, Interrupted):
            return error
        if isinstance(error, KeyboardInterrupt):  # of a library with a handler of its own, such as PySpark
            return Interrupted(signal.SIGINT)
        error = error.__cause__ or error.__context__
    return None


def _interrupt(number: int, _: FrameType | None) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    raise Interrupted(number)
