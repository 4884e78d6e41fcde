from datetime import date, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ml_modeling.frames.examples import TrainingFrame
from ml_modeling.frames.leakage import LeakageError, check_maturity
from ml_modeling.frames.periods import embargo, split_periods
from ml_modeling.frames.splits import HistoryTooShortError, Part
from ml_modeling.specification import Periods

FIRST = date(2018, 4, 1)
WEEKS = Periods(fit_days=7, validation_days=7, test_days=7, min_history_days=30)
GAP = timedelta(days=7)


def test_the_weeks_of_the_fraud_detection_handbook():
    """Its chapter 3: train on 2018-07-25 to 07-31, wait a week, test on 2018-08-08 to 08-14."""
    split = split_periods(FIRST, date(2018, 8, 15), GAP, WEEKS)
    assert str(split.fit) == "2018-07-25..2018-07-31"
    assert str(split.test) == "2018-08-08..2018-08-14"
    assert str(split.validation) == str(split.fit)
    assert str(split.train) == "2018-07-11..2018-07-17"


@given(
    days=st.integers(10, 400),
    gap=st.integers(0, 40),
    parts=st.tuples(st.integers(1, 60), st.integers(1, 40), st.integers(1, 40)),
)
def test_each_part_begins_when_the_labels_of_the_one_before_are_known(days, gap, parts):
    fit, validation, test = parts
    rule = Periods(fit_days=fit, validation_days=validation, test_days=test, min_history_days=5)
    wait = timedelta(days=gap)
    try:
        split = split_periods(FIRST, FIRST + timedelta(days=days), wait, rule)
    except HistoryTooShortError:
        assume(False)
    assert split.train.end + wait == split.validation.begin
    assert split.validation.end + wait == split.fit.end + wait == split.test.begin
    assert split.reach.begin >= FIRST + timedelta(days=5)
    assert {(part.end - part.begin).days for part in (split.train, split.fit)} == {fit}
    assert (split.test.end - FIRST).days == days


def test_a_short_history_says_how_much_there_is_and_how_much_is_needed():
    with pytest.raises(HistoryTooShortError, match=r"40 days of events with labels .* training needs 65 \(30 before"):
        split_periods(FIRST, FIRST + timedelta(days=40), GAP, WEEKS)


def test_the_embargo_is_how_long_nearly_all_labels_take():
    delays = {1: 50, 7: 940, 30: 10}
    assert embargo(delays, 0.99).days == 7
    assert embargo(delays, 0.995).days == 30
    assert embargo(delays, 1.0).days == 30


def test_labels_that_never_came_are_named():
    with pytest.raises(HistoryTooShortError, match="no event has its label yet"):
        embargo({}, 0.99)


def frame(delay_days: float) -> TrainingFrame:
    """An event each hour from the first fit to the end of the test; one in ten has its label much later."""
    times = pd.date_range("2018-07-11", "2018-08-14 23:00", freq="h")
    delays = np.where(np.arange(len(times)) % 10 == 0, delay_days + 12, delay_days)
    rows = pd.DataFrame({"entity": "c1", "time": times, "label": 0, "row_key": np.arange(len(times)).astype(str)})
    return TrainingFrame(rows.assign(matured_at=times + pd.to_timedelta(delays, unit="D"), a=1.0), ("a",))


@pytest.mark.parametrize("part", [Part.TRAIN, Part.VALIDATION, Part.FIT])
def test_a_label_that_comes_after_the_next_part_began_is_not_used(part):
    split = split_periods(FIRST, date(2018, 8, 15), GAP, WEEKS)
    rows = frame(7).rows_of(split, part)
    begins = split.validation.begin if part is Part.TRAIN else split.test.begin
    assert len(rows) == 7 * 24 - 17
    assert rows.matured_at.max() <= pd.Timestamp(begins)
    check_maturity(frame(7), split)


def test_a_part_that_used_a_label_before_its_time_is_caught():
    """A split that forgets when labels are known: the check does not believe it."""

    class Forgetful:
        def __init__(self, split):
            self.split = split

        def holds(self, part, times):
            return self.split.holds(part, times)

        def known_by(self, part):
            is_used = self.asked
            self.asked = True
            return datetime.max if not is_used else self.split.known_by(part)

        asked = False

    split = Forgetful(split_periods(FIRST, date(2018, 8, 15), GAP, WEEKS))
    with pytest.raises(LeakageError, match=r"17 rows of the train part, .* is known at .*, after the next part"):
        check_maturity(frame(7), split)


def test_a_label_that_is_known_before_the_question_is_caught():
    split = split_periods(FIRST, date(2018, 8, 15), GAP, WEEKS)
    with pytest.raises(LeakageError, match="not after it is asked about"):
        check_maturity(frame(0), split)


def test_a_window_holds_all_parts_and_the_waits_for_their_labels():
    """Of 49 days, 14 validate and test and 21 wait, which leaves two weeks to fit."""
    split = split_periods(FIRST, date(2018, 8, 15), GAP, WEEKS, timedelta(days=49))
    assert (split.fit.end - split.fit.begin, split.train.end - split.train.begin) == (timedelta(14), timedelta(14))
    assert split.test.end + GAP - split.reach.begin == timedelta(days=49)
    assert str(split.test) == "2018-08-08..2018-08-14"


def test_a_window_with_no_day_left_to_fit_says_how_long_it_must_be():
    with pytest.raises(HistoryTooShortError, match=r"a window of 35 days leaves none to fit.*ask for more than 35"):
        split_periods(FIRST, date(2018, 8, 15), GAP, WEEKS, timedelta(days=35))


def test_a_window_reaches_no_further_back_than_the_history():
    with pytest.raises(HistoryTooShortError, match="history too short for the split"):
        split_periods(FIRST, FIRST + timedelta(days=60), GAP, WEEKS, timedelta(days=80))
