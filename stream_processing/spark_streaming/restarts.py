"""Keeps queries running: a failed one starts again after a pause, and one that keeps failing ends the process."""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from pyspark.sql.streaming.query import StreamingQuery

from config.errors import TransientError

POLL_S = 0.5
TRACEBACK = "Traceback (most recent call last)"
logger = logging.getLogger(__name__)

StartQuery = Callable[[], StreamingQuery]


class QueryFailedError(TransientError):
    """A query failed again and again; its batch is still noted in the checkpoint, and the next start takes it up."""


@dataclass
class _Running:
    """One query, and how often it failed since its last finished batch."""

    start: StartQuery
    query: StreamingQuery
    failures: int = 0
    resume_at: float = 0.0


@dataclass(frozen=True)
class RestartPolicy:
    """``attempts`` starts in a row without a finished batch, with pauses doubling from ``pause_s``."""

    attempts: int = 5
    pause_s: float = 1.0

    def pause(self, failures: int) -> float:
        """Seconds to wait after the ``failures``-th failure in a row."""
        return float(self.pause_s * 2 ** (failures - 1))


@dataclass
class QueryRunner:
    """Runs the queries of ``starts`` until told to stop."""

    starts: Mapping[str, StartQuery]
    policy: RestartPolicy = RestartPolicy()
    _running: dict[str, _Running] = field(default_factory=dict)

    def run(self, stop: threading.Event) -> None:
        """Start every query and keep it running until ``stop`` is set, then let running batches finish.

        Raises:
            QueryFailedError: a query failed ``policy.attempts`` times in a row.
        """
        self._running = {name: _Running(start, start()) for name, start in self.starts.items()}
        try:
            while not stop.wait(POLL_S):
                for name, running in self._running.items():
                    self._watch(name, running)
        finally:
            self._stop()

    def _watch(self, name: str, running: _Running) -> None:
        if running.query.isActive:
            return
        if not running.resume_at:
            self._note_failure(name, running)
        elif time.monotonic() >= running.resume_at:
            running.query, running.resume_at = running.start(), 0.0

    def _note_failure(self, name: str, running: _Running) -> None:
        progressed = running.query.lastProgress is not None
        running.failures = 1 if progressed else running.failures + 1
        cause = _cause(running.query.exception())
        if running.failures >= self.policy.attempts:
            raise QueryFailedError(f"query {name} failed {running.failures} times in a row: {cause}")
        pause = self.policy.pause(running.failures)
        running.resume_at = time.monotonic() + pause
        logger.error("query %s failed (%d in a row), starts again in %.0f s: %s", name, running.failures, pause, cause)

    def _stop(self) -> None:
        for running in self._running.values():
            _wait_for_batch(running.query)
            running.query.stop()


def _wait_for_batch(query: StreamingQuery, timeout_s: float = 15.0) -> None:
    """Wait until ``query`` is between two batches; a longer batch is cut off and run again at the next start."""
    deadline = time.monotonic() + timeout_s
    while query.isActive and query.status["isTriggerActive"] and time.monotonic() < deadline:
        time.sleep(0.05)


def _cause(error: BaseException | None) -> str:
    """What went wrong in one line: Spark's first, or what a batch's Python function raised."""
    if error is None:
        return "it stopped without an error"
    first, *rest = str(error).strip().split("\n")
    if TRACEBACK not in first:
        return first
    raised = [line for line in rest if line.strip() and not line.startswith((" ", "\t"))]
    java = raised[1] if len(raised) > 1 and raised[1].startswith(": ") else ""
    return f"{raised[0]}{java}" if raised else first
