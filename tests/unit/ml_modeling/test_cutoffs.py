from datetime import date, timedelta
from itertools import pairwise

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from ml_modeling.cutoffs import HistoryTooShortError, split_cutoffs
from ml_modeling.specification import Cutoffs

FIRST = date(2010, 12, 1)
HORIZON = timedelta(days=90)
RULE = Cutoffs(spacing_days=7, min_history_days=30, train=2, validation=1, test=1)


def weekly(first: date, days: int) -> list[date]:
    return [first + timedelta(days=day) for day in range(5, days, 7)]


@settings(deadline=None)
@given(
    days=st.integers(200, 900),
    horizon=st.integers(1, 120),
    spacing=st.integers(1, 40),
    parts=st.tuples(st.integers(1, 4), st.integers(1, 4), st.integers(1, 4)),
    missing=st.sets(st.integers(0, 130)),
)
def test_no_label_window_reaches_into_the_next_part(days, horizon, spacing, parts, missing):
    window, end = timedelta(days=horizon), FIRST + timedelta(days=days)
    snapshots = [day for number, day in enumerate(weekly(FIRST, days)) if number not in missing]
    rule = Cutoffs(spacing_days=spacing, min_history_days=30, train=parts[0], validation=parts[1], test=parts[2])
    try:
        split = split_cutoffs(snapshots, FIRST, end, window, rule)
    except HistoryTooShortError:
        assume(False)
    assert all(day + window <= min(split.validation) for day in split.train)
    assert all(day + window <= min(split.test) for day in (*split.train, *split.validation, *split.between))
    assert all(day + window <= end for day in split.test)
    assert len(split.train) >= rule.train
    assert (len(split.validation), len(split.test)) == (rule.validation, rule.test)
    assert all(later - earlier >= timedelta(days=spacing) for earlier, later in pairwise(split.all))
    assert set(split.all) <= set(snapshots)
    assert min(split.all) >= FIRST + timedelta(days=30)


def test_the_split_of_the_373_days_of_uci_online_retail():
    mondays = [date(2010, 12, 6) + timedelta(weeks=week) for week in range(53)]
    split = split_cutoffs(mondays, FIRST, date(2011, 12, 9), HORIZON, RULE)
    assert split.test == (date(2011, 9, 5),)  # the last Monday 90 days before the end
    assert split.validation == (date(2011, 6, 6),)  # the last Monday 90 days before that
    assert (split.train[0], split.train[-1]) == (date(2011, 1, 3), date(2011, 3, 7))
    assert (split.between[0], split.between[-1]) == (date(2011, 3, 14), date(2011, 5, 30))


def test_a_snapshot_whose_label_window_is_not_over_is_not_used():
    days = 540
    split = split_cutoffs(weekly(FIRST, days), FIRST, FIRST + timedelta(days=days), HORIZON, RULE)
    assert max(split.all) <= FIRST + timedelta(days=days - 90)


def test_the_newest_snapshot_off_the_grid_does_not_shift_older_ones_closer_than_the_spacing():
    snapshots = [*weekly(FIRST, 400), FIRST + timedelta(days=300)]
    split = split_cutoffs(snapshots, FIRST, FIRST + timedelta(days=400), HORIZON, RULE)
    assert all(later - earlier >= timedelta(days=7) for earlier, later in pairwise(split.all))


@pytest.mark.parametrize("days", [0, 100, 200, 300], ids=lambda days: f"{days} days")
def test_a_short_history_says_how_much_there_is_and_how_much_is_needed(days):
    with pytest.raises(HistoryTooShortError, match=rf"{days} days of events.*about 307 days"):
        split_cutoffs(weekly(FIRST, days), FIRST, FIRST + timedelta(days=days), HORIZON, RULE)


def test_snapshots_that_were_never_made_are_named_as_the_reason():
    with pytest.raises(HistoryTooShortError, match="0 snapshots"):
        split_cutoffs([], FIRST, FIRST + timedelta(days=700), HORIZON, RULE)
