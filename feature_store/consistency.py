"""Are the features that the model server answered with the ones that the lake has? Measured from its own log.

Each logged answer says which commit of silver its states had taken in. So the comparison is exact, lag or not: the
features are computed again from the commits up to that one, as of the same microsecond. How far a state was behind the
lake at that moment is another question, freshness, and has its own count.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import reduce

from py4j.protocol import Py4JJavaError  # type: ignore[import-untyped]
from pyspark.errors.exceptions.captured import CapturedException
from pyspark.sql import Column, DataFrame, SparkSession, Window
from pyspark.sql import functions as F  # noqa: N812
from pyspark.sql.types import StructType

from config.errors import TerminalError
from config.settings import Settings
from data_lake import commits
from data_lake.delta_tables import ensure_table
from data_lake.tables import silver, table
from feature_store.definitions import FeatureGroup, FeatureService, Function
from feature_store.definitions.group import Feature
from feature_store.silver import KNOWN, event_columns
from feature_store.spans import ENTITY, TIME
from feature_store.training import EVENT_TIMESTAMP, features_at

PREDICTIONS = "serving.prediction.v1"
RESULTS = "gold/feature_consistency"
FETCH, FETCHES, LEARNT = "event_id", "fetches", "_learnt"
KINDS = ("matched", "mismatched", "missing", "extra")
RELATIVE = 1e-9
EXACT_DISTINCT, DISTINCT_ERROR = 256, 5 * 0.023
WORST = 3


class CommitsGoneError(TerminalError):
    """Retention has removed commits of silver that are needed to compute a value again."""


@dataclass(frozen=True)
class FeatureConsistency:
    """How often the logged value of one feature was the recomputed one.

    ``missing``: nothing was logged where the lake has a value; ``extra``: the other way round. ``worst`` has up to
    three fetches that differ, the largest difference first.
    """

    feature: str
    matched: int
    mismatched: int
    missing: int
    extra: int
    worst: tuple[Mapping[str, object], ...] = ()


@dataclass(frozen=True)
class Consistency:
    """``fetches`` were compared; at ``behind`` of them the lake had events that the states had not, for ``lag_s``."""

    service: str
    fingerprint: str
    begin: datetime
    end: datetime
    fetches: int
    behind: int
    lag_s: Mapping[str, float]
    features: tuple[FeatureConsistency, ...]

    @property
    def rate(self) -> float:
        """The share of values that are not the recomputed ones."""
        wrong = sum(one.mismatched + one.missing + one.extra for one in self.features)
        return wrong / max(self.fetches * len(self.features), 1)


def measure(
    spark: SparkSession, settings: Settings, service: FeatureService, begin: datetime, end: datetime
) -> Consistency:
    """Compare the fetches of ``service`` from ``begin`` to before ``end`` (aware), and write a row a feature.

    Raises:
        CommitsGoneError: silver no longer has the commits that the fetches were made from.
    """
    fetches = _fetches(spark, settings, service, begin, end).persist()
    try:
        applied = {group.name: F.col("applied")[group.name] for group in service.groups}
        limits = fetches.agg(
            F.count(F.lit(1)).alias(FETCHES),
            *(F.min(column).alias(name) for name, column in applied.items()),
        ).head()
        if limits is None or not limits[FETCHES]:
            return Consistency(service.name, service.fingerprint, begin, end, 0, 0, {}, ())
        events = {group.name: _events(spark, settings, group, limits[group.name]) for group in service.groups}
        spine = fetches.withColumnRenamed("features", "logged")
        expected = features_at(
            spine,
            service,
            lambda group: events[group.name],
            lambda group: applied[group.name],
            settings.spark.events_a_task,
        )
        features = _compared(expected, service)
        behind, lag = _behind(fetches, service, events)
    except (Py4JJavaError, CapturedException) as error:
        gone = commits.gone(error)
        if gone is None:
            raise
        raise CommitsGoneError(
            f"silver no longer has all commits that the fetches from {begin} on were made from ({gone}): compare a "
            "later period (--from), and run feature_consistency more often than the log is cleaned"
        ) from error
    finally:
        fetches.unpersist()
    found = Consistency(service.name, service.fingerprint, begin, end, limits[FETCHES], behind, lag, features)
    _write(spark, settings, found)
    return found


def _fetches(
    spark: SparkSession, settings: Settings, service: FeatureService, begin: datetime, end: datetime
) -> DataFrame:
    """One row a logged answer that had features: the keys and inputs, the time, the commits, the values."""
    path = silver(PREDICTIONS).path(settings)
    keys = dict.fromkeys(group.entity.key for group in service.groups)
    at = F.col("features_at")
    return (
        spark.read.format("delta")
        .load(path)
        .where((F.col("feature_service") == service.name) & (F.col("feature_fingerprint") == service.fingerprint))
        .where((at >= F.lit(begin)) & (at < F.lit(end)))
        .where(F.forall(F.array(*(F.lit(group.name) for group in service.groups)), _has_commit))
        .select(
            FETCH,
            at.alias(EVENT_TIMESTAMP),
            "applied",
            "features",
            *(F.col("entities")[key].alias(key) for key in keys),
            *(F.col("inputs")[one.name].alias(one.name) for one in service.inputs),
        )
    )


def _has_commit(group: Column) -> Column:
    return F.map_contains_key("applied", group)


def _events(spark: SparkSession, settings: Settings, group: FeatureGroup, first: int) -> DataFrame:
    """The events of ``group``; the known time of one is the commit it came with, 0 for all up to ``first``.

    ``learnt`` is its known time.
    """
    silver = table(group.source.table)
    path = silver.path(settings)
    learnt, commit = F.unix_micros(group.source.known_time).alias(LEARNT), F.col("_commit_version")
    current = commits.current_version(silver, settings)
    begin = min(first, current)
    rows = spark.read.format("delta").option("versionAsOf", max(begin, 0)).load(path)
    before = event_columns(rows, group, learnt).withColumn(KNOWN, F.lit(0).cast("long"))
    if begin == current:
        return before
    feed = spark.read.format("delta").options(readChangeFeed="true", startingVersion=max(begin, 0) + 1).load(path)
    inserted = feed.where(F.col("_change_type") == "insert")
    after = event_columns(inserted, group, learnt, commit).withColumn(KNOWN, commit).drop("_commit_version")
    return before.unionByName(after)


def _compared(expected: DataFrame, service: FeatureService) -> tuple[FeatureConsistency, ...]:
    pairs = F.explode(
        F.array(
            *(
                F.struct(
                    F.lit(name).alias("feature"),
                    F.col("logged")[name].alias("logged"),
                    F.col(name).alias("expected"),
                    F.lit(_is_distinct(one)).alias("is_distinct"),
                    F.map_contains_key("logged", name).alias("is_logged"),
                )
                for name, one in zip(service.names, service.features, strict=True)
            )
        )
    ).alias("pair")
    keys = list(dict.fromkeys(group.entity.key for group in service.groups))
    rows = expected.select(FETCH, EVENT_TIMESTAMP, *keys, pairs).select(FETCH, EVENT_TIMESTAMP, *keys, "pair.*")
    # A model may read some features of its service only.
    rows = rows.where("is_logged").drop("is_logged")
    kind = _kind(F.col("logged"), F.col("expected"), F.col("is_distinct"))
    judged = rows.withColumn("kind", kind).persist()
    kinds = (F.count(F.when(F.col("kind") == name, 1)).alias(name) for name in KINDS)
    counts = {row["feature"]: row for row in judged.groupBy("feature").agg(*kinds).collect()}
    worst = _worst(judged.where(F.col("kind") != "matched").drop("is_distinct"))
    judged.unpersist()
    return tuple(
        FeatureConsistency(name, **{one: int(counts[name][one]) for one in KINDS}, worst=worst.get(name, ()))
        for name in service.names
        if name in counts
    )


def _worst(wrong: DataFrame) -> dict[str, tuple[Mapping[str, object], ...]]:
    """Of each feature the few that differ most, as rows; a value on one side only comes first."""
    off = F.coalesce(F.abs(F.col("logged") - F.col("expected")), F.lit(float("inf")))
    rank = F.row_number().over(Window.partitionBy("feature").orderBy(off.desc(), FETCH))
    found: dict[str, tuple[Mapping[str, object], ...]] = {}
    for row in wrong.withColumn("rank", rank).where(F.col("rank") <= WORST).orderBy("feature", "rank").collect():
        example = {name: value for name, value in row.asDict().items() if name not in ("feature", "rank")}
        example[EVENT_TIMESTAMP] = example[EVENT_TIMESTAMP].isoformat()
        found[row["feature"]] = (*found.get(row["feature"], ()), example)
    return found


def _is_distinct(feature: object) -> bool:
    return isinstance(feature, Feature) and feature.function is Function.COUNT_DISTINCT


def _kind(logged: Column, expected: Column, is_distinct: Column) -> Column:
    """Sums within float64's rounding; distinct values beyond what a state keeps, within five standard errors."""
    allowed = F.when(is_distinct & (expected > EXACT_DISTINCT), DISTINCT_ERROR * expected).otherwise(
        RELATIVE * F.greatest(F.abs(expected), F.lit(1.0))
    )
    return (
        F.when(logged.isNull() & expected.isNull(), "matched")
        .when(logged.isNull(), "missing")
        .when(expected.isNull(), "extra")
        .when(F.abs(logged - expected) <= allowed, "matched")
        .otherwise("mismatched")
    )


