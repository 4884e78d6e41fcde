"""The tables that a question is answered from, each at one version."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812

from data_lake import commits
from data_lake.table import Table
from data_lake.tables import table
from feature_store.definitions import FeatureService, Question, Source
from tidemill.config.errors import TerminalError
from tidemill.config.settings import Settings


class NoDataError(TerminalError):
    """The lake has no events to train on; the message names the table and what fills it."""


class QuestionError(TerminalError):
    """A question that the tables cannot answer; the message names the column and what to write instead."""


@dataclass(frozen=True)
class Tables:
    """``versions`` are the Delta versions by table name.

    Of each table only the events from ``begin`` to before ``end`` (aware) are there, where these are given.
    """

    spark: SparkSession
    settings: Settings
    versions: Mapping[str, int]
    begin: datetime | None = None
    end: datetime | None = None

    @classmethod
    def of(
        cls,
        spark: SparkSession,
        settings: Settings,
        question: Question,
        service: FeatureService,
        beside: Sequence[Source] = (),
    ) -> "Tables":
        """The tables of a question, of its features, and those ``beside`` that are there, as they are now.

        Raises:
            NoDataError: one is missing.
        """
        of_question = [source.table for source, _ in question.reads]
        of_features = [group.source.table for group in service.groups]
        there = [source.table for source in beside if commits.exists(table(source.table), settings)]
        names = dict.fromkeys([*of_question, *of_features, *there])
        return cls(spark, settings, {name: _version(settings, table(name)) for name in names})

    def between(self, begin: datetime | None, end: datetime | None) -> "Tables":
        """The same tables, of which only the events of a time are read."""
        return replace(self, begin=begin, end=end)

    def rows(self, source: Source) -> DataFrame:
        """The events of a source's table: its rows that have an event time."""
        reader = self.spark.read.format("delta").option("versionAsOf", self.versions[source.table])
        at = F.col(source.event_time)
        events = reader.load(table(source.table).path(self.settings)).where(at.isNotNull())
        if self.begin is not None:
            events = events.where(at >= F.lit(self.begin))
        return events if self.end is None else events.where(at < F.lit(self.end))

    def days(self, source: Source) -> dict[date, int]:
        """How many events each day has.

        Raises:
            NoDataError: there is none.
        """
        counts = per_day(self.rows(source), source.event_time)
        if not counts:
            raise NoDataError(f"table {source.table} has no row: feed events first (`tidemill produce`)")
        return counts


def per_day(rows: DataFrame, time: str) -> dict[date, int]:
    """How many ``rows`` each day has by their column ``time``: as many numbers as there are days."""
    counts = rows.groupBy(F.to_date(time).alias("day")).count().where("day IS NOT NULL").collect()
    return {row["day"]: row["count"] for row in counts}


def _version(settings: Settings, source: Table) -> int:
    if not commits.exists(source, settings):
        raise NoDataError(f"no table {source.name} at {source.path(settings)}: start the stream and feed events first")
    return commits.current_version(source, settings)
