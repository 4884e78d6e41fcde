"""Keeps queries running: one that fails starts again after a pause, and what happens to one stops no other."""

import logging
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import Any, Protocol

from stream_processing.spark_streaming.queries.states import QueryStates, State
from tidemill.config.errors import TerminalError, TidemillError, TransientError

POLL_S = 0.5
TRACEBACK = "Traceback (most recent call last)"
IDLE = ("Waiting for data to arrive", "Waiting for next trigger")
"""What Spark says of a query that has finished a look at its source."""
logger = logging.getLogger(__name__)


class Running(Protocol):
    """What Spark's StreamingQuery tells of itself, as far as it is asked here."""

    @property
    def isActive(self) -> bool: ...  # noqa: N802

    @property
    def lastProgress(self) -> Any: ...  # noqa: N802

    @property
    def status(self) -> dict[str, Any]: ...

    def exception(self) -> Exception | None: ...

    def stop(self) -> None: ...


StartQuery = Callable[[], Running]


class SparkEndedError(TransientError):
    """Spark itself is gone, and with it every query."""


@dataclass(frozen=True)
class Failure:
    """Why a query ended, with the way out; ``is_final`` when trying again changes nothing until a person did that."""

    sentence: str
    is_final: bool = False


Diagnose = Callable[[str, BaseException], Failure]


def failure_of(_name: str, error: BaseException) -> Failure:
    """What ``error`` says by itself."""
    return Failure(cause(error), isinstance(error, TerminalError))


@dataclass(frozen=True)
class RestartPolicy:
    """Pauses before starts in a row without a finished batch double from ``pause_s`` up to ``longest_s``.

    After ``attempts`` of them a query is *failed*. It is tried again all the same, every ``longest_s``: when what
    stopped it was mended, it goes on by itself.
    """

    attempts: int = 5
    pause_s: float = 1.0
    longest_s: float = 60.0

    def pause(self, failures: int) -> float:
        """Seconds to wait after the ``failures``-th failure in a row."""
        doublings = min(failures, self.attempts) - 1
        return self.longest_s if failures >= self.attempts else min(self.pause_s * 2**doublings, self.longest_s)


@dataclass(frozen=True)
class QueryRunner:
    """Runs the queries of ``starts``, each in a thread of its own, until told to stop.

    ``diagnose`` makes a sentence of what ended a query; ``is_alive`` tells whether Spark can run queries at all.
    """

    starts: Mapping[str, StartQuery]
    policy: RestartPolicy = RestartPolicy()
    states: QueryStates = field(default_factory=QueryStates)
    diagnose: Diagnose = failure_of
    is_alive: Callable[[], bool] = lambda: True

    def run(self, stop: threading.Event) -> None:
        """Start every query and keep it running until ``stop`` is set, then let running batches finish.

        Raises:
            SparkEndedError: there is no Spark any more to run queries with.
        """
        with ThreadPoolExecutor(len(self.starts), thread_name_prefix="query") as pool:
            kept = [pool.submit(self._keep, name, start, stop) for name, start in self.starts.items()]
            wait(kept, return_when=FIRST_EXCEPTION)
            stop.set()
        for keeper in kept:
            keeper.result()

    def _keep(self, name: str, start: StartQuery, stop: threading.Event) -> None:
        failures = 0
        self.states.set(name, State.STARTING)
        while not stop.is_set():
            failure, has_worked = self._run_once(name, start, stop)
            if stop.is_set():
                return
            if not self.is_alive():
                raise SparkEndedError(f"Spark has ended ({failure.sentence}): the application must be started again")
            failures = 1 if has_worked else failures + 1
            if failure.is_final:
                failures = max(failures, self.policy.attempts)
            stop.wait(self._note(name, failure, failures))

    def _note(self, name: str, failure: Failure, failures: int) -> float:
        """Make known that ``name`` failed; how long to wait now."""
        pause = self.policy.pause(failures)
        state = State.FAILED if failures >= self.policy.attempts else State.RETRYING
        if self.states.of(name).state is not state or self.states.of(name).sentence != failure.sentence:
            logger.error("query %s is %s, again every %.0f s: %s", name, state, pause, failure.sentence)
        self.states.set(name, state, failure.sentence)
        return pause

    def _run_once(self, name: str, start: StartQuery, stop: threading.Event) -> tuple[Failure, bool]:
        """Why the query ended, and whether it had worked before that."""
        try:
            query = start()
        except Exception as error:  # noqa: BLE001 - whatever it is, it is this query's trouble and no other's
            return self._diagnosed(name, error), False
        has_worked = False
        while query.isActive and not stop.wait(POLL_S):
            if not has_worked and works(query):
                has_worked = True
                self.states.set(name, State.RUNNING)
        if query.isActive:
            wait_for_batch(query)
            query.stop()
            return Failure("it was told to stop"), has_worked
        has_worked = has_worked or query.lastProgress is not None
        ended_by = query.exception()
        if ended_by is None:
            return Failure("it stopped without an error"), has_worked
        return self._diagnosed(name, ended_by), has_worked

    def _diagnosed(self, name: str, error: Exception) -> Failure:
        if not isinstance(error, TidemillError):
            logger.warning("query %s: %s", name, "".join(traceback.format_exception(error)))
        return self.diagnose(name, error)


def works(query: Running) -> bool:
    """Whether the query has finished a batch, or found that there is nothing to do."""
    return query.lastProgress is not None or query.status["message"] in IDLE


def wait_for_batch(query: Running, timeout_s: float = 15.0) -> None:
    """Wait until ``query`` is between two batches; a longer batch is cut off and run again at the next start."""
    deadline = time.monotonic() + timeout_s
    while query.isActive and query.status["isTriggerActive"] and time.monotonic() < deadline:
        time.sleep(0.05)


def cause(error: BaseException) -> str:
    """What went wrong in one line: Spark's first, or what a batch's Python function raised."""
    first, *rest = str(error).strip().split("\n")
    if TRACEBACK not in first:
        return first
    raised = [line for line in rest if line.strip() and not line.startswith((" ", "\t"))]
    java = raised[1] if len(raised) > 1 and raised[1].startswith(": ") else ""
    return f"{raised[0]}{java}" if raised else first
