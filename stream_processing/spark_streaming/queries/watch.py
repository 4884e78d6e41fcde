"""Looks at the running batch of every query, and names the one that hangs."""

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from py4j.protocol import Py4JError  # type: ignore[import-untyped]
from pyspark.sql import SparkSession
from pyspark.sql.streaming.query import StreamingQuery

from stream_processing.spark_streaming.queries.checkpoints import last_finished
from stream_processing.spark_streaming.queries.query import BRONZE, SILVER
from stream_processing.spark_streaming.queries.states import Batch, QueryStates, State
from tidemill.config.settings import Settings

LOOK_S = 2.0
IN_A_BATCH = "Processing new data"
"""What Spark says in a batch; a query that only looks for news is in a trigger too, one after the other."""
BY_ITSELF = "the application starts again by itself when it does not move for as long again"
WAY_OUT = "mend what it waits for (`tidemill logs stream`), then `tidemill down stream` and `tidemill up stream`"
logger = logging.getLogger("tidemill.stream")


class Ending(Protocol):
    """Ends the process for a batch of a query."""

    def may_help(self, name: str, batch_id: int) -> bool: ...

    def end(self, name: str, batch_id: int, sentence: str) -> None: ...


@dataclass(frozen=True)
class Look:
    """One look at the batch of a query; ``jobs`` are its Spark jobs that run, ``running`` their tasks that do."""

    batch_id: int
    jobs: frozenset[int]
    tasks_done: int
    tasks: int
    running: int

    @property
    def waits(self) -> bool:
        """Whether it has tasks and none of them runs: others have all the slots, and it cannot be blamed."""
        return bool(self.jobs) and not self.running


@dataclass
class _Seen:
    """What was seen of a batch: when first, and when it last moved."""

    look: Look
    since: float
    moved: float


class Watch:
    """A thread that looks every few seconds until ``stop`` is set.

    A batch is stuck when for ``stuck_after_s`` it neither ended a task nor began a job, while a task of it runs or it
    has none to wait for. When it was so for as long again, the process is ended; where that may not help, the query has
    failed.
    """

    def __init__(
        self,
        batches: Callable[[], dict[str, Look]],
        states: QueryStates,
        stuck_after_s: float,
        ending: Ending,
    ) -> None:
        self._batches = batches
        self._states = states
        self._stuck_after_s = stuck_after_s
        self._ending = ending
        self._seen: dict[str, _Seen] = {}
        self._given_up: set[str] = set()

    def run(self, stop: threading.Event) -> None:
        while not stop.wait(min(LOOK_S, self._stuck_after_s / 4)):
            try:
                self.judge(self._batches(), time.time())
            except (Py4JError, OSError) as error:
                logger.warning("the running batches cannot be looked at: %s", error)

    def judge(self, looks: dict[str, Look], now: float) -> None:
        """Take in what was seen of each query whose batch runs at ``now``, in seconds since the epoch."""
        self._seen = {name: self._updated(name, look, now) for name, look in looks.items()}
        self._states.look(
            {name: Batch(seen.since, seen.look.tasks_done, seen.look.tasks) for name, seen in self._seen.items()}, now
        )
        for name in self._states.all():
            if not self._is_stuck(name, now):
                self._note_moving(name)
        for name, seen in self._seen.items():
            if self._is_stuck(name, now) and name not in self._given_up:
                self._note_stuck(name, seen, now)

    def _updated(self, name: str, look: Look, now: float) -> _Seen:
        before = self._seen.get(name)
        if before is None or before.look.batch_id != look.batch_id:
            return _Seen(look, now, now)
        is_excused = look.waits or self._states.of(name).state is State.SEARCHING
        has_moved = is_excused or (before.look.jobs, before.look.tasks_done) != (look.jobs, look.tasks_done)
        return _Seen(look, before.since, now if has_moved else before.moved)

    def _is_stuck(self, name: str, now: float) -> bool:
        return name in self._seen and now - self._seen[name].moved >= self._stuck_after_s

    def _note_moving(self, name: str) -> None:
        self._states.change(name, State.STUCK, State.RUNNING)
        if name in self._given_up:
            self._given_up.remove(name)
            self._states.change(name, State.FAILED, State.RUNNING)

    def _note_stuck(self, name: str, seen: _Seen, now: float) -> None:
        look = seen.look
        how_far = f"{look.tasks_done} of {look.tasks} tasks done" if look.tasks else "no task to wait for"
        what = (
            f"batch {look.batch_id} of {name}, begun {now - seen.since:.0f} s ago, has not moved for "
            f"{self._stuck_after_s:.0f} s ({how_far})"
        )
        if not self._ending.may_help(name, look.batch_id):
            self._given_up.add(name)
            self._states.set(name, State.FAILED, f"{what}, and starting again has not helped: {WAY_OUT}")
        elif now - seen.moved >= 2 * self._stuck_after_s:
            self._ending.end(name, look.batch_id, what)
        elif self._states.of(name).state is not State.STUCK:
            logger.error("%s", what)
            self._states.set(name, State.STUCK, f"{what}; {BY_ITSELF}")


class Batches:
    """The running batches of this Spark.

    One of the query of all of bronze is a batch of each of ``topics``; ``rounds`` has those that are no streaming
    query's, the number by the name of the query.
    """

    def __init__(
        self,
        spark: SparkSession,
        settings: Settings,
        topics: Callable[[], Sequence[str]] = lambda: (),
        rounds: Callable[[], Mapping[str, int]] = dict,
    ) -> None:
        self._spark = spark
        self._settings = settings
        self._topics = topics
        self._rounds = rounds
        self._first: dict[str, int] = {}

    def __call__(self) -> dict[str, Look]:
        """A look at each query that is in a batch, by its name."""
        active = [query for query in self._spark.streams.active if query.name and query.status["message"] == IN_A_BATCH]
        rounds = self._rounds()
        if not active and not rounds:
            return {}
        running_jobs = set(self._spark.sparkContext.statusTracker().getActiveJobsIds())
        looks = [(query, self._look(str(query.runId), self._batch_id(query), running_jobs)) for query in active]
        of_rounds = {name: self._look(SILVER, number, running_jobs) for name, number in rounds.items()}
        return of_rounds | {name: look for query, look in looks for name in self._names(str(query.name))}

    def _names(self, query: str) -> list[str]:
        return [f"{query}/{topic}" for topic in self._topics()] if query == BRONZE else [query]

    def _batch_id(self, query: StreamingQuery) -> int:
        """The one after the last that was reported, or, where none was yet, after the last in the checkpoint."""
        java: Any = query._jsq
        reported = java.lastProgress()
        if reported is not None:
            return int(reported.batchId()) + 1
        run = str(query.runId)
        if run not in self._first:
            self._first[run] = last_finished(self._spark, self._settings, str(query.name)) + 1
        return self._first[run]

    def _look(self, group: str, batch_id: int, running_jobs: set[int]) -> Look:
        """At the jobs of ``group``."""
        tracker = self._spark.sparkContext.statusTracker()
        jobs = running_jobs.intersection(tracker.getJobIdsForGroup(group))
        infos = [info for job in jobs if (info := tracker.getJobInfo(job))]
        stages = [stage for info in infos for number in info.stageIds if (stage := tracker.getStageInfo(number))]
        return Look(
            batch_id,
            frozenset(jobs),
            sum(stage.numCompletedTasks for stage in stages),
            sum(stage.numTasks for stage in stages),
            sum(stage.numActiveTasks for stage in stages),
        )
