from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml_modeling.frames.cutoffs import split_cutoffs
from ml_modeling.frames.event_range import event_range
from ml_modeling.specification import Cutoffs

FIRST = date(2026, 1, 1)
RULE = Cutoffs(spacing_days=7, min_history_days=30, train=2, validation=1, test=1)
HORIZON = timedelta(days=90)


def day(number):
    return FIRST + timedelta(days=number)


def shop(days, a_day):
    return {day(number): a_day for number in range(days)}


def cutoffs(found):
    return split_cutoffs(found.first, found.end, HORIZON, RULE).all


@pytest.mark.parametrize("a_day", [1, 3, 500], ids=lambda number: f"{number} a day")
def test_one_event_with_a_wrong_year_changes_no_cutoff_and_is_told(a_day):
    right = event_range(shop(366, a_day), day(365))
    found = event_range(shop(366, a_day) | {date(2001, 5, 5): 1}, day(365))
    assert cutoffs(found) == cutoffs(right)
    assert (right.first, right.end, right.left_out) == (FIRST, day(365), "")
    assert found.left_out == "1 before 2026-01-01 (from 2001-05-05 on)"


@pytest.mark.parametrize("a_day", [1, 500], ids=lambda number: f"{number} a day")
def test_an_event_a_day_ahead_does_not_end_the_range_on_a_day_that_has_hardly_begun(a_day):
    today = day(365)
    found = event_range(shop(365, a_day) | {today: 1, day(366): 1}, today)
    assert found.end <= today
    assert found.left_out.endswith("(up to 2027-01-02)")


def test_a_history_that_was_made_up_of_days_of_the_past_ends_there_too():
    found = event_range(shop(365, 500) | {day(365): 1}, date(2030, 1, 1))
    assert (found.end, found.left_out) == (day(364), "1 after 2026-12-31 (up to 2027-01-01)")


def test_one_event_weeks_before_the_shop_opened_is_no_history():
    found = event_range(shop(300, 500) | {day(-12): 1}, day(299))
    assert (found.first, found.before) == (FIRST, 1)


def test_a_shop_that_closes_on_sundays_and_at_christmas_is_one_range():
    counts = {date_: count for date_, count in shop(400, 1300).items() if date_.weekday() != 6}
    counts = {date_: count for date_, count in counts.items() if not date(2026, 12, 24) <= date_ <= date(2027, 1, 3)}
    found = event_range(counts, day(399))
    assert (found.first, found.end, found.left_out) == (FIRST, day(399), "")


@settings(max_examples=50)
@given(
    counts=st.lists(st.integers(80, 120), min_size=60, max_size=400),
    wrong=st.dictionaries(st.integers(-9000, 9000), st.integers(1, 5), max_size=8),
)
def test_a_few_events_at_any_days_never_make_a_range_longer(counts, wrong):
    right = dict(zip(map(day, range(len(counts))), counts, strict=True))
    astray = {day(number): count for number, count in wrong.items() if day(number) not in right}
    found = event_range(right | astray, date(2100, 1, 1))
    assert (found.first, found.end) == (min(right), max(right))
    assert found.before + found.after == sum(astray.values())
