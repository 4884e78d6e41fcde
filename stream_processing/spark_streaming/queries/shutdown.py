"""A graceful end under spark-submit, where SIGTERM reaches the JVM and this Python process is its child."""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pyspark.java_gateway import ensure_callback_server_started
from pyspark.sql import SparkSession

BEFORE_SPARK = 50  # Spark's own hook, which stops the context, has priority 40
GRACE_S = 25
POLL_S = 0.05


class _Hook:
    """Asks for the stop and holds the JVM's shutdown until it is done."""

    def __init__(self, stop: threading.Event) -> None:
        self._stop = stop
        self.asked = False
        self.stopped = threading.Event()

    def run(self) -> None:
        self.asked = True
        self._stop.set()
        self.stopped.wait(GRACE_S)

    class Java:
        implements = ("java.lang.Runnable",)


@contextmanager
def held_shutdown(spark: SparkSession, stop: threading.Event) -> Iterator[None]:
    """Let the JVM's shutdown set ``stop``, and have it wait up to 25 s for the end of this block.

    This process then stays until the JVM is gone, since the JVM still waits for the hook's answer.
    """
    hook = _Hook(stop)
    gateway: Any = spark.sparkContext._gateway
    ensure_callback_server_started(gateway)  # type: ignore[no-untyped-call]
    thread = gateway.jvm.java.lang.Thread(hook)
    hooks = gateway.jvm.org.apache.hadoop.util.ShutdownHookManager.get()
    seconds = gateway.jvm.java.util.concurrent.TimeUnit.SECONDS
    hooks.addShutdownHook(thread, BEFORE_SPARK, GRACE_S + 5, seconds)
    parent = os.getppid()
    try:
        yield
    finally:
        hook.stopped.set()
        if hook.asked:
            _wait_for_end(parent)


def _wait_for_end(parent: int) -> None:
    deadline = time.monotonic() + GRACE_S
    while os.getppid() == parent and time.monotonic() < deadline:
        time.sleep(POLL_S)
