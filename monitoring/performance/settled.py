"""Which losses may be bet on, and in which order: that of the predictions, once all verdicts of a time have come.

Frauds are told within days, and that all was well after weeks. Whoever bets on losses in the order in which they become
known bets on frauds first, whose losses are large, and calls a model worse that is as good as ever. What is known early
depends on the label; when a prediction was made does not.
"""

from collections.abc import Sequence
from datetime import datetime

import numpy as np
import numpy.typing as npt

from monitoring.performance.losses import Integers


def settled(times: Sequence[datetime], is_known: npt.NDArray[np.bool_], until: datetime) -> Integers:
    """The numbers, from 0, of the predictions whose losses ``judge`` may be given, in the order they were made.

    ``times`` (n,) are those of the predictions, ``until`` is as long ago as the slowest verdict takes. Both are aware.
    What is not known of earlier ones by then is left out. A later look has what an earlier one had, and more, as long
    as no verdict takes longer.

    Raises:
        ValueError: there is not one ``is_known`` for each time.
    """
    if len(times) != len(is_known):
        raise ValueError(f"{len(is_known)} say whether the outcome is known, at {len(times)} times")
    made = np.array([time.timestamp() for time in times], dtype=np.float64)
    order = np.argsort(made, kind="stable")
    numbers: Integers = order[is_known[order] & (made[order] < until.timestamp())].astype(np.int64)
    return numbers
