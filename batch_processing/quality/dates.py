"""The calendar of what is judged: which dates are compared with which, and which are missing between others."""

import itertools
from collections.abc import Collection, Iterable
from datetime import date, timedelta

WEEK = timedelta(days=7)


def same_weekdays(day: date, weeks: int) -> list[date]:
    """The same weekday in each of the ``weeks`` before, the nearest first; none before the year 1."""
    return [day - WEEK * number for number in range(1, weeks + 1) if day - date.min >= WEEK * number]


def before_and_of(days: Iterable[date], weeks: int) -> set[date]:
    """``days`` and what each is compared with."""
    return {near for day in days for near in (day, *same_weekdays(day, weeks))}


def following_weekdays(days: Iterable[date], weeks: int) -> set[date]:
    """What is compared with ``days``: the same weekday in each of the ``weeks`` after."""
    return {_moved(day, 7 * number) for day in days for number in range(1, weeks + 1)}


def around(days: Iterable[date], reach: int) -> set[date]:
    """``days``, and each date that is at most ``reach`` days from one."""
    return {_moved(day, step) for day in days for step in range(-reach, reach + 1)}


def missing_between(present: Collection[date], weeks: int) -> list[date]:
    """Dates without a row between two of ``present`` that are less than ``weeks`` apart.

    No commit ever changes them, and a day on which nothing came is what somebody should hear of. Behind a longer gap
    there is nothing to compare with.
    """
    gaps = [(before, (after - before).days) for before, after in itertools.pairwise(sorted(present))]
    return [_moved(before, step) for before, days in gaps if days < 7 * weeks for step in range(1, days)]


def _moved(day: date, days: int) -> date:
    """So many days later, or as near to that as the calendar goes."""
    return date.fromordinal(min(max(day.toordinal() + days, 1), date.max.toordinal()))
