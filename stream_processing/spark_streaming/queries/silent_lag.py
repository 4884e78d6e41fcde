"""The lag of queries that report nothing: one that hangs or failed is further behind with every message."""

import logging
import threading
import time
from typing import Any

from pyspark.sql import SparkSession

from data_lake.topic_starts import starts
from data_lake.topic_starts.positions import positions
from ingestion_layer.kafka.offsets import topic_offsets
from stream_processing.spark_streaming.queries.checkpoints import read_up_to
from stream_processing.spark_streaming.queries.lag import rows_behind
from stream_processing.spark_streaming.queries.progress import ProgressGauges
from stream_processing.spark_streaming.queries.query import BRONZE, SILVER
from stream_processing.spark_streaming.queries.states import QueryStates, State
from stream_processing.spark_streaming.silver.taken import read_taken
from tidemill.config.settings import Settings

EVERY_S = 10.0
logger = logging.getLogger("tidemill.stream")


class SilentLag:
    """A thread that compares, until ``stop`` is set, what silent queries have read with what their source has now."""

    def __init__(self, spark: SparkSession, settings: Settings, states: QueryStates, gauges: ProgressGauges) -> None:
        self._spark = spark
        self._settings = settings
        self._states = states
        self._gauges = gauges

    def run(self, stop: threading.Event) -> None:
        while not stop.wait(EVERY_S):
            for name in self.silent(time.time()):
                self.measure(name)

    def silent(self, now: float) -> list[str]:
        """The queries that do not work, and those whose batch has been running for longer than Spark is ever silent."""
        batches, _ = self._states.batches()
        long = {name for name, batch in batches.items() if now - batch.since >= EVERY_S}
        idle = {name for name, state in self._states.all().items() if state.state is not State.RUNNING}
        return sorted(long | idle)

    def measure(self, name: str) -> None:
        """Set the gauge of query ``name``; where the source cannot be asked, it keeps its value."""
        try:
            rows = rows_behind(name, self._read(name), self._settings)
        except Exception as error:  # noqa: BLE001 - whatever it is, the next look and the other queries go on
            logger.info("%s: how far it is behind is unknown: %s", name, str(error).split("\n")[0])
            return
        self._gauges.set_lag(name, rows)

    def _read(self, name: str) -> dict[str, Any]:
        """Up to where query ``name`` has read."""
        layer, topic = name.split("/", 1)
        if layer == BRONZE:
            begun = starts(self._settings, topic)
            start = begun[-1] if begun else None
            offsets = topic_offsets(self._settings, topic)
            read = dict(start.offsets) if start else {}
            read |= positions(self._settings, topic, start, offsets)
            return {topic: {str(partition): offset for partition, offset in read.items()}}
        read_up = read_up_to(self._spark, self._settings, name)
        taken = read_taken(self._settings, topic) if layer == SILVER else None
        if taken is not None:
            read_up["reservoirVersion"] = max(taken.version + 1, read_up.get("reservoirVersion", 0))
        return read_up
