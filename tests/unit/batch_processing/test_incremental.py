"""Ranges of dates, and the note that a gold commit carries."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_processing.incremental import MAX_RANGES, Note, date_ranges, in_dates

DAY = timedelta(days=1)
dates = st.lists(st.dates(date(2010, 1, 1), date(2012, 12, 31)), min_size=1, max_size=60)


def covered(ranges: list[tuple[date, date]]) -> set[date]:
    return {first + n * DAY for first, last in ranges for n in range((last - first).days + 1)}


@given(dates)
def test_enough_ranges_cover_exactly_the_dates(days: list[date]) -> None:
    assert covered(date_ranges(days, limit=60)) == set(days)


@given(dates, st.integers(1, 5))
def test_fewer_ranges_cover_the_dates_and_never_more_than_the_limit(days: list[date], limit: int) -> None:
    ranges = date_ranges(days, limit)
    assert len(ranges) <= limit
    assert covered(ranges) >= set(days)
    assert ranges == sorted(ranges)


def test_the_smallest_gap_is_closed_first() -> None:
    days = [date(2011, 1, 1), date(2011, 1, 4), date(2011, 2, 1)]
    assert date_ranges(days, limit=2) == [(days[0], days[1]), (days[2], days[2])]


def test_a_condition_names_each_run_of_days() -> None:
    days = [date(2011, 1, 2), date(2011, 1, 1), date(2011, 3, 1)]
    condition = in_dates("event_date", days)
    assert condition == (
        "event_date BETWEEN DATE'2011-01-01' AND DATE'2011-01-02' "
        "OR event_date BETWEEN DATE'2011-03-01' AND DATE'2011-03-01'"
    )


def test_a_condition_stays_short_for_many_scattered_days() -> None:
    days = [date(2001, 1, 1) + 2 * n * DAY for n in range(2_000)]
    assert in_dates("event_date", days).count("BETWEEN") == MAX_RANGES


def test_a_note_is_read_back_as_written() -> None:
    note = Note("silver/transactions", "a-b", 7, {"revision": 1})
    assert Note.from_json(note.to_json()) == note


@pytest.mark.parametrize("text", [None, "", "free text", "[]", "{}", '{"tidemill": 3}', '"x"'])
def test_metadata_of_others_is_no_note(text: str | None) -> None:
    assert Note.from_json(text) is None
