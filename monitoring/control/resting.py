"""How long the monitors' requests rest: each further one of a row as long as the row has lasted.

A new model may not end what was found: its labels are older than the change, or most of what it learnt from is. Then
the next look finds the same again. With rests that grow so, the time since the change, and with it what there is to
learn anew, has about doubled by each training: the rule of exponential backoff.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

QUIET = timedelta(days=14)
"""A row is over when nothing was requested for so long: twice the week that the looks spend their alpha in."""
LONGEST = timedelta(days=90)
ROW = 64
"""So many requests are looked back on; with rests that double no row has as many in a lifetime."""


def rest_after(worked: Sequence[tuple[datetime, datetime]], cool_down: timedelta) -> timedelta:
    """How long one source rests after the last of ``worked``: pairs of requested and finished, the oldest first.

    It is at least ``cool_down``, and grows no further than to :data:`LONGEST`; a cool-down of zero is no rest at all.
    """
    rest, begin, end = cool_down, None, None
    for requested, finished in worked:
        if begin is None or end is None or requested - end > max(2 * rest, QUIET):
            begin = requested
        rest = max(cool_down, min(finished - begin, LONGEST))
        end = finished
    return rest if cool_down else cool_down