def _behind(
    fetches: DataFrame, service: FeatureService, events: Mapping[str, DataFrame]
) -> tuple[int, Mapping[str, float]]:
    """At how many fetches the lake had events that the states had not taken in, and since when, in seconds."""

    def waiting(group: FeatureGroup) -> DataFrame:
        asked = fetches.select(
            FETCH,
            F.unix_micros(EVENT_TIMESTAMP).alias("at"),
            F.col("applied")[group.name].alias("taken"),
            F.col(group.entity.key).alias(ENTITY),
        )
        late = (F.col(KNOWN) > F.col("taken")) & (F.col(LEARNT) <= F.col("at")) & (F.col(TIME) < F.col("at"))
        return asked.join(events[group.name].where(F.col(KNOWN) > 0), ENTITY).where(late).select(FETCH, "at", LEARNT)

    found = reduce(DataFrame.union, (waiting(group) for group in service.groups))
    lags = found.groupBy(FETCH).agg((F.max((F.col("at") - F.col(LEARNT)) / 1e6)).alias("lag"))
    row = lags.agg(
        F.count(F.lit(1)).alias(FETCHES),
        F.percentile_approx("lag", 0.5).alias("median"),
        F.max("lag").alias("max"),
    ).head()
    if row is None or not row[FETCHES]:
        return 0, {}
    return int(row[FETCHES]), {name: round(float(row[name]), 3) for name in ("median", "max")}


def _write(spark: SparkSession, settings: Settings, found: Consistency) -> None:
    """Replace the rows of the same service and period."""
    target = table(RESULTS)
    ensure_table(spark, target, settings)
    rows = [
        (
            found.begin.date(),
            found.service,
            found.fingerprint,
            found.begin,
            found.end,
            one.feature,
            found.fetches,
            found.behind,
            *(getattr(one, kind) for kind in KINDS),
            json.dumps(one.worst, default=str),
        )
        for one in found.features
    ]
    names = [column.name for column in target.columns]
    schema = StructType([spark.read.format("delta").load(target.path(settings)).schema[name] for name in names])
    period = f"service = '{found.service}' AND begin = '{found.begin.isoformat()}' AND end = '{found.end.isoformat()}'"
    writer = spark.createDataFrame(rows, schema).coalesce(1).write.format("delta").mode("overwrite")
    writer.option("replaceWhere", period).save(target.path(settings))
