"""Which dates a run judges: those that changed, what is compared with them, and what new rows or time alone decide.

Beside a date with rows, one without is judged that lies in a gap between two: which dates those are follows from the
table, so that runs that judge what changed come to what a run over everything comes to.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from batch_processing.incremental import MAX_RANGES, date_ranges
from batch_processing.quality.dates import around, following_weekdays, missing_between
from batch_processing.quality.judging import Outcome
from batch_processing.quality.results import Result

OPEN = (Outcome.FAILED, Outcome.EARLY)
"""What is judged again with every new version of the table, also where its date did not change."""
ELSEWHERE = "known"
"""The kind of what is held against another table, which may be mended without a commit to this one."""
Present = Callable[[Collection[date] | None], Collection[date]]
"""Those of the dates that have rows; of None every date that has."""


@dataclass(frozen=True)
class Due:
    """The dates to judge, and those whose results are replaced (None: all): what has no rows any more only goes."""

    judged: frozenset[date]
    replaced: frozenset[date] | None

    def replaces(self, result: Result) -> bool:
        return self.replaced is None or result.event_date in self.replaced


NOTHING = Due(frozenset(), frozenset())


def everything(present: Present, weeks: int) -> Due:
    """All dates with rows, and those missing between them."""
    days = present(None)
    return Due(frozenset({*days, *missing_between(days, weeks)}), None)


def since(changed: Sequence[date], before: Sequence[Result], weeks: int, present: Present) -> Due:
    """What a new version of the table is judged by, in which rows of ``changed`` (not empty) did."""
    judged = {result.event_date for result in before}
    near = around(changed, 7 * weeks)
    days = present(near)
    missing = {*missing_between(days, weeks)}
    empty = {result.event_date for result in before if not result.rows}
    return _of(
        {
            *changed,
            *(following_weekdays(changed, weeks) & judged),
            *(result.event_date for result in before if result.outcome in OPEN),
            *(missing - judged),
            *((empty & near) - missing),
        },
        weeks,
        present,
    )


def by_now(before: Iterable[Result], today: date, weeks: int, present: Present) -> Due:
    """What is judged though the table has no new version: days that are over by now, and values not found elsewhere."""
    days = {result.event_date for result in before if is_due(result, today)}
    return _of(days, weeks, present) if days else NOTHING


def is_due(result: Result, today: date) -> bool:
    """Whether time or another table may have ended what was said."""
    if result.outcome == Outcome.EARLY:
        return result.event_date < today
    return result.outcome == Outcome.FAILED and result.kind == ELSEWHERE


def _of(days: Collection[date], weeks: int, present: Present) -> Due:
    replaced = _covered(days)
    found = present(around(replaced, 7 * weeks))
    return Due(replaced & {*found, *missing_between(found, weeks)}, replaced)


def _covered(days: Collection[date]) -> frozenset[date]:
    """``days``, and those in gaps between them that the condition on results to replace has no room to leave out."""
    spans = date_ranges(sorted(days), MAX_RANGES)
    return frozenset(first + timedelta(days=step) for first, last in spans for step in range((last - first).days + 1))
