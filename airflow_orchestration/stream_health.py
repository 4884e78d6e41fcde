"""Whether the streaming application makes progress, judged from the metrics it serves."""

import re
import time
from dataclasses import dataclass

import httpx

from tidemill.config.errors import TerminalError, TransientError
from tidemill.config.settings import Settings

POLL_S = 2.0
REQUEST_TIMEOUT_S = 5.0
UNWATCHED_AFTER_S = 600.0
"""The application looks at its queries every few seconds; on an overloaded machine it may be late."""
_STATE = re.compile(r'^tidemill_stream_query_state\{query="([^"]+)",state="([^"]+)"\} 1\.0$', re.MULTILINE)
_PROBLEM = re.compile(
    r'^tidemill_stream_query_problem\{query="([^"]+)",sentence="((?:[^"\\]|\\.)*)"\} 1\.0$', re.MULTILINE
)
_WATCHED = re.compile(r"^tidemill_stream_watched_timestamp_seconds (\S+)$", re.MULTILINE)


class StreamUnhealthyError(TransientError):
    """The stream does not answer, or a query is stuck: a restart may help; the message says which."""


class QueryFailedError(TerminalError):
    """A query failed for good while the others go on: no restart helps, the message says what does."""


@dataclass(frozen=True)
class Health:
    """The queries of the application by what they do; ``failed`` has the sentence of each."""

    working: tuple[str, ...]
    failed: dict[str, str]

    def raise_for_failed(self) -> None:
        """Raises :class:`QueryFailedError` when a query needs a person."""
        if self.failed:
            raise QueryFailedError("; ".join(f"{query} failed: {why}" for query, why in self.failed.items()))


def check(settings: Settings) -> Health:
    """The queries, as served at ``settings.stream.metrics_address``.

    Raises:
        StreamUnhealthyError: no answer, no query, one that is stuck, or none that was looked at of late.
    """
    url = f"http://{settings.stream.metrics_address}/metrics"
    try:
        response = httpx.get(url, timeout=REQUEST_TIMEOUT_S, trust_env=False)
        response.raise_for_status()
    except httpx.HTTPError as error:
        raise StreamUnhealthyError(f"the stream's metrics at {url} do not answer: {error}") from error
    return judge(response.text, time.time())


def judge(exposition: str, now: float) -> Health:
    """The health in a page of Prometheus' text format; ``now`` is in seconds since the epoch."""
    states = dict(_STATE.findall(exposition))
    sentences = {query: _unescaped(sentence) for query, sentence in _PROBLEM.findall(exposition)}
    problems = [sentences.get(query, f"{query} is stuck") for query in sorted(states) if states[query] == "stuck"]
    watched = _WATCHED.search(exposition)
    unwatched_s = now - float(watched.group(1)) if watched else 0.0
    if unwatched_s >= UNWATCHED_AFTER_S:
        problems.append(f"the application has not looked at its queries for {unwatched_s:.0f} s")
    if problems or not states:
        raise StreamUnhealthyError("; ".join(problems) or "the stream runs no query")
    failed = {query: sentences.get(query, "") for query in sorted(states) if states[query] == "failed"}
    return Health(tuple(sorted(states.keys() - failed.keys())), failed)


def _unescaped(label: str) -> str:
    """A label's value, in which the format escapes line feeds, quotes and backslashes."""
    return re.sub(r"\\(.)", lambda escaped: {"n": "\n"}.get(escaped[1], escaped[1]), label)


def wait_until_healthy(settings: Settings, patience_s: float) -> Health:
    """The queries, as soon as the stream is healthy.

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
