"""Which event a prediction is about: a request is made while the event is, and does not have to name it."""

from datetime import timedelta

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F  # noqa: N812

from batch_processing.outcomes.predictions import ENTITIES, INPUTS
from feature_store.definitions import FeatureService
from feature_store.definitions.windows import micros
from ml_modeling.questions import EVENT_TIMESTAMP, KEY

NEAR = timedelta(minutes=10)
"""So far from the request's time may its event lie."""
NAMED_WITHIN = timedelta(days=7)
"""So far if the request has the event's key as its id."""
PREDICTION, EVENT_KEY, HAPPENED = "prediction", "event_key", "happened_at"


def matched(asked: DataFrame, events: DataFrame, service: FeatureService) -> DataFrame:
    """``prediction``, the ``row_key`` of a prediction, with the ``event_key`` and ``happened_at`` of its event.

    An event is a prediction's that has the same entities and inputs: the one whose key is the request's id, else the
    nearest in time; of equally near ones the earlier, then the first by key. A prediction without one is left out.
    """
    keys, inputs = service.keys, [given.name for given in service.inputs]
    left = asked.select(
        F.col(KEY).alias(PREDICTION),
        F.col(EVENT_TIMESTAMP).alias("at"),
        "request_id",
        *(F.col(ENTITIES)[key].alias(f"asked_{key}") for key in keys),
        *(F.col(INPUTS)[name].alias(f"asked_{name}") for name in inputs),
    )
    right = events.select(
        F.col(KEY).alias(EVENT_KEY),
        F.col(EVENT_TIMESTAMP).alias(HAPPENED),
        *(F.col(key).cast("string").alias(key) for key in keys),
        *(F.col(name).cast("double").alias(name) for name in inputs),
    )
    same = [F.col(f"asked_{key}") == F.col(key) for key in keys]
    same += [F.col(f"asked_{name}").eqNullSafe(F.col(name)) for name in inputs]
    is_named, apart = F.col("request_id") == F.col(EVENT_KEY), _apart(F.col("at"), F.col(HAPPENED))
    within = F.when(is_named, F.lit(micros(NAMED_WITHIN))).otherwise(F.lit(micros(NEAR)))
    order = F.struct(~is_named, apart, HAPPENED, EVENT_KEY)
    nearest = F.min_by(F.struct(EVENT_KEY, HAPPENED), order).alias("nearest")
    return (
        left.join(right, same)
        .where(apart <= within)
        .groupBy(PREDICTION)
        .agg(nearest)
        .select(PREDICTION, f"nearest.{EVENT_KEY}", f"nearest.{HAPPENED}")
    )


def _apart(time: Column, other: Column) -> Column:
    return F.abs(F.unix_micros(time) - F.unix_micros(other))
