"""How far a query is behind its source, in rows, from what Spark reports about the source."""

import json
from typing import Any

from deltalake import DeltaTable
from pyspark.sql.streaming.listener import StreamingQueryProgress

from data_lake import tables
from data_lake.delta_rs import open_table
from feature_store.catalog import group_of_view
from ingestion_layer.kafka.offsets import topic_offsets
from tidemill.config.settings import Settings

ADDED_ROWS = {"STREAMING UPDATE": "numOutputRows", "MERGE": "numTargetRowsInserted"}
"""The metric of a commit that counts the rows it added: bronze is appended to, silver is merged into."""


def lag_rows(progress: StreamingQueryProgress, settings: Settings) -> int | None:
    """Messages in the broker that bronze has not read, or rows that silver has not read of bronze, features of silver.

    None when Spark does not say: in the first batch after a restart it repeats a batch without asking the broker.
    """
    layer, name = str(progress.name).split("/", 1)
    read = progress.sources[0]
    end, latest = _offsets(read.endOffset), _offsets(read.latestOffset)
    if end is None:
        return None
    if layer == "bronze":
        return offsets_behind(end, latest) if latest is not None else None
    source = tables.bronze(name) if layer == "silver" else tables.table(group_of_view(name).source.table)
    return rows_since(open_table(source, settings), end)


def rows_behind(name: str, read: dict[str, Any], settings: Settings) -> int | None:
    """The same from what the source has now, for query ``name`` that has ``read`` up to there and reports nothing.

    None for features before their first batch: where they began to read is not in their checkpoint.
    """
    layer, subject = name.split("/", 1)
    if layer == "bronze":
        now, done = topic_offsets(settings, subject), read.get(subject, {})
        return sum(of.end - max(of.low, int(done.get(str(partition), 0))) for partition, of in now.items())
    if layer == "silver":
        return rows_since(open_table(tables.bronze(subject), settings), read)
    if not read:
        return None
    return rows_since(open_table(tables.table(group_of_view(subject).source.table), settings), read)


def offsets_behind(end: dict[str, Any], latest: dict[str, Any]) -> int:
    """Messages between two Kafka offsets, each ``{topic: {partition: offset}}``."""
    behind = 0
    for topic, partitions in latest.items():
        read = end.get(topic, {})
        behind += sum(offset - read.get(partition, 0) for partition, offset in partitions.items())
    return behind


def rows_since(table: DeltaTable, end: dict[str, Any]) -> int:
    """Rows that streams added to ``table`` from the version on that Delta's source reads next."""
    newer = table.version() - end.get("reservoirVersion", 0) + 1
    if newer <= 0:
        return 0
    commits = [commit for commit in table.history(newer) if commit["operation"] in ADDED_ROWS]
    return sum(int(commit["operationMetrics"][ADDED_ROWS[commit["operation"]]]) for commit in commits)


def _offsets(text: str) -> dict[str, Any] | None:
    """Offsets from JSON, which is ``null`` where Spark has none."""
    offsets: dict[str, Any] | None = json.loads(text)
    return offsets
