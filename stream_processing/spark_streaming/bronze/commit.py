"""Files into the log of a bronze table: with each commit stands how far it takes every partition.

The position of a partition is a transaction of the table (Delta's ``txn``), noted in the very commit that has the rows.
So the table itself says what comes next, and of two writers that bring the same messages one fails. The idea is that of
delta-rs' kafka-delta-ingest.
"""

import json
import logging
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from deltalake import CommitProperties, DeltaTable, Transaction
from deltalake.exceptions import CommitFailedError
from deltalake.transaction import AddAction, RemoveAction

from data_lake import tables
from data_lake.arrow import has_mapped_columns
from data_lake.delta_rs import open_table
from data_lake.maintenance import SmallFiles
from data_lake.topic_starts import TopicStart
from data_lake.topic_starts.positions import application_id
from stream_processing.spark_streaming.bronze.files import INGEST_DATE
from tidemill.config.errors import TerminalError, TransientError
from tidemill.config.settings import Settings

ATTEMPTS = 5
SAME_TRANSACTION = "Concurrent transaction"
logger = logging.getLogger("tidemill.stream")


class MappedColumnsError(TerminalError):
    """The table's columns have other names in its files than those that are written."""


class OtherWriterError(TransientError):
    """Another process writes the messages of the topic too."""


@dataclass
class BronzeTable:
    """The bronze table of a topic as the one query that writes it knows it.

    ``position`` is the next offset of each partition; one that is not there begins at 0.
    """

    settings: Settings
    begun: TopicStart
    position: dict[int, int]
    _delta: DeltaTable = field(init=False)
    _small: SmallFiles = field(init=False)

    def __post_init__(self) -> None:
        table = tables.bronze(self.begun.topic)
        self._delta, self._small = open_table(table, self.settings), SmallFiles(table)

    def commit(self, written: Iterable[Mapping[str, Any]], ends: Mapping[int, int]) -> int:
        """Make files, rows of :data:`files.WRITTEN`, part of the table: all that the topic had up to ``ends``.

        How many offsets that were is returned.

        Raises:
            OtherWriterError: the table has messages of theirs already.
            CommitFailedError: other commits came first, every time.
        """
        files = list(written)
        for partition, first in _firsts(files).items():
            if first < self.position.get(partition, 0):
                raise self._other_writer(f"offset {first} of partition {partition}")
        news = {partition: end for partition, end in ends.items() if end > self.position.get(partition, 0)}
        taken = sum(end - self.position.get(partition, 0) for partition, end in news.items())
        if files or news:
            self._append([_action(file) for file in files], news)
            self._small.committed(self._delta)
        self.position |= ends
        return taken

    def _append(self, files: list[AddAction | RemoveAction], news: Mapping[int, int]) -> None:
        """Delta refuses a note that another made since the look; one made before the look is seen here."""
        metadata = {"userMetadata": json.dumps(note(self.begun))}
        noted = [Transaction(application_id(self.begun, partition), end) for partition, end in sorted(news.items())]
        properties = CommitProperties(custom_metadata=metadata, app_transactions=noted)
        for attempt in range(1, ATTEMPTS + 1):
            self._delta.update_incremental()
            if has_mapped_columns(self._delta):
                raise MappedColumnsError(
                    f"the columns of bronze/{self.begun.topic} have other names in its files; it is written by files: "
                    f"ALTER TABLE delta.`{self._delta.table_uri}` DROP FEATURE columnMapping"
                )
            self._require_own_position(news)
            try:
                self._delta.create_write_transaction(
                    files,
                    mode="append",
                    schema=self._delta.schema(),
                    partition_by=[INGEST_DATE],
                    commit_properties=properties,
                )
            except CommitFailedError as error:
                if SAME_TRANSACTION in str(error):
                    raise self._other_writer(str(error)) from error
                if attempt == ATTEMPTS:
                    raise
                logger.warning("bronze/%s: another commit came first, trying again: %s", self.begun.topic, error)
                time.sleep(attempt / 5)
            else:
                return

    def _require_own_position(self, partitions: Iterable[int]) -> None:
        for partition in partitions:
            noted = self._delta.transaction_version(application_id(self.begun, partition)) or 0
            if noted > self.position.get(partition, 0):
                raise self._other_writer(f"partition {partition} up to offset {noted - 1}")

    def _other_writer(self, what: str) -> OtherWriterError:
        return OtherWriterError(
            f"bronze/{self.begun.topic} has {what} already: another stream application writes it too; stop one of them"
        )


def note(begun: TopicStart) -> dict[str, object]:
    """What each commit of bronze says of where its rows come from."""
    identity = {"cluster_id": begun.identity.cluster_id, "topic_id": begun.identity.topic_id}
    return {"topic": begun.topic, **identity, "generation": begun.generation, "start": begun.start}


def _firsts(files: Iterable[Mapping[str, Any]]) -> dict[int, int]:
    """The first offset of each partition."""
    firsts: dict[int, int] = {}
    for file in files:
        for partition, first in file["firsts"].items():
            firsts[partition] = min(firsts.get(partition, first), first)
    return firsts


def _action(file: Mapping[str, Any]) -> AddAction:
    values: Mapping[str, str | None] = {INGEST_DATE: file[INGEST_DATE]}
    return AddAction(file["path"], file["size"], values, int(time.time() * 1000), True, file["statistics"])
