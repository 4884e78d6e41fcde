"""What Spark measures of dates: one pass over their rows for all suites of a table, one more for each look elsewhere.

What comes to the driver is a row a date.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import reduce
from operator import and_
from typing import Any

from pyspark.errors import PySparkException
from pyspark.sql import Column, DataFrame, SparkSession, Window
from pyspark.sql import functions as F  # noqa: N812

from batch_processing.incremental import in_dates
from batch_processing.quality.dates import around, before_and_of
from batch_processing.quality.observing import Measured, Unmeasured, Value
from batch_processing.query import OF_THE_QUERY
from data_lake import commits
from data_lake.expectations import Distribution, Freshness, Known, Measure, NullShare, Suite, SuiteError, Unique, Volume
from data_lake.expectations.kinds import Kind
from data_lake.tables import table
from tidemill.config.settings import Settings

DAY = "event_date"
ACCURACY = 10_000
"""Of ``percentile_approx``: a quantile is off by at most one in so many ranks."""
Values = dict[date, Value]


@dataclass(frozen=True)
class Named:
    """An expectation; ``key`` is its own among those of all suites of the table."""

    suite: Suite
    name: str
    expectation: Kind

    @property
    def key(self) -> str:
        return f"{self.suite.name}:{self.name}"


def named(suites: Sequence[Suite]) -> list[Named]:
    return [Named(suite, name, kind) for suite in suites for name, kind in suite.expectations.items()]


def weeks_back(suites: Sequence[Suite]) -> int:
    """How many weeks before a date the suites look at."""
    kinds = (each.expectation for each in named(suites))
    return max((kind.weeks for kind in kinds if isinstance(kind, Volume | Distribution)), default=0)


def rows_by_date(rows: DataFrame, days: Collection[date] | None) -> dict[date, int]:
    """How many rows each date has; dates without any are left out. None: of every date."""
    of_days = rows if days is None else rows.where(in_dates(DAY, sorted(days)))
    counted = of_days.groupBy(DAY).agg(F.count(F.lit(1)).alias("rows")).collect()
    return {row[DAY]: row["rows"] for row in counted}


def measure(
    settings: Settings, rows: DataFrame, suites: Sequence[Suite], days: Collection[date], hours: Values
) -> dict[date, Measured]:
    """What is to be known of ``days`` (not empty): of them, and of the dates they are compared with; ``hours`` of age.

    Raises:
        SuiteError: Spark refuses the SQL of an expectation.
    """
    expectations = named(suites)
    found: dict[str, Values] = {}
    counts, of_one_pass = _one_pass(rows, expectations, before_and_of(days, weeks_back(suites)))
    found |= of_one_pass
    for each in expectations:
        match each.expectation:
            case Unique():
                found[each.key] = _repeated(rows, each.expectation, days)
            case Known():
                found[each.key] = _unknown(settings, rows, each.expectation, days)
            case Freshness():
                found[each.key] = hours
    return {day: Measured(counts.get(day, 0), _of_day(found, day)) for day in {*counts, *days, *_days_of(found)}}


def _of_day(found: Mapping[str, Values], day: date) -> dict[str, Any]:
    return {key: values[day] for key, values in found.items() if day in values}


def _days_of(found: Mapping[str, Values]) -> set[date]:
    return {day for values in found.values() for day in values}


def _one_pass(
    rows: DataFrame, expectations: Sequence[Named], days: Collection[date]
) -> tuple[dict[date, int], dict[str, Values]]:
    of_days = rows.where(in_dates(DAY, sorted(days)))
    columns = {each.key: _aggregate(of_days, each) for each in expectations if _is_aggregate(each.expectation)}
    numbered = [column.alias(f"m{number}") for number, column in enumerate(columns.values())]
    with _refusals(expectations):
        measured = of_days.groupBy(DAY).agg(F.count(F.lit(1)).alias("rows"), *numbered).collect()
    values = {key: {row[DAY]: row[f"m{number}"] for row in measured} for number, key in enumerate(columns)}
    return {row[DAY]: row["rows"] for row in measured}, values


def _is_aggregate(expectation: Kind) -> bool:
    return isinstance(expectation, NullShare | Distribution | Measure)


def _aggregate(rows: DataFrame, each: Named) -> Column:
    """The number of a date; Spark is asked right away whether it can make it, so that the refusal has a name."""
    with _refusals([each]):
        column = _column(each.expectation)
        rows.groupBy(DAY).agg(column)
    return column


def _column(expectation: Kind) -> Column:
    match expectation:
        case NullShare():
            return F.avg(F.col(f"`{expectation.column}`").isNull().cast("double"))
        case Distribution():
            value = F.expr(expectation.of).cast("double")
            return F.percentile_approx(value, list(expectation.quantiles), ACCURACY)
        case Measure():
            return F.expr(expectation.sql).cast("double")
        case _:
            raise AssertionError(f"{expectation.kind} is no aggregate of a date's rows")


def _repeated(rows: DataFrame, expectation: Unique, days: Collection[date]) -> Values:
    """The share of rows whose key is there again; nearest by date are neighbours in the order of dates."""
    key = [F.col(f"`{name}`") for name in expectation.columns]
    complete = rows.where(reduce(and_, (column.isNotNull() for column in key)))
    asked = complete.where(in_dates(DAY, sorted(days)))
    near = complete.where(in_dates(DAY, sorted(around(days, expectation.days))))
    candidates = near.select(DAY, *key).join(asked.select(*key).distinct(), list(expectation.columns), "left_semi")
    order = Window.partitionBy(*key).orderBy(DAY)
    far = expectation.days + 1
    before = F.coalesce(F.datediff(F.col(DAY), F.lag(DAY).over(order)), F.lit(far))
    after = F.coalesce(F.datediff(F.lead(DAY).over(order), F.col(DAY)), F.lit(far))
    judged = candidates.select(DAY, (F.least(before, after) <= expectation.days).alias("is_repeated"))
    return _shares(judged.where(in_dates(DAY, sorted(days))), "is_repeated")


def _unknown(settings: Settings, rows: DataFrame, expectation: Known, days: Collection[date]) -> Values:
    """The share of values that the other table does not have."""
    reference = table(expectation.table)
    if not commits.exists(reference, settings):
        return dict.fromkeys(days, Unmeasured(f"there is no {reference.name} yet"))
    spark = rows.sparkSession
    there = spark.read.format("delta").load(reference.path(settings)).select(F.col(f"`{expectation.referenced}`"))
    known = there.distinct().select(F.col(f"`{expectation.referenced}`").alias("value"), F.lit(True).alias("is_known"))
    asked = rows.where(in_dates(DAY, sorted(days))).select(DAY, F.col(f"`{expectation.column}`").alias("value"))
    judged = asked.where("value IS NOT NULL").join(known, "value", "left")
    return _shares(judged.select(DAY, F.col("is_known").isNull().alias("is_unknown")), "is_unknown")


def _shares(rows: DataFrame, column: str) -> Values:
    shares = rows.groupBy(DAY).agg(F.avg(F.col(column).cast("double")).alias("share")).collect()
    return {row[DAY]: row["share"] for row in shares}


def age(rows: DataFrame, now: datetime) -> Values:
    """Hours since the newest event, at its own date; of what is stamped ahead of now nothing is known."""
    newest = _newest_event(rows, now)
    return {} if newest is None else {newest.date(): (now - newest).total_seconds() / 3600}


def _newest_event(rows: DataFrame, now: datetime) -> datetime | None:
    """The newest event that is not from the future; of today and the newest date before alone the rows are read."""
    before = rows.where(F.col(DAY) < F.lit(now.date())).agg(F.max(DAY).alias("day")).collect()[0]["day"]
    recent = rows.where(F.col(DAY).between(F.lit(before or now.date()), F.lit(now.date())))
    past = recent.where(F.col("event_time") <= F.lit(now))
    newest = past.agg(F.unix_micros(F.max("event_time")).alias("newest")).collect()[0]["newest"]
    return None if newest is None else datetime.fromtimestamp(newest / 1e6, UTC)


@contextmanager
def _refusals(expectations: Sequence[Named]) -> Iterator[None]:
    """Turns what Spark says against SQL of a suite into one sentence.

    Raises:
        SuiteError: Spark refused it, or a value that it met.
    """
    try:
        yield
    except PySparkException as error:
        if not isinstance(error, OF_THE_QUERY):
            raise
        places = ", ".join(f"{each.suite.file}: expectations.{each.name}" for each in expectations)
        reason = next(line for line in str(error).splitlines() if line.strip()).strip()
        raise SuiteError(f"{places}: Spark refuses it: {reason}") from error


def read_rows(spark: SparkSession, settings: Settings, name: str, version: int) -> DataFrame:
    """The rows of a table as they were at ``version``."""
    return spark.read.format("delta").option("versionAsOf", version).load(table(name).path(settings))
