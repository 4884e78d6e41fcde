"""Hops and tails, by hand."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from feature_store.definitions import days, hours, minutes
from feature_store.definitions.windows import hop, tail


def at(text: str) -> int:
    return (datetime.fromisoformat(text).replace(tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(
        microseconds=1
    )


@pytest.mark.parametrize(
    ("window", "expected"),
    [
        (minutes(5), minutes(5)),
        (hours(12) - minutes(1), minutes(5)),
        (hours(12), hours(1)),
        (days(12) - minutes(1), hours(1)),
        (days(12), days(1)),
        (days(365), days(1)),
    ],
)
def test_the_hop_grows_with_the_window(window: timedelta, expected: timedelta) -> None:
    assert hop(window) == expected


@pytest.mark.parametrize(
    ("time", "window", "expected"),
    [
        ("2024-03-01 10:07:59", hours(1), "2024-03-01 09:05"),
        ("2024-03-01 10:05:00", hours(1), "2024-03-01 09:05"),
        ("2024-03-01 10:04:59.999999", hours(1), "2024-03-01 09:00"),
        ("2024-03-01 10:07", days(7), "2024-02-23 10:00"),
        ("2024-03-30 10:07", days(30), "2024-02-29 00:00"),
        ("1970-01-01 00:00", minutes(7), "1969-12-31 23:50"),
        ("1969-12-31 23:59:59.999999", days(30), "1969-12-01 00:00"),
    ],
)
def test_the_tail_is_rounded_down_to_a_hop(time: str, window: timedelta, expected: str) -> None:
    assert tail(at(time), window) == at(expected)
    assert list(tail(np.array([at(time)]), window)) == [at(expected)]
