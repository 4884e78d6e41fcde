"""The same identity with another time or other data: told from a duplicate, and kept apart from silver.

An event is identified by its ``source`` and ``id``, as CloudEvents says. The first one stays; a later one with the same
digest is a duplicate, one with another is a conflict. A batch of news costs one small collection: only what the filter
takes for known, or what the batch has twice, is looked for in silver, first among the files of the batch's own days,
and only what is not there among all of them.
"""

import logging
import uuid
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable
from pyspark.sql import Column, DataFrame, SparkSession, Window
from pyspark.sql import functions as F  # noqa: N812

from data_lake import commits, tables
from data_lake.delta_rs import open_table, rows
from data_lake.tables import NO_DIGEST
from stream_processing.spark_streaming.silver.identity_filter import (
    BYTES_AN_EVENT,
    HASH,
    Hashes,
    IdentityFilter,
    fitting,
    identity_hash,
)
from stream_processing.spark_streaming.silver.parse import DETAIL, MESSAGE, REASON
from stream_processing.spark_streaming.silver.split import LINEAGE
from tidemill.config.settings import Settings

IDENTITY = ("source", "event_id")
DIGEST, KEPT, NEAR, MAYBE, OPEN = "_digest", "_kept", "_near_", "_maybe", "_open"
TOLD = (DIGEST, "event_time", *LINEAGE)
SENTENCE = "/id: partition %d offset %d of generation %d has this source and id at %s"
INGEST_DATE = f"{MESSAGE}ingest_date"
USER_METADATA = "spark.databricks.delta.commitInfo.userMetadata"
FULL = (
    "%s has %d events, more than stream.identity_filter_mb = %d is for: as they become more, more of the new ones are"
    " looked for in all of it; set %d or more, and start the stream again"
)
logger = logging.getLogger(__name__)


@dataclass
class SilverIdentities:
    """The identities that silver has of ``topic``, as the one query that writes it knows them.

    Another's commit is noticed by its metadata: the filter is then made anew, as it is when it has become too small.
    """

    topic: str
    settings: Settings
    token: str = field(default_factory=lambda: f"tidemill:{uuid.uuid4()}")
    version: int = -1
    filter: IdentityFilter | None = None
    _events: int = 0
    _is_told: bool = False

    @cached_property
    def delta(self) -> DeltaTable:
        """Silver, at the version that was looked at last."""
        return open_table(tables.silver(self.topic), self.settings)

    def refreshed(self, spark: SparkSession) -> IdentityFilter:
        """The filter of all that silver has now; what ``spark`` commits from here on is marked as this query's."""
        spark.conf.set(USER_METADATA, self.token)
        self.delta.update_incremental()
        is_old = self.filter is None or commits.changed_by_others(self.delta, self.version, self.token)
        if self.filter is None or is_old or self._has_outgrown(self.filter):
            self._events = rows(self.delta)
            self.filter = self._made(spark)
        self._tell_if_full(self.filter)
        self.version = int(self.delta.version())
        return self.filter

    def add(self, hashes: Hashes) -> None:
        """Note what the query has just written."""
        if self.filter is not None:
            self.filter.add(hashes)
            self._events += len(hashes)

    @property
    def _most(self) -> int:
        return self.settings.stream.identity_filter_mb * 2**20

    def _has_outgrown(self, made: IdentityFilter) -> bool:
        return self._events > made.room and made.slices.size < self._most

    def _tell_if_full(self, made: IdentityFilter) -> None:
        """Once: silver has more events than the largest filter that is allowed is for, and which would have room."""
        if self._events <= made.room or self._is_told:
            return
        self._is_told = True
        allowed_mb, fits_mb = self._most // 2**20, 2 * BYTES_AN_EVENT * self._events // 2**20 + 1
        logger.warning(FULL, tables.silver(self.topic).name, self._events, allowed_mb, fits_mb)

    def _made(self, spark: SparkSession) -> IdentityFilter:
        size = fitting(self._events, self._most)
        made = IdentityFilter.empty(size)
        return IdentityFilter.of(self.read(spark, self.delta.version()), size) if self._events else made

    def read(self, spark: SparkSession, version: int | None = None) -> DataFrame:
        """Silver, now or at ``version``."""
        reader = spark.read.format("delta")
        options = {} if version is None else {"versionAsOf": str(version)}
        return reader.options(**options).load(tables.silver(self.topic).path(self.settings))


@dataclass(frozen=True)
class Found:
    """The hashes of a batch's identities, and its conflicts: LINEAGE, the message's ingest date and DETAIL."""

    hashes: Hashes
    conflicts: pa.Table | None = None

    def frame(self, spark: SparkSession) -> DataFrame | None:
        """The conflicts, on every executor; None where there is none."""
        return None if self.conflicts is None else F.broadcast(spark.createDataFrame(self.conflicts))

    @property
    def ingest_dates(self) -> tuple[date, ...]:
        """Those of the conflicts."""
        return () if self.conflicts is None else tuple(self.conflicts[INGEST_DATE].unique().to_pylist())


