"""The stream's progress as Prometheus gauges, one series a query."""

import json
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from prometheus_client import CollectorRegistry, Gauge
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from pyspark import SparkContext
from pyspark.sql.streaming.listener import (
    JStreamingQueryListener,
    QueryIdleEvent,
    QueryProgressEvent,
    QueryStartedEvent,
    QueryTerminatedEvent,
    StreamingQueryListener,
    StreamingQueryProgress,
)

from stream_processing.spark_streaming.queries.lag import Share
from stream_processing.spark_streaming.queries.query import BRONZE
from stream_processing.spark_streaming.queries.states import QueryStates, State


class _JsonListener(JStreamingQueryListener):
    """Takes a progress in one call.

    PySpark makes dozens, and each collection it reads ends in a Java exception that it looks into.
    """

    def onQueryProgress(self, jevent: Any) -> None:  # noqa: N802
        progress = StreamingQueryProgress.fromJson(json.loads(jevent.progress().json()))
        self.pylistener.onQueryProgress(QueryProgressEvent(progress))


class StateCollector(Collector):
    """What each query is doing, asked for when Prometheus asks: one series a state, 1 for the one it is in."""

    def __init__(self, states: QueryStates) -> None:
        self._states = states

    def collect(self) -> Iterator[GaugeMetricFamily]:
        state = _family("query_state", "1 for the state the query is in.", "state")
        problem = _family("query_problem", "What is wrong, and the way out.", "sentence")
        for query, now in self._states.all().items():
            for possible in State:
                state.add_metric([query, possible], possible is now.state)
            if now.sentence:
                problem.add_metric([query, now.sentence], 1)
        yield from (state, problem, *self._batches())

    def _batches(self) -> Iterator[GaugeMetricFamily]:
        started = _family("batch_started_timestamp_seconds", "When the batch began that runs now.")
        done = _family("batch_tasks_done", "Tasks done of the Spark jobs that the batch runs now.")
        tasks = _family("batch_tasks", "Tasks of the Spark jobs that the batch runs now.")
        batches, looked_at = self._states.batches()
        for query, batch in batches.items():
            started.add_metric([query], batch.since)
            done.add_metric([query], batch.tasks_done)
            tasks.add_metric([query], batch.tasks)
        yield from (started, done, tasks)
        if looked_at is not None:
            text = "When the application last looked at its running batches."
            yield GaugeMetricFamily("tidemill_stream_watched_timestamp_seconds", text, looked_at)


def _family(name: str, text: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"tidemill_stream_{name}", text, labels=["query", *labels])


class ProgressGauges(StreamingQueryListener):
    """Keeps the gauges at what each query last reported; Spark reports after each batch, and while idle every 10 s.

    ``shares`` says of each topic of the query that reported, by the name that it has by itself, its part of the rows,
    and how many rows it is behind its source, or None when that is unknown.
    """

    def __init__(
        self, registry: CollectorRegistry, shares: Callable[[StreamingQueryProgress], Mapping[str, Share]]
    ) -> None:
        def gauge(name: str, text: str) -> Gauge:
            return Gauge(f"tidemill_stream_{name}", text, ["query"], registry=registry)

        self._input = gauge("input_rows_per_second", "Rows that arrive a second.")
        self._processed = gauge("processed_rows_per_second", "Rows that a batch gets through a second.")
        self._duration = gauge("batch_duration_seconds", "How long the last batch took.")
        self._batch = gauge("batch_id", "Number of the last batch.")
        self._lag = gauge(
            "lag_rows", "Bronze: messages in the broker not yet read. Silver: rows of bronze not yet read."
        )
        self._up = gauge("query_up", "1 while the query runs.")
        self._reported = gauge("last_report_timestamp_seconds", "When the query last reported; it hangs if long ago.")
        self._shares = shares
        self._names: dict[Any, set[str]] = {}

    @property
    def _jlistener(self) -> Any:
        """What PySpark registers."""
        if not hasattr(self, "_jlistenerobj"):
            jvm: Any = SparkContext._jvm
            self._jlistenerobj = jvm.PythonStreamingQueryListenerWrapper(_JsonListener(self))
        return self._jlistenerobj

    def onQueryStarted(self, event: QueryStartedEvent) -> None:  # noqa: N802
        name = event.name or str(event.id)
        self._names[event.runId] = set()
        if name != BRONZE:  # of which topics that is, its first progress says
            self._began(event.runId, name)

    def onQueryProgress(self, event: QueryProgressEvent) -> None:  # noqa: N802
        for name in self.record(event.progress):
            self._began(event.progress.runId, name)

    def onQueryIdle(self, event: QueryIdleEvent) -> None:  # noqa: N802
        for name in self._names.get(event.runId, ()):
            self._input.labels(name).set(0)
            self._lag.labels(name).set(0)
            self._reported.labels(name).set_to_current_time()

    def onQueryTerminated(self, event: QueryTerminatedEvent) -> None:  # noqa: N802
        for name in self._names.pop(event.runId, ()):
            self._up.labels(name).set(0)
            self._lag.labels(name).set(math.nan)

    def set_lag(self, name: str, rows: int | None) -> None:
        """For a query that does not report; None where nobody can say."""
        self._lag.labels(name).set(math.nan if rows is None else rows)

    def took(self, name: str, batch_id: int, rows: int, seconds: float) -> None:
        """Set the gauges of one query to a batch that was no streaming query's, and left nothing behind."""
        self._up.labels(name).set(1)
        for gauge in (self._input, self._processed):
            gauge.labels(name).set(rows / seconds)
        self._duration.labels(name).set(seconds)
        self._batch.labels(name).set(batch_id)
        self._reported.labels(name).set_to_current_time()
        self._lag.labels(name).set(0)

    def record(self, progress: StreamingQueryProgress) -> list[str]:
        """Set the gauges of one query, or of each topic of a shared one, to ``progress``; their names."""
        shares = self._shares(progress)
        for name, share in shares.items():
            self._input.labels(name).set(_finite(progress.inputRowsPerSecond) * share.part)
            self._processed.labels(name).set(_finite(progress.processedRowsPerSecond) * share.part)
            self._duration.labels(name).set(progress.batchDuration / 1000)
            self._batch.labels(name).set(progress.batchId)
            self._reported.labels(name).set_to_current_time()
            if share.lag is not None:
                self._lag.labels(name).set(share.lag)
        return list(shares)

    def _began(self, run: Any, name: str) -> None:
        self._names.setdefault(run, set()).add(name)
        self._up.labels(name).set(1)
        self._reported.labels(name).set_to_current_time()


def _finite(rate: float | None) -> float:
    """A rate; Spark reports none for a batch without rows."""
    return rate if rate is not None and math.isfinite(rate) else 0.0
