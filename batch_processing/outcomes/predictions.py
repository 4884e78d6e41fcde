"""The log's rows as predictions: who answered what about whom, and whether a model made the answer."""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F  # noqa: N812

from ml_modeling.questions import EVENT_TIMESTAMP, KEY
from ml_modeling.registry.unscored import UNSCORED
from ml_modeling.use_case import UseCase

IDENTITY = ("event_date", "source", "event_id")
CHAMPION = "champion"
ENTITIES, INPUTS = "entities", "inputs"


def predictions(log: DataFrame, use_case: UseCase) -> DataFrame:
    """The predictions of a use case: columns of ``gold/prediction_outcomes``, and what they are joined by.

    ``event_timestamp`` is the time that the features were as of, ``row_key`` tells predictions apart.
    """
    key = use_case.question.entity.key
    asked_at = F.coalesce("features_at", "event_time")
    entity = F.coalesce(F.col(ENTITIES)[key], F.col("entity_id") if _asks_for(use_case, key) else F.lit(None))
    degraded = F.coalesce("degraded", F.array().cast("array<string>"))
    return log.where(F.col("use_case") == use_case.name).select(
        *IDENTITY,
        "event_time",
        "use_case",
        "request_id",
        # Of before the log had them: a key has a value.
        *(F.coalesce(name, F.lit("")).alias(name) for name in ("model_run_id", "model_id")),
        "model_version",
        _arm(log).alias("arm"),
        entity.alias("entity"),
        asked_at.alias("asked_at"),
        (~F.arrays_overlap(degraded, F.array(*map(F.lit, UNSCORED)))).alias("is_scored"),
        degraded.alias("degraded"),
        "decision",
        "score",
        "value",
        "interval",
        "scores",
        "event_month",
        ENTITIES,
        INPUTS,
        asked_at.alias(EVENT_TIMESTAMP),
        entity.alias(key),
        F.concat_ws("/", *IDENTITY).alias(KEY),
    )


def _asks_for(use_case: UseCase, key: str) -> bool:
    """Whether a request names this entity first: the log of before it had all of them has the first one only."""
    return use_case.service.groups[0].entity.key == key


def _arm(log: DataFrame) -> Column:
    return F.coalesce("arm", F.lit(CHAMPION)) if "arm" in log.columns else F.lit(CHAMPION)
