"""The times that ``tidemill features consistency`` takes."""

from datetime import datetime

import pytest

from tidemill.commands.features import TIME


@pytest.mark.parametrize(
    ("written", "time"),
    [
        ("2026-03-01", datetime(2026, 3, 1)),
        ("2026-03-01T04:05:06", datetime(2026, 3, 1, 4, 5, 6)),
        ("2026-03-01T04:05:06Z", datetime(2026, 3, 1, 4, 5, 6)),
        ("2026-03-01T04:05:06.5Z", datetime(2026, 3, 1, 4, 5, 6, 500_000)),
    ],
)
def test_a_time_may_end_in_z(written: str, time: datetime) -> None:
    assert TIME.convert(written, None, None) == time
