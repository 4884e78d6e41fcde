"""Which dates are judged, over random calendars: what changed and what time ended come to what one look at all does."""

import random
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from batch_processing.quality import due as due_dates
from batch_processing.quality.check import judge
from batch_processing.quality.due import Due, by_now, everything, since
from batch_processing.quality.observing import Measured
from batch_processing.quality.results import Result
from data_lake.expectations import Severity, Suite, Volume

FIRST = date(2026, 1, 5)
DAYS = 150
WEEKS = 3
SUITE = Suite(
    "shop.it", Path("it.yaml"), "silver/transactions", "", {"it": Volume(kind="volume", weeks=WEEKS)}, "digest"
)
Verdicts = Mapping[date, tuple[str, float | None]]


@dataclass
class Lake:
    """Rows by date, and what stands of them as runs leave it."""

    rows: dict[date, int] = field(default_factory=dict)
    standing: dict[date, Result] = field(default_factory=dict)

    def commit(self, changes: Mapping[date, int]) -> list[date]:
        self.rows = {day: count for day, count in {**self.rows, **changes}.items() if count}
        return sorted(changes)

    def present(self, days: Collection[date] | None) -> Collection[date]:
        return {day for day in self.rows if days is None or day in days}

    def run(self, changed: Collection[date], today: date) -> None:
        """As a run does: by what changed, or else by what time ended."""
        before = list(self.standing.values())
        if changed:
            self.judge(since(sorted(changed), before, WEEKS, self.present), today)
        else:
            self.judge(by_now(before, today, WEEKS, self.present), today)

    def judge(self, due: Due, today: date) -> None:
        self.standing = {day: result for day, result in self.standing.items() if not due.replaces(result)}
        if due.judged:
            compared = {day - timedelta(weeks=week) for day in due.judged for week in range(WEEKS + 1)}
            measured = {day: Measured(self.rows.get(day, 0)) for day in compared if day in self.rows}
            measured |= {day: Measured(self.rows.get(day, 0)) for day in due.judged}
            now = datetime(today.year, today.month, today.day, tzinfo=UTC)
            self.standing |= {result.event_date: result for result in judge(SUITE, due.judged, measured, 7, now)}

    @property
    def verdicts(self) -> Verdicts:
        return {day: (result.outcome, result.observed) for day, result in self.standing.items()}


def naive(rows: Mapping[date, int], today: date) -> Verdicts:
    """A verdict of each day that has rows, or has days with rows so near before and after; by looking at each."""
    said: dict[date, tuple[str, float | None]] = {}
    for number in range(DAYS):
        day = FIRST + timedelta(days=number)
        steps = range(1, 7 * WEEKS)
        gaps = [
            before + after
            for before in steps
            for after in steps
            if day - timedelta(days=before) in rows and day + timedelta(days=after) in rows
        ]
        if day not in rows and min(gaps, default=7 * WEEKS) >= 7 * WEEKS:
            continue
        usual = sorted(
            rows[day - timedelta(days=7 * week)] for week in (1, 2, 3) if day - timedelta(days=7 * week) in rows
        )
        if day >= today:
            said[day] = ("early", None)
        elif len(usual) < 2:
            said[day] = ("unknown", None)
        else:
            half = len(usual) // 2
            middle = usual[half] if len(usual) % 2 else (usual[half - 1] + usual[half]) / 2
            times = rows.get(day, 0) / middle
            said[day] = ("passed" if 0.5 <= times <= 2 else "failed", times)
    return said


def random_rows(rng: random.Random) -> dict[date, int]:
    """A shop that is closed on some weekdays and at times for weeks, with days that are far off."""
    closed = rng.sample(range(7), rng.randrange(3))
    away = {rng.randrange(DAYS) + step for _ in range(2) for step in range(rng.randrange(40))}
    return {
        FIRST + timedelta(days=number): rng.choice((10, 40, 50, 60, 60, 300))
        for number in range(DAYS)
        if number % 7 not in closed and number not in away and rng.random() < 0.9
    }


def random_changes(rng: random.Random, rows: Mapping[date, int], news: Mapping[date, int]) -> dict[date, int]:
    """A part of what comes, in any order, and days of which the rows are removed or others."""
    come = rng.sample(sorted(news), min(len(news), rng.choice((1, 3, 40))))
    changed = rng.sample(sorted(rows), min(len(rows), rng.choice((0, 0, 1, 4))))
    return {day: news[day] for day in come} | {day: rng.choice((0, 0, 25, 500)) for day in changed}


@pytest.mark.parametrize("seed", range(15))
def test_runs_one_after_another_leave_what_a_look_at_everything_says(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = random.Random(seed)
    monkeypatch.setattr(due_dates, "MAX_RANGES", rng.choice((2, 64)))
    lake, news, today = Lake(), random_rows(rng), FIRST + timedelta(days=DAYS // 2)
    lake.commit({day: news.pop(day) for day in list(news)[: DAYS // 4]})
    lake.judge(everything(lake.present, WEEKS), today)
    for _ in range(8):
        today += timedelta(days=rng.randrange(0, 12))
        changes = random_changes(rng, lake.rows, news) if rng.random() < 0.7 else {}
        lake.run(lake.commit(changes), today)
        assert lake.verdicts == naive(lake.rows, today)
        news = {day: count for day, count in news.items() if day not in changes}
    lake.judge(everything(lake.present, WEEKS), today)
    assert lake.verdicts == naive(lake.rows, today)


def result_of(day: date, outcome: str, kind: str) -> Result:
    at = datetime(2026, 3, 1, tzinfo=UTC)
    severity = str(Severity.CRITICAL)
    return Result(
        "t",
        day,
        "s",
        "d",
        "it",
        kind,
        severity,
        outcome,
        None,
        None,
        None,
        rows=1,
        why=None,
        source_version=7,
        judged_at=at,
    )


@pytest.mark.parametrize(
    ("outcome", "kind", "is_due"),
    [
        ("early", "volume", True),
        ("early", "distribution", True),
        ("failed", "known", True),
        ("failed", "volume", False),
        ("passed", "known", False),
        ("unknown", "known", False),
    ],
)
def test_a_day_that_is_over_and_a_value_that_was_not_known_are_due_without_a_new_version(
    outcome: str, kind: str, is_due: bool
) -> None:
    due = by_now([result_of(FIRST, outcome, kind)], FIRST + timedelta(days=1), WEEKS, lambda days: days or ())
    assert due.judged == ({FIRST} if is_due else set())


def test_a_day_is_not_due_before_it_is_over() -> None:
    assert by_now([result_of(FIRST, "early", "volume")], FIRST, WEEKS, lambda days: days or ()).judged == set()
