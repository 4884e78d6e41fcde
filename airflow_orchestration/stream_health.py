"""Whether the streaming application makes progress, judged from the metrics it serves."""

import re
import time

import httpx

from config.errors import TransientError
from config.settings import Settings

# A batch is bounded and takes seconds; on an overloaded machine it takes minutes, and a restart would lose them.
STALLED_AFTER_S = 1800.0
POLL_S = 2.0
REQUEST_TIMEOUT_S = 5.0
_SAMPLE = re.compile(
    r'^tidemill_stream_(query_up|last_report_timestamp_seconds)\{query="([^"]+)"\} (\S+)$', re.MULTILINE
)


class StreamUnhealthyError(TransientError):
    """The stream does not answer, or a query has ended or stands still; the message says which."""


def check(settings: Settings) -> list[str]:
    """The names of the running queries, as served at ``settings.stream.metrics_address``.

    Raises:
        StreamUnhealthyError: no answer, no query, or one that has ended or not reported for ``STALLED_AFTER_S``.
    """
    url = f"http://{settings.stream.metrics_address}/metrics"
    try:
        response = httpx.get(url, timeout=REQUEST_TIMEOUT_S, trust_env=False)
        response.raise_for_status()
    except httpx.HTTPError as error:
        raise StreamUnhealthyError(f"the stream's metrics at {url} do not answer: {error}") from error
    return judge(response.text, time.time())


def judge(exposition: str, now: float) -> list[str]:
    """The names of the queries in a page of Prometheus' text format; ``now`` is in seconds since the epoch."""
    gauges: dict[str, dict[str, float]] = {}
    for gauge, query, value in _SAMPLE.findall(exposition):
        gauges.setdefault(query, {})[gauge] = float(value)
    problems = [problem for query in sorted(gauges) if (problem := _problem(query, gauges[query], now))]
    if problems or not gauges:
        raise StreamUnhealthyError("; ".join(problems) or "the stream runs no query")
    return sorted(gauges)


def _problem(query: str, gauges: dict[str, float], now: float) -> str | None:
    if gauges.get("query_up") != 1:
        return f"{query} has ended"
    silent_s = now - gauges.get("last_report_timestamp_seconds", now)
    if silent_s >= STALLED_AFTER_S:
        return f"{query} has not reported for {silent_s:.0f} s"
    return None


def wait_until_healthy(settings: Settings, patience_s: float) -> list[str]:
    """The names of the running queries, as soon as the stream is healthy.

    Raises:
        StreamUnhealthyError: it was not within ``patience_s``.
    """
    deadline = time.monotonic() + patience_s
    while True:
        try:
            return check(settings)
        except StreamUnhealthyError:
            if time.monotonic() >= deadline:
                raise
            time.sleep(POLL_S)
