"""Who is active at each cutoff, and what comes after it: absence and future aggregates.

Cutoffs are the starts of days in UTC and windows whole days, so that days decide who is active: events are first
reduced to the days an entity had one on.
"""

from collections.abc import Sequence
from datetime import date

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F  # noqa: N812
from pyspark.sql.types import DoubleType

from feature_store.definitions import Absence, FeatureService, FutureAggregate
from feature_store.offline.training import EVENT_TIMESTAMP, training_frame
from ml_modeling.questions.filters import passing
from ml_modeling.questions.lake import Tables
from ml_modeling.questions.rows import LABEL, MATURED, answered, later, moments

DAY, CUTOFF, HAPPENED = "day", "cutoff", "happened_at"
IS_ACTIVE, CAME_AGAIN = "is_active", "came_again"


def labelled_at_cutoffs(tables: Tables, question: Absence | FutureAggregate, cutoffs: Sequence[date]) -> DataFrame:
    """One row an active entity and cutoff: the entity's key, and the columns of labelled rows."""
    rows = _absent(tables, question, cutoffs) if isinstance(question, Absence) else _future(tables, question, cutoffs)
    return rows.withColumn(MATURED, later(F.col(EVENT_TIMESTAMP), question.horizon))


def _absent(tables: Tables, question: Absence, cutoffs: Sequence[date]) -> DataFrame:
    asked = _around(tables, question, cutoffs)
    return asked.select(question.entity.key, EVENT_TIMESTAMP, absent().alias(LABEL))


def absent() -> Column:
    """The label of an absence, of rows that say whether an event came again."""
    return F.when(F.col(CAME_AGAIN), F.lit(0)).otherwise(F.lit(1))


def _future(tables: Tables, question: FutureAggregate, cutoffs: Sequence[date]) -> DataFrame:
    """The label is a feature as of the end of the horizon, so features and labels are computed by the same code."""
    (feature,) = question.group.features
    asked = _around(tables, question, cutoffs).select(
        question.entity.key, later(F.col(EVENT_TIMESTAMP), question.horizon).alias(EVENT_TIMESTAMP)
    )
    service = FeatureService("future", (feature,))
    found = training_frame(asked, service, tables.settings, versions=tables.versions)
    label = answered(question.answer, F.col(feature.name), DoubleType(), feature.name)
    at_cutoff = later(F.col(EVENT_TIMESTAMP), -question.horizon)
    rows = found.select(question.entity.key, at_cutoff.alias(EVENT_TIMESTAMP), label.alias(LABEL))
    return rows.where(F.col(LABEL).isNotNull())


def counted(tables: Tables, question: Absence | FutureAggregate) -> DataFrame:
    """The entity's key and the time, ``happened_at``, of each event that the question counts."""
    source, column = question.source, question.group.entity_column
    rows = tables.rows(source)
    counts = passing(question.filters, rows, source) & F.col(column).isNotNull()
    owner = F.col(column).cast("string").alias(question.entity.key)
    return rows.where(counts).select(owner, F.col(source.event_time).alias(HAPPENED))


def _around(tables: Tables, question: Absence | FutureAggregate, cutoffs: Sequence[date]) -> DataFrame:
    """One row an active entity and cutoff: whether another event came within the horizon after it."""
    key = question.entity.key
    days = counted(tables, question).select(key, F.to_date(HAPPENED).alias(DAY)).distinct()
    first = F.date_sub(F.col(CUTOFF), question.active.days)
    end = F.date_add(F.col(CUTOFF), question.horizon.days)
    return (
        days.join(moments(tables.spark, cutoffs), (F.col(DAY) >= first) & (F.col(DAY) < end))
        .groupBy(key, F.col(CUTOFF).cast("timestamp").alias(EVENT_TIMESTAMP))
        .agg(
            F.max(F.col(DAY) < F.col(CUTOFF)).alias(IS_ACTIVE),
            F.max(F.col(DAY) >= F.col(CUTOFF)).alias(CAME_AGAIN),
        )
        .where(IS_ACTIVE)
    )
