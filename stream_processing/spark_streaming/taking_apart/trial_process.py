"""The process of a trial: writes a part of bronze to scratch tables, as the stream would to the lake's.

Its arguments are the topic, the folder of the tables, and the part as JSON. An empty part stands for a message that is
known to be good, in a bronze of its own: it is read, judged and written as any other.
"""

import json
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Sequence
from datetime import UTC, datetime

from pyspark.sql import DataFrame, SparkSession

from data_lake import tables
from data_lake.delta_tables import ensure_table
from data_lake.spark import session
from data_lake.tables import FIRST_GENERATION
from stream_processing.spark_streaming.queries.restarts import cause
from stream_processing.spark_streaming.silver.batch import write_messages
from stream_processing.spark_streaming.silver.conflicts import SilverIdentities
from stream_processing.spark_streaming.taking_apart.attempts import has_killed
from stream_processing.spark_streaming.taking_apart.offset_ranges import OffsetRange, Part, within
from stream_processing.spark_streaming.taking_apart.trial import BEGUN, FAILED
from tidemill.config import Settings, load_settings
from tidemill.contracts.example import example
from tidemill.contracts.registry import contract


def main(arguments: Sequence[str]) -> None:
    """Exits with status 0 when the part could be written, with ``FAILED`` and a line when nothing died of it."""
    topic, scratch, ranges = arguments
    _end_with(os.getppid())
    try:
        _write(topic, scratch, tuple(OffsetRange(**offsets) for offsets in json.loads(ranges)))
    except Exception as error:
        if has_killed(error):
            raise
        traceback.print_exc()
        _say(cause(error).encode(errors="replace") + b"\n")
        sys.exit(FAILED)


def _write(topic: str, scratch: str, part: Part) -> None:
    settings = load_settings()
    spark = session("tidemill-trial", settings)
    lake = settings.model_copy(update={"lake": settings.lake.model_copy(update={"root": scratch})})
    for table in (tables.silver(topic), tables.quarantine(topic)):
        ensure_table(spark, table, lake)
    messages = _bronze(spark, topic, settings).where(within(part)) if part else _good_message(spark, topic, lake)
    _say(BEGUN)
    write_messages(messages, SilverIdentities(topic, lake))
    spark.stop()


def _bronze(spark: SparkSession, topic: str, settings: Settings) -> DataFrame:
    bronze = tables.bronze(topic)
    rows = spark.read.format("delta").load(bronze.path(settings))
    return rows.select([column.name for column in bronze.columns])


def _good_message(spark: SparkSession, topic: str, lake: Settings) -> DataFrame:
    """One valid message of ``topic``, in the bronze of ``lake``."""
    now, bronze = datetime.now(UTC), tables.bronze(topic)
    message = {
        "topic": topic,
        "partition": 0,
        "offset": 0,
        "broker_time": now,
        "value": bytearray(example(contract(topic), now)),
        "ingested_at": now,
        "ingest_date": now.date(),
        "generation": FIRST_GENERATION,
    }
    ensure_table(spark, bronze, lake)
    spark.createDataFrame([message], bronze.ddl).write.format("delta").mode("append").save(bronze.path(lake))
    return _bronze(spark, topic, lake)


def _say(line: bytes) -> None:
    sys.stdout.buffer.write(line)
    sys.stdout.flush()


def _end_with(parent: int) -> None:
    """End this process group when the process that started it has ended: nobody waits for its answer any more."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os.killpg(0, signal.SIGKILL)

    threading.Thread(target=watch, daemon=True).start()


if __name__ == "__main__":
    main(sys.argv[1:])
