"""How far a query is behind its source, in rows, from what Spark reports about the source."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pyspark.sql.streaming.listener import StreamingQueryProgress

from data_lake import tables
from data_lake.log import added_rows
from data_lake.table import Table
from feature_store.catalog import group_of_view
from ingestion_layer.kafka.offsets import topic_offsets
from stream_processing.spark_streaming.queries.query import BRONZE, SILVER
from tidemill.config.settings import Settings


@dataclass(frozen=True)
class Share:
    """A topic's ``part`` of the rows of a batch, and how many rows it is behind; None when Spark does not say."""

    part: float
    lag: int | None


def shares(progress: StreamingQueryProgress, settings: Settings) -> dict[str, Share]:
    """Of each query's name that ``progress`` is about: bronze reads many topics in one query.

    Messages in the broker that bronze has not read, or rows that silver has not read of bronze, features of silver. In
    the first batch after a restart Spark repeats a batch without asking the broker.
    """
    read = progress.sources[0]
    begin, end, latest = (_offsets(text) for text in (read.startOffset, read.endOffset, read.latestOffset))
    layer, _, name = str(progress.name).partition("/")
    if layer == BRONZE:
        return {} if end is None else _shares_of_bronze(begin or {}, end, latest)
    if end is None:
        return {str(progress.name): Share(1.0, None)}
    source = tables.bronze(name) if layer == SILVER else tables.table(group_of_view(name).source.table)
    return {str(progress.name): Share(1.0, rows_since(source, settings, end))}


def _shares_of_bronze(
    begin: Mapping[str, Any], end: Mapping[str, Any], latest: Mapping[str, Any] | None
) -> dict[str, Share]:
    read = {topic: offsets_behind({topic: begin.get(topic, {})}, {topic: of}) for topic, of in end.items()}
    whole = sum(read.values()) or 1
    return {
        f"{BRONZE}/{topic}": Share(
            read[topic] / whole,
            None if latest is None else offsets_behind(end, {topic: latest.get(topic, {})}),
        )
        for topic in end
    }


def rows_behind(name: str, read: dict[str, Any], settings: Settings) -> int | None:
    """The same from what the source has now, for query ``name`` that has ``read`` up to there and reports nothing.

    None for features before their first batch: where they began to read is not in their checkpoint. None also where
    what the query reads next is gone from the log of its source.
    """
    layer, subject = name.split("/", 1)
    if layer == BRONZE:
        now, done = topic_offsets(settings, subject), read.get(subject, {})
        return sum(of.end - max(of.low, int(done.get(str(partition), 0))) for partition, of in now.items())
    if layer == SILVER:
        return rows_since(tables.bronze(subject), settings, read)
    if not read:
        return None
    return rows_since(tables.table(group_of_view(subject).source.table), settings, read)


def offsets_behind(end: Mapping[str, Any], latest: Mapping[str, Any]) -> int:
    """Messages between two Kafka offsets, each ``{topic: {partition: offset}}``."""
    behind = 0
    for topic, partitions in latest.items():
        read = end.get(topic, {})
        behind += sum(offset - read.get(partition, 0) for partition, offset in partitions.items())
    return behind


def rows_since(table: Table, settings: Settings, end: Mapping[str, Any]) -> int | None:
    """Rows that were added to ``table`` from the version on that Delta's source reads next, as :func:`added_rows`."""
    return added_rows(table, settings, int(end.get("reservoirVersion", 0)) - 1)


def _offsets(text: str) -> dict[str, Any] | None:
    """Offsets from JSON, which is ``null`` where Spark has none."""
    offsets: dict[str, Any] | None = json.loads(text) if text else None
    return offsets
