"""Which dates are judged and compared with which, by the calendar of March 2026."""

from datetime import date

from batch_processing.quality.dates import around, before_and_of, following_weekdays, missing_between, same_weekdays


def days(*numbers: int) -> set[date]:
    return {date(2026, 3, number) for number in numbers}


def test_the_same_weekday_of_the_weeks_before_and_after() -> None:
    assert same_weekdays(date(2026, 3, 23), 3) == [date(2026, 3, 16), date(2026, 3, 9), date(2026, 3, 2)]
    assert following_weekdays(days(2, 3), 2) == days(9, 16, 10, 17)
    assert before_and_of(days(23), 2) == days(23, 16, 9)


def test_nothing_lies_outside_of_the_calendar() -> None:
    assert same_weekdays(date(1, 1, 9), 4) == [date(1, 1, 2)]
    assert around([date.min], 1) == {date(1, 1, 1), date(1, 1, 2)}
    assert max(around([date.max], 3)) == date.max


def test_days_around_a_day() -> None:
    assert around(days(10, 12), 1) == days(9, 10, 11, 12, 13)


def test_a_day_without_rows_is_missing_unless_the_gap_is_as_long_as_what_it_is_compared_with() -> None:
    assert missing_between(days(2, 3, 6, 7), weeks=1) == [date(2026, 3, 4), date(2026, 3, 5)]
    assert missing_between(days(2, 8), weeks=1) == [date(2026, 3, number) for number in range(3, 8)]
    assert missing_between(days(2, 9), weeks=1) == []
    assert missing_between(days(2, 4), weeks=0) == []
    assert missing_between([], weeks=4) == []
