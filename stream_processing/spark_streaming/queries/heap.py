"""The heap of the application's JVM: how much it has taken, and what of it is in use.

A heap grows to its bound because it may, so the memory of the process says little. What its last collection left is in
use, and grows only with a leak.
"""

import logging
import threading
from typing import Any

from prometheus_client import CollectorRegistry, Gauge
from py4j.protocol import Py4JError  # type: ignore[import-untyped]
from pyspark.sql import SparkSession

LOOK_S = 10.0
logger = logging.getLogger("tidemill.stream")


class HeapGauges:
    """Looks every :data:`LOOK_S` seconds, in a thread of its own: a JVM that hangs holds up no scrape."""

    def __init__(self, spark: SparkSession, registry: CollectorRegistry) -> None:
        jvm: Any = spark.sparkContext._jvm
        beans = jvm.java.lang.management.ManagementFactory
        self._memory = beans.getMemoryMXBean()
        self._pools = [pool for pool in beans.getMemoryPoolMXBeans() if pool.getType().name() == "HEAP"]
        self._committed = Gauge(
            "tidemill_stream_heap_committed_bytes", "Heap taken from the machine.", registry=registry
        )
        self._live = Gauge("tidemill_stream_heap_live_bytes", "Heap left in use by collections.", registry=registry)

    def run(self, stop: threading.Event) -> None:
        """Until ``stop`` is set."""
        while not stop.wait(LOOK_S):
            try:
                self.look()
            except (Py4JError, OSError) as error:
                logger.warning("the JVM does not tell of its heap: %s", error)

    def look(self) -> None:
        """Set the gauges to what holds now."""
        self._committed.set(self._memory.getHeapMemoryUsage().getCommitted())
        self._live.set(sum(left.getUsed() for pool in self._pools if (left := pool.getCollectionUsage()) is not None))
