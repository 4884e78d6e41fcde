"""Ends the process for a batch that hangs: nothing else frees the slot that its task holds."""

import json
import logging
import os
import threading
from typing import Any

from pyspark.sql import SparkSession

from data_lake.hadoop_files import read_text, write_text
from stream_processing.spark_streaming.queries.query import checkpoint
from tidemill.config.errors import TransientError
from tidemill.config.settings import Settings

HALT_S = 5.0
TIMES = 3
logger = logging.getLogger("tidemill.stream")


class NotedEnding:
    """Notes beside the checkpoint of a query how often the process was ended for which batch of it."""

    def __init__(self, spark: SparkSession, settings: Settings) -> None:
        self._spark = spark
        self._settings = settings

    def may_help(self, name: str, batch_id: int) -> bool:
        """Whether batch ``batch_id`` of query ``name`` is begun anew otherwise: one of silver is taken apart."""
        return name.startswith("silver/") or self._times(name, batch_id) < TIMES

    def end(self, name: str, batch_id: int, sentence: str) -> None:
        """End this process and its JVM at once: a thread that hangs holds up every other way to end."""
        note = json.dumps({"batch": batch_id, "times": self._times(name, batch_id) + 1})
        write_text(self._spark, self._file(name), note)
        logger.error("ending the application: %s", sentence)
        context: Any = self._spark.sparkContext
        runtime = context._jvm.java.lang.Runtime.getRuntime()
        halt = threading.Thread(target=runtime.halt, args=(TransientError.exit_status,), daemon=True)
        halt.start()
        halt.join(HALT_S)
        os._exit(TransientError.exit_status)

    def _file(self, name: str) -> str:
        return f"{checkpoint(self._settings, name)}/endings"

    def _times(self, name: str, batch_id: int) -> int:
        try:
            content = json.loads(read_text(self._spark, self._file(name)) or "{}")
        except json.JSONDecodeError:  # killed while it was written
            return 1
        return int(content["times"]) if content.get("batch") == batch_id else 0
