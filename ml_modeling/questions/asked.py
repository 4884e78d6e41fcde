"""Questions about entities, asked at any moment instead of a cutoff: what came true of a prediction.

At the start of a day the answers are those of ``cutoffs``. In between, days no longer decide: the windows are compared
with the times of events, and what a future aggregate counts begins at the very moment, which a window that is rounded
down to a hop would not. So each row gets the events of its own horizon, and the kernel computes over these.
"""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812
from pyspark.sql.types import DoubleType

from feature_store.definitions import Absence, FeatureGroup, FeatureService, FutureAggregate
from feature_store.definitions.windows import micros
from feature_store.lake.silver import event_columns
from feature_store.lake.spans import ENTITY, TIME
from feature_store.offline.training import EVENT_TIMESTAMP, frame_of_events
from ml_modeling.questions.cutoffs import CAME_AGAIN, HAPPENED, IS_ACTIVE, absent, counted
from ml_modeling.questions.lake import Tables
from ml_modeling.questions.rows import KEY, LABEL, MATURED, answered, later


def labelled_when_asked(tables: Tables, question: Absence | FutureAggregate, asked: DataFrame) -> DataFrame:
    """The labelled rows of ``asked``, which has the entity's key, ``event_timestamp`` and a ``row_key`` of each row.

    A row whose entity was not active at its time, or that has no value, is left out. Whose horizon is over the caller
    has to know.
    """
    rows = _absent(tables, question, asked) if isinstance(question, Absence) else _future(tables, question, asked)
    return rows.withColumn(MATURED, later(F.col(EVENT_TIMESTAMP), question.horizon))


def _absent(tables: Tables, question: Absence, asked: DataFrame) -> DataFrame:
    active = _around(tables, question, asked)
    return active.select(KEY, question.entity.key, EVENT_TIMESTAMP, absent().alias(LABEL))


def _future(tables: Tables, question: FutureAggregate, asked: DataFrame) -> DataFrame:
    (feature,) = question.group.features
    key, end = question.entity.key, later(F.col(EVENT_TIMESTAMP), question.horizon)
    active = _around(tables, question, asked).select(KEY, key, EVENT_TIMESTAMP)
    each_by_itself = active.select(F.col(KEY).alias(key), end.alias(EVENT_TIMESTAMP))

    def within_horizon(group: FeatureGroup) -> DataFrame:
        events = event_columns(tables.rows(question.source), group)
        of_rows = active.select(KEY, F.col(key).alias(ENTITY), F.unix_micros(EVENT_TIMESTAMP).alias("begin"))
        at = F.col(TIME)
        ends = F.col("begin") + F.lit(micros(question.horizon))
        counted_by = events.join(of_rows, ENTITY).where((at >= F.col("begin")) & (at < ends))
        return counted_by.withColumn(ENTITY, F.col(KEY)).select(*events.columns)

    service = FeatureService("future", (feature,))
    values = frame_of_events(each_by_itself, service, tables.settings, within_horizon)
    label = answered(question.answer, F.col(feature.name), DoubleType(), feature.name)
    labelled = values.select(F.col(key).alias(KEY), label.alias(LABEL)).where(F.col(LABEL).isNotNull())
    return active.join(labelled, KEY).select(KEY, key, EVENT_TIMESTAMP, LABEL)


def _around(tables: Tables, question: Absence | FutureAggregate, asked: DataFrame) -> DataFrame:
    """The rows whose entity is active at their time, and whether another event came within the horizon after it."""
    key, at, happened = question.entity.key, F.col(EVENT_TIMESTAMP), F.col(HAPPENED)
    near = (happened >= later(at, -question.active)) & (happened < later(at, question.horizon))
    rows = asked.select(F.col(key).cast("string").alias(key), KEY, EVENT_TIMESTAMP)
    return (
        rows.join(counted(tables, question), key)
        .where(near)
        .groupBy(KEY, key, EVENT_TIMESTAMP)
        .agg(F.max(happened < at).alias(IS_ACTIVE), F.max(happened >= at).alias(CAME_AGAIN))
        .where(IS_ACTIVE)
    )
