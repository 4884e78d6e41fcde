"""All topics in one query, but for those in trouble or with much to read: each of these has a query of its own.

So a topic whose table or messages at the broker are not as they should be holds up no other, nor does a backlog: Spark
shares out what a batch may read by what there is of each topic.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from pyspark.sql import SparkSession
from pyspark.sql.streaming.query import StreamingQuery

from data_lake.hadoop_files import remove
from stream_processing.spark_streaming.bronze.commit import BronzeTable
from stream_processing.spark_streaming.bronze.landing import RUNS, Landing, prepare
from stream_processing.spark_streaming.queries.member import Member, OwnQuery
from stream_processing.spark_streaming.queries.query import BRONZE, checkpoint
from stream_processing.spark_streaming.queries.restarts import wait_for_batch, works
from tidemill.config.settings import Settings

GATHER_S = 15.0
"""So long those that are ready wait for topics that are being made ready, so that the query is started once."""
BACK_S = 5.0
"""So long a query that had a backlog has waited for messages when its topic comes back."""
PREPARED_AT_ONCE = 4
TRIES = 3
"""Runs of the shared query in a row that ended before a batch did; then every topic has a query of its own."""
LOOK_S = 0.2


@dataclass
class Part:
    """A topic in the shared query."""

    member: Member
    bronze: BronzeTable


@dataclass
class SharedBronze:
    """Runs the shared query until ``stop`` is set, and starts it again when topics come or go.

    A topic that could not be landed has a query of its own from then on, until the application starts again; so has
    every topic when the shared query fails again and again and nobody can say why. ``landed`` is told of each topic
    that has news in bronze.
    """

    spark: SparkSession
    settings: Settings
    stop: threading.Event
    landed: Callable[[str], None]
    _parts: dict[str, Part] = field(default_factory=dict, init=False)
    _joining: dict[str, Part] = field(default_factory=dict, init=False)
    _flooded: set[str] = field(default_factory=set, init=False)
    _own: dict[str, tuple[Part, OwnQuery]] = field(default_factory=dict, init=False)
    _alone: set[str] = field(default_factory=set, init=False)
    _preparing: int = field(default=0, init=False)
    _gathered_at: float = field(default=0.0, init=False)
    _changed: threading.Condition = field(default_factory=threading.Condition, init=False, repr=False)
    _places: threading.Semaphore = field(init=False, repr=False)
    _failures: int = field(default=0, init=False)
    _are_runs_removed: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        self._places = threading.Semaphore(PREPARED_AT_ONCE)

    def topics(self) -> list[str]:
        """Those that the shared query lands."""
        return list(self._parts)

    def start(self, topic: str) -> Member | StreamingQuery:
        """Land ``topic``; it raises as :func:`prepare`."""
        with self._prepared(topic) as bronze:
            if topic in self._alone or self._failures >= TRIES:
                return self._landing(f"{BRONZE}/{topic}", {topic: bronze}).start()
            part = Part(Member(topic), bronze)
            with self._changed:
                self._joining[topic] = part
            return part.member

    def run(self) -> None:
        """Until ``stop`` is set; a batch that runs then is finished."""
        query: StreamingQuery | None = None
        while not self.stop.is_set():
            try:
                query = self._step(query)
            except Exception as error:  # noqa: BLE001 - whatever it is, who keeps the topics starts them again
                self._fail_all(error)
            with self._changed:
                self._changed.wait(LOOK_S)
        for one in (query, *(own.query for _, own in self._own.values())):
            if one is not None:
                wait_for_batch(one)
                one.stop()

    def _step(self, query: StreamingQuery | None) -> StreamingQuery | None:
        """One look; the query that runs after it."""
        self._look_after_own()
        if query is not None and not query.isActive:
            self._end_all(query)
            query = None
        if query is not None and works(query):
            for part in self._parts.values():
                part.member.has_worked = True
        return self._start_again(query) if self._is_due() else query

    def _is_due(self) -> bool:
        """Whether topics left, or all that are on their way have come."""
        left = self._flooded or any(not part.member.isActive for part in self._parts.values())
        return bool(left or (self._joining and (not self._preparing or time.monotonic() > self._gathered_at)))

    def _start_again(self, query: StreamingQuery | None) -> StreamingQuery | None:
        """The query with those that came, and without those that left."""
        if query is not None:
            wait_for_batch(query)
            query.stop()
            if query.exception() is not None:
                self._end_all(query)
        with self._changed:
            joining, self._joining = self._joining, {}
        flooded, self._flooded = self._flooded, set()
        self._parts |= joining
        for topic, part in list(self._parts.items()):
            if topic in flooded or not part.member.isActive:
                del self._parts[topic]
                self._run_own(part)
        return self._start() if self._parts else None

    def _start(self) -> StreamingQuery | None:
        bronze = {topic: part.bronze for topic, part in self._parts.items()}
        try:
            self._remove_runs()
            query = self._landing(BRONZE, bronze, shared=True).start()
        except Exception as error:  # noqa: BLE001 - whatever it is, who keeps the topics is told
            self._fail_all(error)
            return None
        return query

    def _remove_runs(self) -> None:
        """The checkpoints of runs before this application, before its first one."""
        if not self._are_runs_removed:
            remove(self.spark, checkpoint(self.settings, RUNS))
            self._are_runs_removed = True

    def _landing(self, name: str, bronze: dict[str, BronzeTable], *, shared: bool = False) -> Landing:
        fail, flood = (self._fail, self._flooded.add) if shared else (None, None)
        return Landing(self.spark, self.settings, name, bronze, self.landed, fail, flood)

    def _fail(self, topic: str, error: Exception | None) -> None:
        """What the query tells of a topic that it can land no more."""
        self._alone.add(topic)
        part = self._parts.get(topic)  # a query that was stopped may still tell
        if part is not None:
            part.member.end(error)

    def _end_all(self, query: StreamingQuery) -> None:
        self._failures = 0 if query.lastProgress is not None else self._failures + 1
        self._fail_all(query.exception())

    def _fail_all(self, error: Exception | None) -> None:
        for part in self._parts.values():
            part.member.end(error)
        self._parts = {}

    def _run_own(self, part: Part) -> None:
        topic = part.member.topic
        if not part.member.isActive:
            return
        try:
            query = self._landing(f"{BRONZE}/{topic}", {topic: part.bronze}).start()
        except Exception as error:  # noqa: BLE001 - who keeps the topic is told
            part.member.end(error)
            return
        part.member.own = query
        self._own[topic] = part, OwnQuery(query)

    def _look_after_own(self) -> None:
        for topic, (part, own) in list(self._own.items()):
            if not own.query.isActive:
                del self._own[topic]
                part.member.end(own.query.exception())
            elif own.has_waited(BACK_S):
                del self._own[topic]
                wait_for_batch(own.query)
                own.query.stop()
                part.member.own = None
                with self._changed:
                    self._joining[topic] = part

    @contextmanager
    def _prepared(self, topic: str) -> Iterator[BronzeTable]:
        with self._changed:
            self._gathered_at = self._gathered_at if self._preparing else time.monotonic() + GATHER_S
            self._preparing += 1
        try:
            with self._places:
                yield prepare(self.spark, self.settings, topic)
        finally:
            with self._changed:
                self._preparing -= 1
                self._changed.notify_all()
