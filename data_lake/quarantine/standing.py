"""What lies in quarantine and what became of it: the messages, and their counts."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from data_lake import tables
from data_lake.arrow import batches, source
from data_lake.delta_rs import MissingTableError, open_table
from data_lake.quarantine.ledger import Ledger
from data_lake.quarantine.selection import COLUMNS, Selection
from data_lake.quarantine.workbench import MESSAGE, ROWS_A_BATCH, workbench
from tidemill.config.settings import Settings

CHOSEN = """
CREATE TABLE chosen (generation INT, partition INT, "offset" BIGINT, broker_time TIMESTAMPTZ, ingest_date DATE,
                     reason VARCHAR)
"""
STANDING = """
CREATE VIEW standing AS
SELECT generation, partition, "offset", broker_time, q.reason, s.* EXCLUDE (generation, partition, "offset", state),
       CASE WHEN s.state IS NULL OR s.state = 'released' THEN 'open' WHEN s.state != 'sent' THEN s.state
            WHEN again."offset" IS NOT NULL THEN 'refused again' WHEN kept.event_id IS NOT NULL THEN 'in silver'
            ELSE 'on its way' END AS state
FROM chosen q LEFT JOIN states s USING (generation, partition, "offset")
LEFT JOIN again
       ON (again.generation, again.partition, again."offset") = (s.new_generation, s.new_partition, s.new_offset)
LEFT JOIN kept ON (kept.source, kept.event_id) = (s.source, s.event_id)
"""
AGAIN = """
CREATE TABLE again AS SELECT generation, partition, "offset" FROM quarantine_rows SEMI JOIN
    (SELECT new_generation AS generation, new_partition AS partition, new_offset AS "offset" FROM states
     WHERE state = 'sent') USING (generation, partition, "offset");
CREATE TABLE kept AS SELECT DISTINCT source, event_id FROM silver_rows
    SEMI JOIN (FROM states WHERE state = 'sent') USING (source, event_id);
"""
COUNTED = """
SELECT {} reason, count(*), count_if(state = 'open'), count_if(state = 'in silver'), count_if(state = 'known'),
       count_if(state = 'refused again'), count_if(state = 'on its way'), count_if(state = 'claimed'),
       min(broker_time), max(broker_time)
FROM standing GROUP BY ALL ORDER BY ALL
"""
NEWEST = """
SELECT generation, partition, "offset", state, new_partition, new_offset, event_id, replayed_by, replayed_at, fix
FROM standing WHERE state = $state OR $state IS NULL
ORDER BY broker_time DESC, generation DESC, partition, "offset" DESC LIMIT $limit
"""
STATES = ("open", "in silver", "known", "refused again", "on its way", "claimed")


@dataclass(frozen=True)
class Count:
    """Messages of one topic and reason, of one day of the broker's time where that was asked for, by their state.

    ``in_silver``, ``refused_again`` and ``on_its_way`` ones were replayed; the event of a ``known`` one silver had;
    ``claimed`` ones are being replayed, or were when that run ended.
    """

    topic: str
    day: date | None
    reason: str
    messages: int
    open: int
    in_silver: int
    known: int
    refused_again: int
    on_its_way: int
    claimed: int
    first: datetime
    last: datetime


@dataclass(frozen=True)
class Message:
    """A message as it arrived, why it is in quarantine, and where its replayed event lies, if it has one."""

    topic: str
    generation: int
    partition: int
    offset: int
    broker_time: datetime
    reason: str
    detail: str
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]
    state: str
    new_partition: int | None
    new_offset: int | None
    event_id: str | None
    replayed_by: str | None
    replayed_at: datetime | None
    fix: str | None


def counts(settings: Settings, selection: Selection, *, by_day: bool) -> list[Count]:
    """Of the messages of ``selection``; none where the topic has no quarantine yet."""
    try:
        with _standing(settings, selection) as connection:
            day = "broker_time::DATE AS day," if by_day else "NULL::DATE AS day,"
            rows = connection.execute(COUNTED.format(day)).fetchall()
    except MissingTableError:
        return []
    return [Count(selection.topic, *row) for row in rows]


def newest(settings: Settings, selection: Selection, limit: int, state: str | None = None) -> list[Message]:
    """The newest ``limit`` messages of ``selection``, those in ``state`` (None: in any) alone.

    Raises:
        MissingTableError: the topic has no quarantine, since the stream has never run.
    """
    with _standing(settings, selection) as connection:
        rows = connection.execute(NEWEST, {"state": state, "limit": limit}).fetchall()
    messages = _messages(settings, selection.topic, [row[:3] for row in rows])
    return [_message(selection.topic, row, messages[row[:3]]) for row in rows]


@contextmanager
def _standing(settings: Settings, selection: Selection) -> Iterator[duckdb.DuckDBPyConnection]:
    delta = open_table(tables.quarantine(selection.topic), settings)
    with workbench() as connection:
        Ledger.read(settings, selection.topic).look(connection)
        connection.register("quarantine_rows", source(delta))
        connection.register("silver_rows", source(open_table(tables.silver(selection.topic), settings)))
        connection.execute(AGAIN)
        connection.execute(CHOSEN)
        for batch in batches(delta, COLUMNS, ROWS_A_BATCH * 10, selection.where):
            connection.register("batch", pa.Table.from_batches([batch]))
            connection.execute("INSERT INTO chosen SELECT * FROM batch")
            connection.unregister("batch")
        connection.execute(STANDING)
        yield connection


def _messages(settings: Settings, topic: str, places: list[tuple[int, int, int]]) -> dict[tuple[int, int, int], Any]:
    """The whole rows at ``places``, which are few."""
    chosen = set(places)
    offsets = pc.field("offset").isin(pa.array([offset for *_, offset in places], pa.int64()))
    delta = open_table(tables.quarantine(topic), settings)
    read = batches(delta, [*COLUMNS, "detail", *MESSAGE], ROWS_A_BATCH, offsets)
    rows = (row for batch in read for row in batch.to_pylist())
    placed = (((row["generation"], row["partition"], row["offset"]), row) for row in rows)
    return {place: row for place, row in placed if place in chosen}


def _message(topic: str, standing: tuple[Any, ...], row: dict[str, Any]) -> Message:
    headers = tuple((header["key"], header["value"]) for header in row["headers"] or ())
    told = [row["broker_time"], row["reason"], row["detail"], row["key"], row["value"], headers]
    values: list[Any] = [*standing[:3], *told, *standing[3:]]
    return Message(topic, *values)
