"""A graceful end under spark-submit, where SIGTERM reaches the JVM and this Python process is its child."""

import threading
from typing import Any

from pyspark.java_gateway import ensure_callback_server_started
from pyspark.sql import SparkSession

BEFORE_SPARK = 50  # Spark's own hook, which stops the context, has priority 40
GRACE_S = 25


class _Hook:
    """Asks for the stop and holds the JVM's shutdown until it is done."""

    def __init__(self, stop: threading.Event, stopped: threading.Event) -> None:
        self._stop = stop
        self._stopped = stopped

    def run(self) -> None:
        self._stop.set()
        self._stopped.wait(GRACE_S)

    class Java:
        implements = ("java.lang.Runnable",)


def hold_shutdown(spark: SparkSession, stop: threading.Event) -> threading.Event:
    """Let the JVM's shutdown set ``stop``, and wait up to 25 s for the event returned here before it goes on."""
    stopped = threading.Event()
    gateway: Any = spark.sparkContext._gateway
    ensure_callback_server_started(gateway)  # type: ignore[no-untyped-call]
    hook = gateway.jvm.java.lang.Thread(_Hook(stop, stopped))
    hooks = gateway.jvm.org.apache.hadoop.util.ShutdownHookManager.get()
    seconds = gateway.jvm.java.util.concurrent.TimeUnit.SECONDS
    hooks.addShutdownHook(hook, BEFORE_SPARK, GRACE_S + 5, seconds)
    return stopped
