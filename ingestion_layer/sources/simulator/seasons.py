"""When people shop: by the time of the year, the day of the week and the hour of the day."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ingestion_layer.sources.simulator.shop import day_of

WEEKDAYS: Sequence[float] = (1.05, 1.0, 1.0, 1.05, 1.1, 0.95, 0.85)
HOURS: Sequence[float] = (0, 0, 0, 0, 0, 0, 1, 2, 4, 6, 7, 7, 8, 7, 6, 6, 6, 7, 8, 10, 11, 9, 5, 2)
US_PER_HOUR = 3_600_000_000
US_PER_DAY = 24 * US_PER_HOUR


def season(day: int) -> float:
    """How busy a day is, around 1: a peak before Christmas, a dip in summer, a rhythm in the week."""
    date = day_of(day)
    of_year = date.timetuple().tm_yday
    peak = 0.6 * np.exp(-0.5 * ((of_year - 340) / 18) ** 2)
    dip = 0.15 * np.exp(-0.5 * ((of_year - 215) / 25) ** 2)
    return float((1 + peak - dip) * WEEKDAYS[date.weekday()])


def times_of_day(random: np.random.Generator, count: int) -> NDArray[np.int64]:
    """Moments after midnight, in microseconds."""
    weights = np.array(HOURS, dtype=float)
    hours = random.choice(len(HOURS), size=count, p=weights / weights.sum())
    return hours.astype(np.int64) * US_PER_HOUR + random.integers(0, US_PER_HOUR, count)
