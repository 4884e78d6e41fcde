"""What each query of the application is doing, as the runner and the watch know it."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """Of a query. ``SEARCHING`` is a running one that looks for the message that killed or hung the application."""

    STARTING = "starting"
    RUNNING = "running"
    RETRYING = "retrying"
    STUCK = "stuck"
    SEARCHING = "searching"
    FAILED = "failed"


@dataclass(frozen=True)
class QueryState:
    """``sentence`` says what is wrong and the way out; empty while nothing is."""

    state: State
    sentence: str = ""


@dataclass(frozen=True)
class Batch:
    """A batch that runs: since when (seconds since the epoch), and the tasks of the Spark jobs it runs now."""

    since: float
    tasks_done: int
    tasks: int


class QueryStates:
    """The state of every query by its name, and its running batch, for threads to set and read."""

    def __init__(self) -> None:
        self._states: dict[str, QueryState] = {}
        self._batches: dict[str, Batch] = {}
        self._looked_at: float | None = None
        self._lock = threading.Lock()

    def set(self, name: str, state: State, sentence: str = "") -> None:
        with self._lock:
            self._states[name] = QueryState(state, sentence)

    def change(self, name: str, before: State, state: State, sentence: str = "") -> bool:
        """Set the state of ``name`` if it is ``before``; whether it was."""
        with self._lock:
            is_before = name in self._states and self._states[name].state is before
            if is_before:
                self._states[name] = QueryState(state, sentence)
            return is_before

    def of(self, name: str) -> QueryState:
        with self._lock:
            return self._states.get(name, QueryState(State.STARTING))

    def look(self, batches: Mapping[str, Batch], now: float) -> None:
        """Note the batches that run ``now``."""
        with self._lock:
            self._batches, self._looked_at = dict(batches), now

    def batches(self) -> tuple[dict[str, Batch], float | None]:
        """The batches that ran at the last look, and when that was."""
        with self._lock:
            return dict(self._batches), self._looked_at

    def all(self) -> dict[str, QueryState]:
        with self._lock:
            return dict(self._states)
