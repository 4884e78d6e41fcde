"""Judges the dates of a table that changed since it was judged last, by all of its suites, in one commit."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from pyspark.sql import SparkSession

from batch_processing.gold_table import replace as replace_rows
from batch_processing.incremental import Note, Pending, in_dates, note_of, pending_since
from batch_processing.quality.due import Due, Present, by_now, everything, since
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
    """Judge what changed in the one table of ``suites``; without a change what time decides, such as its freshness.

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

    def present(days: Collection[date] | None) -> Collection[date]:
        return rows_by_date(rows, days)

    due = _due(work, before, now.date(), weeks_back(suites), present)
    asked = suites if due.judged else [_only_freshness(suite) for suite in suites]
    days = {*due.judged, *hours}
    measured = measure(settings, rows, asked, days, hours) if days else {}
    results = list(_results(suites, due, hours, measured, note.source_version, now))
    replaced = [result for result in before if result.kind == AGE or due.replaces(result)]
    is_news = not work.is_nothing or _outcomes(results) != _outcomes(replaced)
    if is_news:
        where = f"table_name = '{source.name}' AND {_where(due)}"
        _write(spark, settings, results, where, {**noted, source.name: note})
    dates = len({result.event_date for result in results}) if is_news else 0
    every = work.dates is None
    return Checked(source.name, None if every else dates, note.source_version, work.reason, _now(settings, suites))


def _now(settings: Settings, suites: Sequence[Suite]) -> tuple[Result, ...]:
    return tuple(standing(settings, suites))


def _due(work: Pending, before: Sequence[Result], today: date, weeks: int, present: Present) -> Due:
    if work.dates is None:
        return everything(present, weeks)
    if work.is_nothing:
        return by_now(before, today, weeks, present)
    return since(work.dates, before, weeks, present)


def _where(due: Due) -> str:
    """The results that are replaced; the table has one newest event, so of its age there is one result."""
    if due.replaced is None:
        return "true"
    return f"({in_dates('event_date', sorted(due.replaced))} OR {OF_AGE})" if due.replaced else OF_AGE


def _outcomes(results: Iterable[Result]) -> set[tuple[str, str, date, str]]:
    return {(result.suite, result.expectation, result.event_date, result.outcome) for result in results}


def _freshness_of(suite: Suite) -> Mapping[str, Kind]:
    return {name: kind for name, kind in suite.expectations.items() if isinstance(kind, Freshness)}


def _only_freshness(suite: Suite) -> Suite:
    return replace(suite, expectations=_freshness_of(suite))


def _but_freshness(suite: Suite) -> Suite:
    others = {name: kind for name, kind in suite.expectations.items() if not isinstance(kind, Freshness)}
    return replace(suite, expectations=others)


def _results(  # noqa: PLR0913, PLR0917 - of what, by what, when
    suites: Sequence[Suite], due: Due, hours: Values, measured: Mapping[date, Measured], version: int, now: datetime
) -> Iterator[Result]:
    """Of each date that is due, and of the table's age at the date of its newest event."""
    for suite in suites:
        for part, days in ((_but_freshness(suite), {*due.judged}), (_only_freshness(suite), {*hours})):
            if part.expectations and days:
                yield from judge(part, days, measured, version, now)


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