NOTHING = Found(np.zeros(0, dtype=np.int64))


def find_conflicts(parsed: DataFrame, known: SilverIdentities, files: str) -> Found:
    """What of a parsed batch has the identity of another event, in silver or before it in the batch, and differs.

    ``files`` is SQL over silver ``t``, true for the files that can hold events of the batch's days.
    """
    spark = parsed.sparkSession
    identities = known.refreshed(spark)
    valid = parsed.where(F.col(REASON).isNull()).withColumn(HASH, identity_hash())
    hashes = valid.select(HASH).toArrow()[HASH].to_numpy()
    suspected = _suspected(hashes, identities)
    if not len(suspected):
        return Found(hashes)
    suspects = valid.join(F.broadcast(spark.createDataFrame(suspected)), HASH)
    near = known.read(spark).alias("t").where(files)
    rare = _rare(suspects, near).toArrow()
    unknown = rare.filter(rare[OPEN])
    if len(unknown):
        rare = _with_far(rare, _kept_by_identity(known.read(spark), unknown))
    conflicting = rare.filter(pc.not_equal(rare[DIGEST], pc.struct_field(rare[KEPT], DIGEST)))
    return Found(hashes, _explained(conflicting) if len(conflicting) else None)


def differs_from(kept: str) -> Column:
    """Whether an event of the same identity as that in the struct ``kept`` says something else."""
    other_digest = (F.col(f"{kept}.{DIGEST}") != F.col(DIGEST)) & (F.col(f"{kept}.{DIGEST}") != NO_DIGEST)
    return (F.col(f"{kept}.event_time") != F.col("event_time")) | other_digest


def _suspected(hashes: Hashes, identities: IdentityFilter) -> pa.Table:
    """Each hash that silver may have (``_maybe``), or that the batch has more than once."""
    unique, counts = np.unique(hashes, return_counts=True)
    maybe = identities.might_contain(unique)
    chosen = maybe | (counts > 1)
    return pa.table({HASH: unique[chosen], MAYBE: maybe[chosen]})


def _event(prefix: str = "") -> Column:
    """What is told of the event that stays."""
    return F.struct(*(F.col(f"{prefix}{name}").alias(name) for name in TOLD))


def _rare(suspects: DataFrame, near: DataFrame) -> DataFrame:
    """Those of ``suspects`` that differ from the event that stays, and those that only all of silver can tell of."""
    there = near.select(*IDENTITY, *(F.col(name).alias(f"{NEAR}{name}") for name in TOLD))
    first = F.first(_event()).over(Window.partitionBy(*IDENTITY).orderBy(*LINEAGE))
    is_known = F.col(f"{NEAR}{DIGEST}").isNotNull()
    joined = suspects.join(there, [*IDENTITY], "left")
    judged = joined.withColumns({KEPT: F.when(is_known, _event(NEAR)).otherwise(first), OPEN: F.col(MAYBE) & ~is_known})
    rows = judged.where(differs_from(KEPT) | F.col(OPEN))
    return rows.select(*IDENTITY, *LINEAGE, DIGEST, "event_time", INGEST_DATE, OPEN, KEPT)


def _kept_by_identity(silver: DataFrame, unknown: pa.Table) -> pa.Table:
    """The events of all of ``silver`` that have the identities of ``unknown``."""
    spark = silver.sparkSession
    wanted = spark.createDataFrame(unknown.select(IDENTITY)).distinct()
    return silver.join(F.broadcast(wanted), [*IDENTITY]).select(*IDENTITY, _event().alias(KEPT)).toArrow()


def _with_far(rare: pa.Table, far: pa.Table) -> pa.Table:
    """``rare`` with what was found among all of silver in place of what the batch itself has."""
    events = dict(zip(_identities(far), far[KEPT].to_pylist(), strict=True))
    own = zip(_identities(rare), rare[KEPT].to_pylist(), strict=True)
    kept = [events.get(identity, event) for identity, event in own]
    position = rare.schema.get_field_index(KEPT)
    return rare.set_column(position, rare.field(position), pa.array(kept, rare[KEPT].type))


def _identities(rows: pa.Table) -> list[tuple[str, ...]]:
    return list(zip(*(rows[name].to_pylist() for name in IDENTITY), strict=True))


def _explained(conflicting: pa.Table) -> pa.Table:
    events = zip(conflicting[KEPT].to_pylist(), conflicting["event_time"].to_pylist(), strict=True)
    details = pa.array([_detail(kept, kept["event_time"] != time) for kept, time in events], pa.string())
    return conflicting.select([*LINEAGE, INGEST_DATE]).append_column(DETAIL, details)


def _detail(kept: dict[str, object], is_other_time: bool) -> str:
    generation, partition, offset = (kept[name] for name in LINEAGE)
    what = "another time" if is_other_time else "this time with other data"
    return SENTENCE % (partition, offset, generation, what)
