"""How often a batch was begun and its process did not live to see the end, noted beside the checkpoint."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from py4j.protocol import Py4JNetworkError  # type: ignore[import-untyped]
from pyspark.sql import SparkSession

from data_lake.hadoop_files import read_text, write_text
from stream_processing.spark_streaming.queries.query import checkpoint
from tidemill.config.settings import Settings

FATAL = (
    "Python worker exited unexpectedly",
    "java.lang.OutOfMemoryError",
    "java.lang.StackOverflowError",
    "exited caused by one of the running tasks",
)
"""In an exception: what the batch held has killed a process of Spark's or a thread, if not the application."""


def has_killed(error: BaseException) -> bool:
    """Whether ``error``, or what it followed from, tells of a process or thread that died, and not of a failure."""
    told: BaseException | None = error
    while told is not None:
        if isinstance(told, (MemoryError, Py4JNetworkError)) or any(word in str(told) for word in FATAL):
            return True
        told = told.__cause__ or told.__context__
    return False


class Attempts:
    """The attempts at the batches of query ``name``.

    An attempt is noted before the batch is touched. One that ends by an ordinary exception is taken back: Redis is
    away, the disk is full, another commit came first, and no message is to blame. What remains are the attempts that
    killed the process, or that hung until somebody ended it: ``is_stuck`` tells of a batch that is cut off.
    """

    def __init__(self, settings: Settings, name: str, is_stuck: Callable[[], bool] = lambda: False) -> None:
        self._settings = settings
        self._file = f"{checkpoint(settings, name)}/attempts"
        self._is_stuck = is_stuck
        self._note: tuple[int, int] | None = None

    @contextmanager
    def attempt(self, spark: SparkSession, batch_id: int) -> Iterator[int]:
        """Gives the number of earlier attempts at the batch that count."""
        earlier = self._earlier(spark, batch_id)
        self._write(spark, batch_id, earlier + 1)
        try:
            yield earlier
        except Exception as error:
            if not self._is_stuck() and not has_killed(error):
                self._write(spark, batch_id, earlier)
            raise
        self._note = (batch_id, 0)

    def _earlier(self, spark: SparkSession, batch_id: int) -> int:
        """From the file at the first batch of this process, from memory later."""
        noted, attempts = self._note or self._read(spark, batch_id)
        return attempts if noted == batch_id else 0

    def _read(self, spark: SparkSession, batch_id: int) -> tuple[int, int]:
        try:
            content = json.loads(read_text(spark, self._file) or "{}")
        except json.JSONDecodeError:  # killed while it was written: an attempt, but nobody knows at what
            return batch_id, 1
        return content.get("batch", batch_id), content.get("attempts", 0)

    def _write(self, spark: SparkSession, batch_id: int, attempts: int) -> None:
        write_text(spark, self._file, json.dumps({"batch": batch_id, "attempts": attempts}))
        self._note = (batch_id, attempts)
