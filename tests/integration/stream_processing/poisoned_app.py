"""The stream's silver query, or a trial of it, in a process in which a message that says so kills or hangs."""

import logging
import os
import signal
import sys
import threading
import time
from functools import partial
from pathlib import Path

import psutil
from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812

from data_lake.spark import session
from stream_processing.spark_streaming.queries.ending import NotedEnding
from stream_processing.spark_streaming.queries.query import checkpoint
from stream_processing.spark_streaming.queries.restarts import QueryRunner
from stream_processing.spark_streaming.queries.states import QueryStates, State
from stream_processing.spark_streaming.queries.watch import Batches, Watch
from stream_processing.spark_streaming.silver import batch as silver
from stream_processing.spark_streaming.silver.batch import start_silver
from stream_processing.spark_streaming.silver.conflicts import SilverIdentities
from stream_processing.spark_streaming.silver.parse import TimeRule, parse
from stream_processing.spark_streaming.taking_apart import trial, trial_process
from tidemill.config import load_settings
from tidemill.contracts.registry import Contract

KILLS, HANGS = b"kills what reads it", b"hangs what reads it"
TOPIC = "shop.transaction.v1"


def poison(value: bytes | None) -> bytes | None:
    """``value``, in a Python worker, where the parent of its parent is the JVM."""
    if value is not None and KILLS in bytes(value):
        java = next(process for process in psutil.Process().parents() if process.name() == "java")
        os.kill(java.pid, signal.SIGKILL)
    if value is not None and HANGS in bytes(value):
        time.sleep(3600)
    return value


def poisoned(messages: DataFrame, source: Contract, rule: TimeRule) -> DataFrame:
    # As a column, like all that parsing does: Spark evaluates a condition before the join that leaves messages out.
    return parse(messages.withColumn("value", F.udf(poison, "binary")("value")), source, rule)


def run() -> None:
    """Until silver has all of bronze; the process ends before when something kills it."""
    settings = load_settings()
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    spark = session("poisoned", settings)
    states, stop, name = QueryStates(), threading.Event(), f"silver/{TOPIC}"
    watch = Watch(Batches(spark, settings), states, settings.stream.stuck_after_s, NotedEnding(spark, settings))
    threading.Thread(target=watch.run, args=(stop,), daemon=True).start()
    folder = Path(checkpoint(settings, name))
    threading.Thread(target=stop_after_first_batch, args=(folder, states, stop), daemon=True).start()
    QueryRunner(
        {name: partial(start_silver, spark, SilverIdentities(TOPIC, settings), states)}, states=states, is_alive=alive
    ).run(stop)
    spark.stop()


def stop_after_first_batch(folder: Path, states: QueryStates, stop: threading.Event) -> None:
    before = None
    while not (folder / "commits" / "0").exists():
        now = states.of(f"silver/{TOPIC}")
        if now != before and now.state in (State.SEARCHING, State.STUCK):
            sys.stderr.write(f"{now.state}: {now.sentence}\n")
        before = now
        time.sleep(0.1)
    stop.set()


def alive() -> bool:
    return any(process.name() == "java" for process in psutil.Process().children())


if __name__ == "__main__":
    silver.parse = poisoned
    trial.SCRIPT = Path(__file__)
    if len(sys.argv) > 1:
        trial_process.main(sys.argv[1:])
    else:
        run()
