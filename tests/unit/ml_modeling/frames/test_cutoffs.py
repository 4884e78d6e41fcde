from datetime import date, timedelta
from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ml_modeling.frames.cutoffs import HistoryTooShortError, split_cutoffs
from ml_modeling.specification import Cutoffs

FIRST = date(2010, 12, 1)
HORIZON = timedelta(days=90)
RULE = Cutoffs(spacing_days=7, min_history_days=30, train=2, validation=1, test=1)


@given(
    days=st.integers(200, 900),
    horizon=st.integers(1, 120),
    spacing=st.integers(1, 40),
    parts=st.tuples(st.integers(1, 4), st.integers(1, 4), st.integers(1, 4)),
)
def test_no_label_window_reaches_into_the_next_part(days, horizon, spacing, parts):
    window, end = timedelta(days=horizon), FIRST + timedelta(days=days)
    rule = Cutoffs(spacing_days=spacing, min_history_days=30, train=parts[0], validation=parts[1], test=parts[2])
    try:
        split = split_cutoffs(FIRST, end, window, rule)
    except HistoryTooShortError:
        assume(False)
    assert all(day + window <= min(split.validation) for day in split.train)
    assert all(day + window <= min(split.test) for day in (*split.train, *split.validation, *split.between))
    assert all(day + window <= end for day in split.test)
    assert len(split.train) >= rule.train
    assert (len(split.validation), len(split.test)) == (rule.validation, rule.test)
    assert all(later - earlier >= timedelta(days=spacing) for earlier, later in pairwise(split.all))
    assert min(split.all) >= FIRST + timedelta(days=30)


def test_the_split_of_the_373_days_of_uci_online_retail():
    split = split_cutoffs(FIRST, date(2011, 12, 9), HORIZON, RULE)
    assert split.test == (date(2011, 9, 10),)  # 90 days before the end
    assert split.validation == (date(2011, 6, 11),)  # the last of the weeks 90 days before that
    assert (split.train[0], split.train[-1]) == (date(2011, 1, 1), date(2011, 3, 12))
    assert (split.between[0], split.between[-1]) == (date(2011, 3, 19), date(2011, 6, 4))


@pytest.mark.parametrize("days", [0, 100, 200, 300], ids=lambda days: f"{days} days")
def test_a_short_history_says_how_much_there_is_and_how_much_is_needed(days):
    with pytest.raises(HistoryTooShortError, match=rf"{days} days of events.*about 307 days"):
        split_cutoffs(FIRST, FIRST + timedelta(days=days), HORIZON, RULE)


def test_a_cutoff_whose_label_window_is_not_over_is_not_used():
    split = split_cutoffs(FIRST, FIRST + timedelta(days=540), HORIZON, RULE)
    assert max(split.all) <= FIRST + timedelta(days=540 - 90)


def test_a_window_leaves_out_the_cutoffs_before_it_and_moves_no_other():
    end = FIRST + timedelta(days=540)
    whole, rolling = (split_cutoffs(FIRST, end, HORIZON, RULE, window) for window in (None, timedelta(days=365)))
    assert rolling.all == tuple(day for day in whole.all if day >= end - timedelta(days=365))
    assert (rolling.test, rolling.validation) == (whole.test, whole.validation)
    assert len(rolling.train) < len(whole.train)


def test_a_window_longer_than_the_history_changes_nothing():
    end = FIRST + timedelta(days=540)
    assert split_cutoffs(FIRST, end, HORIZON, RULE, timedelta(days=540)) == split_cutoffs(FIRST, end, HORIZON, RULE)


def test_a_window_that_is_too_short_says_how_long_it_must_be():
    """Three label windows of 90 days, and one more cutoff a week apart."""
    end = FIRST + timedelta(days=540)
    assert len(split_cutoffs(FIRST, end, HORIZON, RULE, timedelta(days=277 + 6)).train) == 2
    with pytest.raises(HistoryTooShortError, match="a window of 276 days is too short for the split: it needs 277"):
        split_cutoffs(FIRST, end, HORIZON, RULE, timedelta(days=276))
