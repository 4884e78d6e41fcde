"""Judges the dates of a table that changed since it was judged last, by all of its suites, in one commit."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from pyspark.sql import DataFrame, SparkSession

from batch_processing.gold_table import replace as replace_rows
from batch_processing.incremental import MAX_RANGES, Note, Pending, date_ranges, in_dates, note_of, pending_since
from batch_processing.quality.dates import following_weekdays, missing_between, weeks_before
from batch_processing.quality.judging import Outcome, failures
from batch_processing.quality.measuring import Values, age, measure, read_rows, rows_by_date, weeks_back
from batch_processing.quality.observing import EMPTY, Measured, Observed, observed
from batch_processing.quality.results import Result, metadata, notes, results_table, rows_of, standing
from data_lake.delta_tables import ensure_table
from data_lake.expectations import Freshness, Suite
from data_lake.expectations.kinds import Kind
from data_lake.tables import table
from tidemill.config.settings import Settings

AGE = "freshness"
OF_AGE = f"kind = '{AGE}'"
OPEN = (Outcome.FAILED, Outcome.EARLY)
"""What is judged again with every new version of the table, also where its date did not change."""


@dataclass(frozen=True)
class Checked:
    """What a run did for a table, and what stands. ``dates`` judged (None: all); ``reason`` why so many, or none."""

    table: str
    dates: int | None
    source_version: int
    reason: str
    standing: tuple[Result, ...]

    @property
    def stops(self) -> list[Result]:
        """The critical failures."""
        return [result for result in self.standing if result.stops]


def check(
    spark: SparkSession, settings: Settings, suites: Sequence[Suite], now: datetime, full: bool = False
) -> Checked:
    """Judge what changed in the one table of ``suites``; without a change only its freshness, which time changes.

    Raises:
        SourceMissingError: the table does not exist yet.
        SuiteError: Spark refuses the SQL of an expectation; nothing is committed.
        ConcurrentRunError: another run judged the table meanwhile.
    """
    source = table(suites[0].table)
    noted, before = notes(settings), standing(settings, suites)
    note = note_of(settings, source, {suite.name: suite.digest for suite in suites})
    work = pending_since(spark, settings, source, noted.get(source.name), note, full)
    rows = read_rows(spark, settings, source.name, note.source_version)
    hours = age(rows, now) if any(map(_freshness_of, suites)) else {}
    if work.is_nothing:
        asked = [_only_freshness(suite) for suite in suites if _freshness_of(suite)]
        days, where = {*hours}, OF_AGE
    else:
        asked, days = list(suites), _days(rows, suites, work, before, hours)
        where = _where(work, days)
    measured = measure(settings, rows, asked, days, hours) if days else {}
    version = note.source_version
    results = [result for suite in asked for result in judge(suite, days, measured, version, now)] if days else []
    is_news = not work.is_nothing or _outcomes(results) != _outcomes(of for of in before if of.kind == AGE)
    if is_news:
        _write(spark, settings, results, f"table_name = '{source.name}' AND {where}", {**noted, source.name: note})
    dates = len({result.event_date for result in results}) if is_news else 0
    every = work.dates is None
    return Checked(source.name, None if every else dates, note.source_version, work.reason, _now(settings, suites))


def _now(settings: Settings, suites: Sequence[Suite]) -> tuple[Result, ...]:
    return tuple(standing(settings, suites))


def _where(work: Pending, days: set[date]) -> str:
    """The results that are replaced; the table has one newest event, so of its age there is one result."""
    return "true" if work.dates is None else f"({in_dates('event_date', sorted(days))} OR {OF_AGE})"


def _outcomes(results: Iterable[Result]) -> set[tuple[str, str, date, str]]:
    return {(result.suite, result.expectation, result.event_date, result.outcome) for result in results}


def _freshness_of(suite: Suite) -> Mapping[str, Kind]:
    return {name: kind for name, kind in suite.expectations.items() if isinstance(kind, Freshness)}


def _only_freshness(suite: Suite) -> Suite:
    return replace(suite, expectations=_freshness_of(suite))


def _days(
    rows: DataFrame, suites: Sequence[Suite], work: Pending, before: Sequence[Result], hours: Values
) -> set[date]:
    """What is judged: dates that changed, that are compared with those, that are open, and on which nothing came."""
    weeks = weeks_back(suites)
    if work.dates is None:
        present = rows_by_date(rows, None)
        return {*present, *missing_between(present, weeks)}
    judged = {result.event_date for result in before}
    missing = missing_between(rows_by_date(rows, weeks_before(work.dates, weeks)), weeks)
    return _covered(
        *work.dates,
        *(following_weekdays(work.dates, weeks) & judged),
        *(result.event_date for result in before if result.outcome in OPEN),
        *(day for day in missing if day not in judged),
        *hours,
    )


def _covered(*days: date) -> set[date]:
    """``days``, and those in gaps between them that the condition on results to replace has no room to leave out."""
    spans = date_ranges(days, MAX_RANGES)
    return {first + timedelta(days=step) for first, last in spans for step in range((last - first).days + 1)}


def judge(
    suite: Suite, days: Iterable[date], measured: Mapping[date, Measured], version: int, now: datetime
) -> Iterator[Result]:
    """How each of ``days`` is against each expectation of ``suite``.

    Raises:
        JudgingError: an expectation could not be evaluated.
    """
    seen = dict(_observed(suite, sorted(days), measured, now.date()))
    numbers = {day: {name: seen[name, day].number for name, of in seen if of == day} for _, day in seen}
    failed = failures(suite, numbers)
    for (name, day), observation in seen.items():
        expectation = suite.expectations[name]
        low, high = expectation.bounds
        yield Result(
            table_name=suite.table,
            event_date=day,
            suite=suite.name,
            suite_digest=suite.digest,
            expectation=name,
            kind=expectation.kind,
            severity=str(expectation.severity),
            outcome=str(_outcome(observation, (name, day) in failed)),
            observed=observation.number,
            low=low,
            high=high,
            rows=measured.get(day, EMPTY).rows,
            why=observation.why or None,
            source_version=version,
            judged_at=now,
        )


def _observed(
    suite: Suite, days: Sequence[date], measured: Mapping[date, Measured], today: date
) -> Iterator[tuple[tuple[str, date], Observed]]:
    for name, expectation in suite.expectations.items():
        for day in days:
            seen = observed(f"{suite.name}:{name}", expectation, day, measured, today)
            if seen is not None:
                yield (name, day), seen


def _outcome(observation: Observed, has_failed: bool) -> Outcome:
    if has_failed:
        return Outcome.FAILED
    if observation.number is not None:
        return Outcome.PASSED
    return Outcome.EARLY if observation.is_early else Outcome.UNKNOWN


def _write(
    spark: SparkSession, settings: Settings, results: Sequence[Result], where: str, noted: Mapping[str, Note]
) -> None:
    target = results_table()
    ensure_table(spark, target, settings)
    rows = spark.createDataFrame(list(rows_of(results)), target.ddl)
    replace_rows(settings, target, rows, where, metadata(noted))
