"""What ended a query, in a sentence with the way out, for those errors of Spark that trying again does not mend."""

import re
from collections.abc import Mapping
from typing import Any

from pyspark.sql import SparkSession

from config.errors import TerminalError, TransientError
from config.settings import Settings
from data_lake import commits
from data_lake.reconciliation.broker import Offsets, broker_offsets
from stream_processing.spark_streaming.checkpoints import read_up_to
from stream_processing.spark_streaming.query import checkpoint
from stream_processing.spark_streaming.restarts import Failure, cause

LOST = re.compile(r"KAFKA_DATA_LOSS|Some data may have been lost because they are not available in Kafka")
OTHER_TABLE = "DIFFERENT_DELTA_TABLE_READ_BY_STREAMING_SOURCE"
CHANGED_ROWS = ("DELTA_SOURCE_TABLE_IGNORE_CHANGES", "DELTA_SOURCE_IGNORE_DELETE")


class Diagnosis:
    """Makes the sentences."""

    def __init__(self, spark: SparkSession, settings: Settings) -> None:
        self._spark = spark
        self._settings = settings

    def __call__(self, name: str, error: BaseException) -> Failure:
        """Why query ``name`` ended with ``error``."""
        if isinstance(error, TerminalError):
            return Failure(str(error), is_final=True)
        layer, subject = name.split("/", 1)
        if layer == "bronze" and LOST.search(str(error)):
            return self._lost(name, subject, error)
        if layer == "silver" and (why := _unreadable(error)):
            return Failure(f"{why}; {self._start_over(name)}", is_final=True)
        return Failure(cause(error))

    def _start_over(self, name: str) -> str:
        """For silver alone, whose writes may be repeated."""
        folder = checkpoint(self._settings, name)
        command = f"rm -r {folder}" if folder.startswith("/") else f"remove {folder}"
        return f"have it read all of bronze again, which writes nothing twice: {command}"

    def _lost(self, name: str, topic: str, error: BaseException) -> Failure:
        try:
            ranges = lost_ranges(
                read_up_to(self._spark, self._settings, name).get(topic, {}), broker_offsets(self._settings, topic)
            )
        except TransientError as away:
            return Failure(f"{cause(error)} ({away})")
        what = ", ".join(f"partition {partition} offsets {low} to {high - 1}" for partition, low, high in ranges)
        if not what:
            return Failure(f"the broker has not what {name} must read next: {cause(error)}", is_final=True)
        accept = f"if nothing can bring them back, go on without them: tidemill stream accept-loss {topic}"
        return Failure(f"the broker no longer has messages of {topic} that were not read: {what}; {accept}", True)


def _unreadable(error: BaseException) -> str:
    """Why Delta cannot go on reading bronze where silver's checkpoint says; empty for any other error."""
    if OTHER_TABLE in str(error):
        return "bronze was made anew since this query began to read it"
    if any(condition in str(error) for condition in CHANGED_ROWS):
        return "rows of bronze that this query has read were changed"
    gone = commits.gone(error) if isinstance(error, Exception) else None
    return f"a version of bronze that this query reads next is gone ({gone})" if gone else ""


def lost_ranges(read: Mapping[str, Any], now: Mapping[int, Offsets]) -> list[tuple[int, int, int]]:
    """(partition, first, one after the last) of what was not ``read`` and is below what the broker has ``now``."""
    unread = [(partition, int(read.get(str(partition), 0)), offsets.low) for partition, offsets in sorted(now.items())]
    return [(partition, first, low) for partition, first, low in unread if first < low]
