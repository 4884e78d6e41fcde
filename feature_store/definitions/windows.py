"""What a window covers: the one place where the meaning of a sawtooth window is code.

Window W with hop H(W) covers, at time t, the events with ``floor(t - W, H) <= event_time < t``: the head is exact, the
tail is rounded down to a hop. docs/windows.md explains why. Times are microseconds since 1970 in UTC, and every
function takes a single integer or a numpy array of int64 alike.
"""

from datetime import timedelta
from typing import Any, Final

MICROSECOND: Final = timedelta(microseconds=1)
LIFETIME: Final = timedelta.max
"""The window that covers every event before t."""

EVER: Final = -(1 << 63)
NEVER: Final = (1 << 63) - 1
"""Before and after every time."""

HOPS: Final = (timedelta(minutes=5), timedelta(hours=1), timedelta(days=1))
SHORT: Final = timedelta(hours=12)
MEDIUM: Final = timedelta(days=12)


def hop(window: timedelta) -> timedelta:
    """How far apart the possible tails of ``window`` are; LIFETIME has no tail and so no hop."""
    if window < SHORT:
        return HOPS[0]
    return HOPS[1] if window < MEDIUM else HOPS[2]


def micros(duration: timedelta) -> int:
    return duration // MICROSECOND


def tile_index(time: Any, length: timedelta) -> Any:
    """The tile of ``length`` that ``time`` lies in, counted from 1970; tiles before it have negative indices."""
    return time // micros(length)


def first_tile(time: Any, window: timedelta) -> Any:
    """The oldest tile of the window's hop that ``window`` covers at ``time``."""
    return tile_index(tail(time, window), hop(window))


def tail(time: Any, window: timedelta) -> Any:
    """The event time since which ``window`` covers events at ``time``."""
    if window == LIFETIME:
        return time - time + EVER
    return covered_since(time, micros(window), micros(hop(window)))


def covered_since(time: Any, window: Any, hop: Any) -> Any:
    """:func:`tail` of windows and hops in microseconds, which may be arrays; none of them for ever."""
    return (time - window) // hop * hop
