"""The stream application's progress, read from the metrics it serves for Prometheus."""

import math
from collections import defaultdict
from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families

from config.settings import Settings
from tidemill.stack.http import get

PREFIX = "tidemill_stream_"


@dataclass(frozen=True)
class QueryProgress:
    """The last report of one query; None where it has not reported yet, and for the lag of one that ended."""

    query: str
    is_up: bool
    batch_id: int | None
    input_rows_per_second: float | None
    processed_rows_per_second: float | None
    batch_duration_seconds: float | None
    lag_rows: int | None


def stream_progress(settings: Settings) -> list[QueryProgress]:
    """The progress of every query of the running application, by name.

    Raises:
        NotReadyError: the application does not answer.
    """
    return parse_progress(get(f"http://{settings.stream.metrics_address}/metrics").text)


def parse_progress(text: str) -> list[QueryProgress]:
    """The progress in ``text``, which is in Prometheus's exposition format."""
    values: defaultdict[str, dict[str, float]] = defaultdict(dict)
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name.startswith(PREFIX) and "query" in sample.labels:
                values[sample.labels["query"]][sample.name.removeprefix(PREFIX)] = sample.value
    return [_progress(query, values[query]) for query in sorted(values)]


def _progress(query: str, values: dict[str, float]) -> QueryProgress:
    batch, lag = values.get("batch_id"), values.get("lag_rows")
    return QueryProgress(
        query=query,
        is_up=values.get("query_up") == 1,
        batch_id=None if batch is None else int(batch),
        input_rows_per_second=values.get("input_rows_per_second"),
        processed_rows_per_second=values.get("processed_rows_per_second"),
        batch_duration_seconds=values.get("batch_duration_seconds"),
        lag_rows=None if lag is None or math.isnan(lag) else int(lag),
    )
