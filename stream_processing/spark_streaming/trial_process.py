"""The process of a trial: writes a part of bronze to scratch tables, as the stream would to the lake's.

Its arguments are the topic, the folder of the tables, and the part as JSON.
"""

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Sequence

from config import load_settings
from data_lake import tables
from data_lake.delta_tables import ensure_table
from data_lake.spark import session
from stream_processing.spark_streaming.conflicts import SilverIdentities
from stream_processing.spark_streaming.offset_ranges import OffsetRange, within
from stream_processing.spark_streaming.silver import write_messages
from stream_processing.spark_streaming.trial import BEGUN


def main(arguments: Sequence[str]) -> None:
    """Exits with status 0 when the part could be written."""
    topic, scratch, ranges = arguments
    _end_with(os.getppid())
    settings = load_settings()
    spark = session("tidemill-trial", settings)
    bronze = tables.bronze(topic)
    part = tuple(OffsetRange(**offsets) for offsets in json.loads(ranges))
    rows = spark.read.format("delta").load(bronze.path(settings)).where(within(part))
    messages = rows.select([column.name for column in bronze.columns])
    lake = settings.model_copy(update={"lake": settings.lake.model_copy(update={"root": scratch})})
    for table in (tables.silver(topic), tables.quarantine(topic)):
        ensure_table(spark, table, lake)
    sys.stdout.buffer.write(BEGUN)
    sys.stdout.flush()
    write_messages(messages, SilverIdentities(topic, lake))
    spark.stop()


def _end_with(parent: int) -> None:
    """End this process group when the process that started it has ended: nobody waits for its answer any more."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os.killpg(0, signal.SIGKILL)

    threading.Thread(target=watch, daemon=True).start()


if __name__ == "__main__":
    main(sys.argv[1:])
