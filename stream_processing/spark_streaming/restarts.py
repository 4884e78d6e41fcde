"""Keeps queries running: a failed one starts again after a pause, and one that keeps failing ends the process."""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass, field

from pyspark.sql.streaming.query import StreamingQuery

from config.errors import TransientError

POLL_S = 0.5
TRACEBACK = "Traceback (most recent call last)"
logger = logging.getLogger(__name__)

StartQuery = Callable[[], StreamingQuery]


class QueryFailedError(TransientError):
    """A query failed again and again; its batch is still noted in the checkpoint, and the next start takes it up."""


@dataclass(frozen=True)
class RestartPolicy:
    """Pauses before starts in a row without a finished batch double from ``pause_s`` up to ``longest_s``.

    After ``attempts`` of them a query is given up; with None, never.
    """

    attempts: int | None = 5
    pause_s: float = 1.0
    longest_s: float = 60.0

    def pause(self, failures: int) -> float:
        """Seconds to wait after the ``failures``-th failure in a row."""
        return float(min(self.pause_s * 2 ** (failures - 1), self.longest_s))


@dataclass(frozen=True)
class QueryRunner:
    """Runs the queries of ``starts``, each in a thread of its own, until told to stop.

    ``policies`` are those of queries that have another than ``policy``.
    """

    starts: Mapping[str, StartQuery]
    policy: RestartPolicy = RestartPolicy()
    policies: Mapping[str, RestartPolicy] = field(default_factory=dict)

    def run(self, stop: threading.Event) -> None:
        """Start every query and keep it running until ``stop`` is set, then let running batches finish.

        Raises:
            QueryFailedError: a query failed too often in a row; the others were stopped.
        """
        with ThreadPoolExecutor(len(self.starts), thread_name_prefix="query") as pool:
            kept = [pool.submit(self._keep, name, start, stop) for name, start in self.starts.items()]
            wait(kept, return_when=FIRST_EXCEPTION)
            stop.set()
        for one in kept:
            one.result()

    def _keep(self, name: str, start: StartQuery, stop: threading.Event) -> None:
        policy, failures = self.policies.get(name, self.policy), 0
        while not stop.is_set():
            query, cause = self._run_once(start, stop)
            if stop.is_set():
                return
            failures = 1 if query is not None and query.lastProgress is not None else failures + 1
            if policy.attempts is not None and failures >= policy.attempts:
                raise QueryFailedError(f"query {name} failed {failures} times in a row: {cause}")
            pause = policy.pause(failures)
            logger.error("query %s failed (%d in a row), again in %.0f s: %s", name, failures, pause, cause)
            stop.wait(pause)

    def _run_once(self, start: StartQuery, stop: threading.Event) -> tuple[StreamingQuery | None, str]:
        """The query, when it could be started, and why it ended."""
        try:
            query = start()
        except TransientError as error:
            return None, str(error)
        while query.isActive and not stop.wait(POLL_S):
            pass
        if query.isActive:
            _wait_for_batch(query)
            query.stop()
            return query, "it was told to stop"
        return query, _cause(query.exception())


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
