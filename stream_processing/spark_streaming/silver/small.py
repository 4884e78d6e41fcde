"""A little news into silver and quarantine, without a Spark job: each is an append of one file by delta-rs.

It is for a batch's first time alone, and for rows that are surely new: what silver may have, is looked for among the
files of the batch's own days, and that quarantine has none of its messages is looked up. A commit holds only upon the
very version that was looked at. All else needs the MERGE of :mod:`insert`: a batch that is run again, a conflict, an
event that only all of silver can tell of, another writer.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
from deltalake import CommitProperties, DeltaTable, write_deltalake
from deltalake.exceptions import DeltaError
from pyspark.sql import SparkSession

from data_lake import commits, tables
from data_lake.arrow import UnreadableTableError, dataset, needs_engine
from data_lake.delta_rs import open_table
from data_lake.maintenance import SmallFiles
from data_lake.table import Table
from data_lake.tables import NO_DIGEST
from stream_processing.spark_streaming.silver.conflicts import DIGEST, IDENTITY, SilverIdentities
from stream_processing.spark_streaming.silver.identity_filter import Hashes, hashes_of
from stream_processing.spark_streaming.silver.parse import DETAIL, MESSAGE, REASON
from stream_processing.spark_streaming.silver.split import LINEAGE
from tidemill.config.errors import TransientError

ORDER = [(name, "ascending") for name in LINEAGE]
NEAR = (*IDENTITY, DIGEST, "event_time")


class NeedsSparkError(TransientError):
    """What a batch holds, or what happened to its tables, is for Spark's MERGE."""


@dataclass
class SmallWrites:
    """Appends the small batches of one topic; made once and kept, since it knows the tables' logs."""

    known: SilverIdentities
    _silver: "Target" = field(init=False)
    _quarantine: "Target" = field(init=False)

    def __post_init__(self) -> None:
        topic = self.known.topic
        quarantine = tables.quarantine(topic)
        self._silver = Target(tables.silver(topic), self.known, self.known.delta)
        self._quarantine = Target(quarantine, self.known, open_table(quarantine, self.known.settings))

    def write(self, spark: SparkSession, parsed: pa.Table) -> None:
        """Append what ``parsed``, made by :class:`Parser`, has for silver and for quarantine.

        Raises:
            NeedsSparkError: nothing may be repeated here; what was written does not harm a MERGE.
        """
        accepted = pc.is_null(parsed[REASON])
        valid, refused = parsed.filter(accepted), as_quarantine(parsed.filter(pc.invert(accepted)))
        if len(refused):
            self._quarantine.require_own()
            self._require_news(refused)
        if len(valid):
            identities = self.known.refreshed(spark)
            hashes = hashes_of(valid)
            news = self._news(valid, hashes, identities.might_contain(hashes))
            if len(news):
                self._silver.append(news)
            self.known.add(hashes)
        if len(refused):
            self._quarantine.append(refused)

    def _require_news(self, refused: pa.Table) -> None:
        """Quarantine has none of ``refused``: what is noted of how far silver has come may be lost, or lag."""
        days, offsets = pc.unique(refused["ingest_date"]), pc.min_max(refused["offset"])
        near = (
            ds.field("ingest_date").isin(days)
            & (ds.field("offset") >= offsets["min"])
            & (ds.field("offset") <= offsets["max"])
        )
        keys = self._quarantine.table.keys
        there, told = _rows(self._quarantine.delta, keys, near), refused.select(keys)
        if {tuple(row.values()) for row in there.to_pylist()} & {tuple(row.values()) for row in told.to_pylist()}:
            raise NeedsSparkError("a message that quarantine has already")

    def _news(self, valid: pa.Table, hashes: Hashes, maybe: Any) -> pa.Table:
        """The events of ``valid`` that silver does not have, each once: the first by lineage."""
        _, positions, counts = np.unique(hashes, return_inverse=True, return_counts=True)
        suspected = maybe | (counts[positions] > 1)
        if not suspected.any():
            return valid
        suspects = valid.append_column("_maybe", pa.array(maybe)).filter(pa.array(suspected)).sort_by(ORDER)
        kept: dict[tuple[Any, ...], tuple[Any, ...]] = self._near(suspects)
        first: list[bool] = []
        for row in suspects.select([*NEAR, "_maybe"]).to_pylist():
            identity, told = (row["source"], row["event_id"]), (row[DIGEST], row["event_time"])
            before = kept.get(identity)
            if before is None and row["_maybe"]:
                raise NeedsSparkError("an event that silver may have, from another day")
            if before is not None and _differs(told, before):
                raise NeedsSparkError("a conflict")
            kept.setdefault(identity, told)
            first.append(before is None)
        news = suspects.filter(pa.array(first, pa.bool_())).drop_columns(["_maybe"])
        return pa.concat_tables([valid.filter(pa.array(~suspected)), news])

    def _near(self, suspects: pa.Table) -> dict[tuple[Any, ...], tuple[Any, ...]]:
        """What silver has of the identities of ``suspects`` on their days: digest and time."""
        days, months = pc.min_max(suspects["event_date"]), pc.unique(suspects["event_month"])
        wanted = (
            ds.field("event_month").isin(months)
            & (ds.field("event_date") >= days["min"])
            & (ds.field("event_date") <= days["max"])
            & ds.field("event_id").isin(pc.unique(suspects["event_id"]))
        )
        rows = _rows(self._silver.delta, NEAR, wanted).to_pylist()
        return {(row["source"], row["event_id"]): (row[DIGEST], row["event_time"]) for row in rows}


