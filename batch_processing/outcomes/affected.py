"""Which predictions have to be judged again: the new ones, those that are due, and those of changed events."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import reduce

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812

from batch_processing.outcomes.judged import PENDING
from batch_processing.outcomes.matching import EVENT_KEY, NAMED_WITHIN
from batch_processing.outcomes.predictions import IDENTITY
from batch_processing.outcomes.versions import Versions
from data_lake.tables import silver, table
from feature_store.definitions import Absence, FutureAggregate, Outcome, Own, Source
from ml_modeling.questions.rows import later
from ml_modeling.replay.logged import PREDICTIONS
from ml_modeling.use_case import UseCase
from tidemill.config.settings import Settings

OF, AT = "of_entity", "changed_at"
DAY = timedelta(days=1)


class Changes:
    """What was committed to the tables of a use case between two versions."""

    def __init__(self, spark: SparkSession, settings: Settings, before: Versions, now: Versions) -> None:
        self.spark, self.settings, self.before, self.now = spark, settings, before, now

    def are_there(self, name: str) -> bool:
        """Whether the table has commits since."""
        return self.before.tables[name].version < self.now.tables[name].version

    def rows(self, name: str) -> DataFrame:
        """The rows that were added, removed or changed, the latter as they were and as they are."""
        feed = self.spark.read.format("delta").option("readChangeFeed", "true")
        since = feed.option("startingVersion", self.before.tables[name].version + 1)
        return since.option("endingVersion", self.now.tables[name].version).load(table(name).path(self.settings))


def all_of_it(use_case: UseCase, log: DataFrame, outcomes: DataFrame) -> DataFrame:
    """The identity of every prediction, logged or joined before."""
    parts = (rows.where(F.col("use_case") == use_case.name).select(*IDENTITY) for rows in (log, outcomes))
    return reduce(DataFrame.union, parts).distinct()


def affected(use_case: UseCase, changes: Changes, outcomes: DataFrame, known_until: datetime) -> DataFrame:
    """The identity of each prediction whose outcome may be another than that in ``outcomes``."""
    mine = outcomes.where(F.col("use_case") == use_case.name)
    parts = [_due(mine, known_until), *_changed(use_case, changes, mine)]
    log = silver(PREDICTIONS).name
    if changes.are_there(log):
        parts.append(changes.rows(log).where(F.col("use_case") == use_case.name))
    return reduce(DataFrame.union, (part.select(*IDENTITY) for part in parts)).distinct()


def _due(outcomes: DataFrame, known_until: datetime) -> DataFrame:
    return outcomes.where((F.col("state") == PENDING) & (F.col("due_at") <= F.lit(known_until)))


def _changed(use_case: UseCase, changes: Changes, outcomes: DataFrame) -> Iterator[DataFrame]:
    question = use_case.question
    match question:
        case Absence() | FutureAggregate() if changes.are_there(question.source.table):
            yield _around(question, changes, outcomes)
        case Outcome():
            yield from _about(question, changes, outcomes)
        case Own() if any(changes.are_there(source.table) for source in question.sources):
            yield outcomes  # nobody but its function knows what a label is made of


def _around(question: Absence | FutureAggregate, changes: Changes, outcomes: DataFrame) -> DataFrame:
    rows = changes.rows(question.source.table)
    return _near(rows, question.source, question.group.entity_column, question.horizon, question.active, outcomes)


def _about(question: Outcome, changes: Changes, outcomes: DataFrame) -> Iterator[DataFrame]:
    events = question.events
    if changes.are_there(events.table):
        rows = changes.rows(events.table)
        yield _of_keys(rows, question.key, outcomes)
        yield _near(rows, events, question.entity_column, NAMED_WITHIN, NAMED_WITHIN, outcomes)
    if changes.are_there(question.of.table):
        yield _of_keys(changes.rows(question.of.table), question.key, outcomes)


def _of_keys(rows: DataFrame, key: str, outcomes: DataFrame) -> DataFrame:
    keys = rows.select(F.col(key).cast("string").alias(EVENT_KEY)).distinct()
    return outcomes.join(keys, EVENT_KEY, "left_semi")


def _near(  # noqa: PLR0913, PLR0917 - which events, and how far from a prediction
    rows: DataFrame, source: Source, entity_column: str, before: timedelta, after: timedelta, outcomes: DataFrame
) -> DataFrame:
    """The predictions of an entity that were made up to ``before`` ahead of a changed event of it, or ``after`` it.

    Those of days that no changed event is near to are not read.
    """
    named = rows.select(F.col(entity_column).cast("string").alias(OF), F.col(source.event_time).alias(AT))
    first, last = named.agg(F.min(F.to_date(AT)), F.max(F.to_date(AT))).collect()[0]
    if first is None:
        return outcomes.limit(0)
    # A day more: that of the prediction's event may be another than that of its features.
    days = F.col("event_date").between(first - before - DAY, last + after + DAY)
    asked, changed = F.col("asked_at"), F.col(AT)
    near = (changed >= later(asked, -after)) & (changed <= later(asked, before))
    return outcomes.where(days).join(named.distinct(), (F.col("entity") == F.col(OF)) & near, "left_semi")
