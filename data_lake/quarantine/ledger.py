"""The table ``control/quarantine_replays``: what was decided of each message of quarantine, appended and never changed.

A message is claimed, with the very event that is to be sent, before it is sent, and noted as sent when the broker was
seen to have it. A commit holds only upon the version that was looked at: of two who want the same message one gets it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self

import duckdb
import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, write_deltalake
from deltalake.exceptions import CommitFailedError

from data_lake.arrow import source
from data_lake.delta_rs import MissingTableError, location, open_table
from data_lake.own_tables import QUARANTINE_REPLAYS
from tidemill.config.errors import TransientError
from tidemill.config.settings import Settings

_TYPES: Mapping[str, pa.DataType] = {
    "topic": pa.string(),
    "generation": pa.int32(),
    "partition": pa.int32(),
    "offset": pa.int64(),
    "attempt": pa.int32(),
    "state": pa.string(),
    "claim_id": pa.string(),
    "source": pa.string(),
    "event_id": pa.string(),
    "event_time": pa.timestamp("us", "UTC"),
    "digest": pa.int64(),
    "key": pa.binary(),
    "value": pa.binary(),
    "topic_id": pa.string(),
    "ends": pa.map_(pa.int32(), pa.int64()),
    "new_generation": pa.int32(),
    "new_partition": pa.int32(),
    "new_offset": pa.int64(),
    "fix": pa.string(),
    "replayer": pa.string(),
    "replayed_by": pa.string(),
    "replayed_at": pa.timestamp("us", "UTC"),
}
SCHEMA = pa.schema(
    [pa.field(column.name, _TYPES[column.name], nullable=column.nullable) for column in QUARANTINE_REPLAYS.columns]
)
STATES = """
CREATE OR REPLACE TABLE states AS
SELECT generation, partition, "offset", attempt, state, claim_id, source, event_id, epoch_us(event_time) AS time,
       digest, new_generation, new_partition, new_offset, fix, replayer, replayed_by, replayed_at
FROM ledger WHERE topic = $topic
QUALIFY row_number() OVER (PARTITION BY generation, partition, "offset"
    ORDER BY state IN ('sent', 'known') DESC, attempt DESC, state = 'released' DESC) = 1
"""
"""What is true of each message now: what was sent stays so, else the newest attempt tells."""


class State(StrEnum):
    """Of a message: to be sent, sent, no news to silver, or given back since it could not be sent."""

    CLAIMED = "claimed"
    SENT = "sent"
    KNOWN = "known"
    RELEASED = "released"


class LedgerChangedError(TransientError):
    """Another has written the ledger since it was looked at; nothing of this commit is in it."""


@dataclass
class Ledger:
    """The rows of ``topic`` at the version that was looked at last; ``delta`` is None before anybody replayed."""

    settings: Settings
    topic: str
    delta: DeltaTable | None

    @classmethod
    def read(cls, settings: Settings, topic: str) -> Self:
        try:
            return cls(settings, topic, open_table(QUARANTINE_REPLAYS, settings))
        except MissingTableError:
            return cls(settings, topic, None)

    @classmethod
    def made(cls, settings: Settings, topic: str) -> Self:
        """The ledger, created where it is not there yet."""
        DeltaTable.create(
            location(QUARANTINE_REPLAYS, settings),
            SCHEMA,
            mode="ignore",
            partition_by=list(QUARANTINE_REPLAYS.partition_by),
            description=QUARANTINE_REPLAYS.description,
            storage_options=settings.lake.storage_options or None,
        )
        return cls.read(settings, topic)

    @property
    def version(self) -> int | None:
        return None if self.delta is None else self.delta.version()

    def look(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Make the table ``states`` of ``connection`` what is true now."""
        if self.delta is not None:
            self.delta.update_incremental()
        connection.register("ledger", SCHEMA.empty_table() if self.delta is None else source(self.delta))
        connection.execute(STATES, {"topic": self.topic})
        connection.unregister("ledger")

    def claims(self, connection: duckdb.DuckDBPyConnection, claim_id: str) -> pa.Table:
        """The rows of ``claim_id`` with nothing newer of their messages in ``states``: a batch at most."""
        if self.delta is None:
            return SCHEMA.empty_table()
        connection.register("ledger", source(self.delta))
        sql = (
            "SELECT l.* FROM ledger l SEMI JOIN (FROM states WHERE state = 'claimed')"
            ' USING (generation, partition, "offset", claim_id)'
            " WHERE l.topic = $topic AND l.claim_id = $claim_id AND l.state = 'claimed'"
        )
        rows = connection.sql(sql, params={"topic": self.topic, "claim_id": claim_id}).to_arrow_table()
        connection.unregister("ledger")
        return rows.select(SCHEMA.names).cast(SCHEMA)

    def claim(self, rows: pa.Table) -> None:
        """Append ``rows`` upon the version that was looked at last and no other.

        Raises:
            LedgerChangedError: there is a newer one.
        """
        before = self.version
        try:
            self._append(rows, CommitProperties(max_commit_retries=0))
        except CommitFailedError as error:
            if Ledger.read(self.settings, self.topic).version == before:
                raise  # no other was first: the store refuses
            raise LedgerChangedError(f"{QUARANTINE_REPLAYS.name} was written by another: run this again") from error

    def note(self, rows: pa.Table) -> None:
        """Append ``rows``, which are so whatever others have written meanwhile."""
        if len(rows):
            self._append(rows, CommitProperties())

    def _append(self, rows: pa.Table, properties: CommitProperties) -> None:
        if self.delta is None:
            raise LedgerChangedError(f"{QUARANTINE_REPLAYS.name} is not there: run this again")
        write_deltalake(self.delta, rows.cast(SCHEMA), mode="append", commit_properties=properties)


def noted(claims: pa.Table, **changes: Any) -> pa.Table:
    """``claims`` with the columns in ``changes`` set to one value, or to an array of values."""
    columns = {name: claims[name] for name in SCHEMA.names}
    for name, value in changes.items():
        kind = SCHEMA.field(name).type
        is_many = isinstance(value, (pa.Array, pa.ChunkedArray))
        columns[name] = value.cast(kind) if is_many else pa.array([value] * len(claims), kind)
    return pa.table(columns, schema=SCHEMA)