@dataclass
class Target:
    """A table that is appended to."""

    table: Table
    known: SilverIdentities
    delta: DeltaTable
    small: SmallFiles = field(init=False)

    def __post_init__(self) -> None:
        self.small = SmallFiles(self.table)

    def require_own(self) -> None:
        """Look at the table anew; nobody else may have written it since."""
        before = self.delta.version()
        self.delta.update_incremental()
        if commits.changed_by_others(self.delta, before, self.known.token):
            raise NeedsSparkError(f"another has written {self.table.name}")

    def append(self, rows: pa.Table) -> None:
        """In one commit, upon the version that ``delta`` is at and no other."""
        if needs_engine(self.delta):
            raise NeedsSparkError(f"{self.table.name} has a feature that delta-rs does not write")
        properties = CommitProperties(custom_metadata={"userMetadata": self.known.token}, max_commit_retries=0)
        try:
            write_deltalake(self.delta, self._aligned(rows), mode="append", commit_properties=properties)
        except DeltaError as error:
            raise NeedsSparkError(f"{self.table.name}: {error}") from error
        self.small.committed(self.delta)

    def _aligned(self, rows: pa.Table) -> pa.Table:
        """The declared columns in the table's own order and types; one that others added is null."""
        declared = {column.name for column in self.table.columns}
        schema = pa.schema(self.delta.schema().to_arrow())
        columns = [
            rows[one.name].cast(one.type) if one.name in declared else pa.nulls(len(rows), one.type) for one in schema
        ]
        return pa.table(columns, schema=schema)


def as_quarantine(rejected: pa.Table) -> pa.Table:
    """Parsed rows with a reason, in quarantine's columns."""
    lineage = {"generation": "_generation", "partition": "_partition", "offset": "_offset"}
    lineage |= {"broker_time": "broker_time", "ingested_at": "ingested_at", "reason": REASON, "detail": DETAIL}
    message = {name: f"{MESSAGE}{name}" for name in ("topic", "key", "value", "headers", "ingest_date")}
    taken = lineage | message
    return pa.table({name: rejected[column] for name, column in taken.items()})


def _rows(delta: DeltaTable, columns: Sequence[str], where: pc.Expression) -> pa.Table:
    try:
        return dataset(delta).to_table(columns=list(columns), filter=where)
    except UnreadableTableError as error:
        raise NeedsSparkError(str(error)) from error


def _differs(told: tuple[Any, ...], kept: tuple[Any, ...]) -> bool:
    """As :func:`conflicts.differs_from`."""
    digest, time = told
    kept_digest, kept_time = kept
    return bool(time != kept_time or kept_digest not in {digest, NO_DIGEST})
