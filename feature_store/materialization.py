"""The newest feature rows into the online store, written from Spark's partitions.

The driver sees counts only. Rows are cut into buckets of about ``feast.write_chunk_rows`` by a hash of the entity; a
bucket written is noted in Redis, so a run that dies is taken up where it stopped. When all are, the version of the
table is noted there too: beside the rows, so that a Redis that lost them has lost the note as well.
"""

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from py4j.protocol import Py4JJavaError  # type: ignore[import-untyped]
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812
from redis.exceptions import RedisError

from config.errors import TerminalError, TransientError
from config.settings import Settings
from data_lake import commits
from feature_store.online_store import connect, connection_string, unavailable
from feature_store.online_writer import BUCKET, COUNTS, COUNTS_DDL, TIMEOUT_S, TRIES, bucket_writer
from feature_store.repository import PROJECT
from feature_store.views import View


class FeatureTableMissingError(TransientError):
    """The table of a view does not exist yet."""


class RowCountError(TransientError):
    """The online store did not take as many rows as the table has."""


class OnlineStoreFullError(TerminalError):
    """Redis has reached its memory limit."""


@dataclass(frozen=True)
class Watermark:
    """What the online store holds: the newest rows of one version of a table."""

    table_id: str
    version: int


@dataclass(frozen=True)
class Materialization:
    """What a run did.

    ``rows`` the newest snapshot has; ``written`` of them by this run, ``resumed`` by one that died, ``newer`` not
    written since the store has newer ones; ``reason`` why nothing was written.
    """

    view: str
    version: int
    as_of: str | None
    rows: int
    written: int = 0
    newer: int = 0
    resumed: int = 0
    reason: str = ""


def materialize(spark: SparkSession, settings: Settings, view: View) -> Materialization:
    """Write the rows of the newest time of ``view`` to the online store, unless they are there.

    Raises:
        FeatureTableMissingError: the view's table does not exist.
        OnlineStoreUnavailableError: Redis does not answer.
        OnlineStoreFullError: Redis has no memory left.
        RowCountError: rows are missing after the run.
    """
    path = view.table.path(settings)
    change = commits.newest_change(spark, path) if commits.exists(spark, path) else None
    if change is None:
        raise FeatureTableMissingError(f"{view.table_name} at {path} has no rows yet: run its job, then this again")
    now = Watermark(commits.table_id(spark, path), change.version)
    notes = Notes(settings, view)
    if notes.watermark() == now:
        return Materialization(view.name, now.version, None, 0, reason="the online store holds this version already")
    table = spark.read.format("delta").option("versionAsOf", now.version).load(path)
    newest_us = table.agg(F.unix_micros(F.max(view.timestamp))).head()[0]  # type: ignore[index]
    if newest_us is None:
        return Materialization(view.name, now.version, None, 0, reason=f"{view.table_name} is empty")
    rows = table.where(F.col(view.timestamp) == F.timestamp_micros(F.lit(newest_us)))
    counts = _write(settings, view, rows, now, notes)
    as_of = datetime.fromtimestamp(newest_us / 1e6, UTC).isoformat()
    written, newer, resumed = (counts[name] for name in COUNTS)
    return Materialization(view.name, now.version, as_of, sum(counts.values()), written, newer, resumed)


class Notes:
    """What is noted in Redis about the rows of a view there."""

    def __init__(self, settings: Settings, view: View) -> None:
        self._settings = settings
        _, self._redis = connect(connection_string(settings, TIMEOUT_S), TRIES)
        self._key = f"{PROJECT}:materialized:{view.name}"

    def watermark(self) -> Watermark | None:
        try:
            noted: Any = self._redis.get(self._key)
        except RedisError as error:
            raise unavailable(self._settings, error) from error
        return Watermark(**json.loads(noted)) if noted else None

    def set_watermark(self, watermark: Watermark, progress: str) -> None:
        try:
            self._redis.set(self._key, json.dumps(asdict(watermark)))
            self._redis.delete(progress)
        except RedisError as error:
            raise unavailable(self._settings, error) from error

    def progress_key(self, watermark: Watermark, buckets: int) -> str:
        return f"{self._key}:{watermark.table_id}:{watermark.version}:{buckets}"


def _write(settings: Settings, view: View, rows: DataFrame, now: Watermark, notes: Notes) -> dict[str, int]:
    count = rows.count()
    buckets = -(-count // settings.feast.write_chunk_rows)
    progress = notes.progress_key(now, buckets)
    bucket = F.pmod(F.xxhash64(view.join_key), F.lit(buckets)).cast("int")
    writer = bucket_writer(settings, view, progress)
    done = rows.withColumn(BUCKET, bucket).groupBy(BUCKET).applyInArrow(writer, COUNTS_DDL)
    sums = _run(settings, done.agg(*(F.sum(name).alias(name) for name in COUNTS)))
    if sum(sums.values()) != count:
        raise RowCountError(f"{view.name}: the snapshot has {count} rows, accounted for are {sums}; run this again")
    notes.set_watermark(now, progress)
    return sums


def _run(settings: Settings, sums: DataFrame) -> dict[str, int]:
    try:
        return {name: int(value) for name, value in sums.head().asDict().items()}  # type: ignore[union-attr]
    except (PySparkException, Py4JJavaError) as error:
        text = str(error)
        if "OutOfMemoryError" in text and "redis.exceptions" in text:
            advice = f"raise redis.max_memory_mb (now {settings.redis.max_memory_mb})"
            where = f"{settings.redis.host}:{settings.redis.port}"
            raise OnlineStoreFullError(f"Redis at {where} is full: {advice}") from error
        if "redis.exceptions." in text:
            reason = next(line for line in text.splitlines() if line.startswith("redis.exceptions."))
            raise unavailable(settings, reason) from error
        raise
