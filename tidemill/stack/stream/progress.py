"""The stream application's progress, read from the metrics it serves for Prometheus."""

import math
from collections import defaultdict
from dataclasses import dataclass, field

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from tidemill.config.settings import Settings
from tidemill.stack.machine.http import get

PREFIX = "tidemill_stream_"
WATCHED = f"{PREFIX}watched_timestamp_seconds"
TROUBLES = ("failed", "stuck")
"""States of a query that the application cannot end by itself; the sentence says who can."""


@dataclass(frozen=True)
class QueryProgress:
    """What one query does and last reported; None where nothing is known.

    ``state`` is ``starting``, ``running``, ``searching``, ``retrying``, ``stuck`` or ``failed``, and ``sentence`` says
    what is wrong. ``batch_started`` is that of the batch that runs now, in seconds since the epoch; its tasks are those
    of the Spark jobs it runs at the moment. ``batch_id`` is the last finished one's.
    """

    query: str
    state: str
    sentence: str
    batch_id: int | None
    batch_started: float | None
    batch_tasks_done: int | None
    batch_tasks: int | None
    input_rows_per_second: float | None
    processed_rows_per_second: float | None
    batch_duration_seconds: float | None
    lag_rows: int | None


@dataclass
class _Samples:
    """Of one query."""

    values: dict[str, float] = field(default_factory=dict)
    state: str = "starting"
    sentence: str = ""

    def take(self, sample: Sample) -> None:
        name = sample.name.removeprefix(PREFIX)
        if name == "query_problem":
            self.sentence = sample.labels["sentence"]
        elif name == "query_state":
            self.state = sample.labels["state"] if sample.value == 1 else self.state
        else:
            self.values[name] = sample.value


def stream_progress(settings: Settings) -> list[QueryProgress]:
    """The progress of every query of the running application, by name.

    Raises:
        NotReadyError: the application does not answer.
    """
    return parse_progress(exposition(settings))


def exposition(settings: Settings) -> str:
    """The metrics of the running application, in Prometheus's exposition format.

    Raises:
        NotReadyError: the application does not answer.
    """
    return get(f"http://{settings.stream.metrics_address}/metrics").text


def looked_at(text: str) -> float | None:
    """When the application last had an answer of its JVM about its batches, in seconds since the epoch.

    None before its first. ``text`` is in Prometheus's exposition format.
    """
    samples = (sample for family in text_string_to_metric_families(text) for sample in family.samples)
    return next((sample.value for sample in samples if sample.name == WATCHED), None)


def parse_progress(text: str) -> list[QueryProgress]:
    """The progress in ``text``, which is in Prometheus's exposition format."""
    queries: defaultdict[str, _Samples] = defaultdict(_Samples)
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name.startswith(PREFIX) and "query" in sample.labels:
                queries[sample.labels["query"]].take(sample)
    return [_progress(query, queries[query]) for query in sorted(queries)]


def _progress(query: str, samples: _Samples) -> QueryProgress:
    values = samples.values
    return QueryProgress(
        query=query,
        state=samples.state,
        sentence=samples.sentence,
        batch_id=_whole(values.get("batch_id")),
        batch_started=values.get("batch_started_timestamp_seconds"),
        batch_tasks_done=_whole(values.get("batch_tasks_done")),
        batch_tasks=_whole(values.get("batch_tasks")),
        input_rows_per_second=values.get("input_rows_per_second"),
        processed_rows_per_second=values.get("processed_rows_per_second"),
        batch_duration_seconds=values.get("batch_duration_seconds"),
        lag_rows=_whole(values.get("lag_rows")),
    )


def _whole(value: float | None) -> int | None:
    return None if value is None or math.isnan(value) else int(value)
