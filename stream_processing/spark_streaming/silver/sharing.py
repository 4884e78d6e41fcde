"""Little news of any number of topics in one round: one Spark job judges it, and each table with news has one commit.

A topic gets a streaming query of its own, as every topic once had, while it has much to do or something is wrong with
it, so that it holds up no other: when a round failed, hung, or killed the process, and when its backlog is large. The
query starts where the rounds have come; once it waits for news, the topic is back in the rounds.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as LateError
from dataclasses import dataclass, field, replace

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession

from data_lake import commits, tables
from data_lake.arrow import UnreadableTableError, needs_engine
from data_lake.delta_rs import location, open_table
from data_lake.delta_tables import ensure_table
from data_lake.hadoop_files import names, remove
from data_lake.log import Added, added_since
from stream_processing.spark_streaming.queries.checkpoints import is_in_a_batch, read_up_to
from stream_processing.spark_streaming.queries.diagnosis import start_over
from stream_processing.spark_streaming.queries.member import Member, OwnQuery
from stream_processing.spark_streaming.queries.query import SILVER, checkpoint
from stream_processing.spark_streaming.queries.restarts import wait_for_batch
from stream_processing.spark_streaming.queries.states import QueryStates
from stream_processing.spark_streaming.silver.batch import start_silver, write_messages
from stream_processing.spark_streaming.silver.conflicts import USER_METADATA, SilverIdentities
from stream_processing.spark_streaming.silver.judging import FileJudge, judge_files
from stream_processing.spark_streaming.silver.parse import Parser, TimeRule
from stream_processing.spark_streaming.silver.small import NeedsSparkError, SmallWrites
from stream_processing.spark_streaming.silver.taken import NOTE, Taken, read_taken, write_taken
from tidemill.config.errors import TerminalError
from tidemill.config.settings import Settings
from tidemill.contracts.registry import contract

SMALL_BYTES = 2 * 2**20
"""Of files, compressed, that a topic brings into a round."""
SMALL_ROWS = 5_000
ROUND_BYTES = 16 * 2**20
"""Of files that a round takes in: what is made of them is in the driver's memory."""
LIMIT_S = 30.0
"""A round whose messages are not judged by then is cut off, and its topics are looked at one by one."""
LOOK_S = 5.0
"""How often a topic is looked at of which nobody told that it has news."""
BACK_S = 5.0
"""So long a query of its own has waited for news when its topic comes back."""
logger = logging.getLogger("tidemill.stream")
Report = Callable[[str, int, int, float], None]


class BronzeMadeAnewError(TerminalError):
    """The bronze table is another one than that which silver has taken in."""


@dataclass
class Topic:
    """A topic in the rounds; ``taken`` is how far it has come."""

    member: Member
    taken: Taken
    parser: Parser
    known: SilverIdentities
    writes: SmallWrites
    session: SparkSession
    looks_at: float = 0.0


@dataclass
class Own:
    """A topic with a query of its own."""

    member: Member
    known: SilverIdentities
    own: OwnQuery


@dataclass
class SharedSilver:
    """Runs the rounds until ``stop`` is set.

    ``report`` is told of each topic of a round: the query's name, the round's number, rows and seconds.
    """

    spark: SparkSession
    settings: Settings
    states: QueryStates
    stop: threading.Event
    report: Report = lambda *_: None
    _topics: dict[str, Topic] = field(default_factory=dict, init=False)
    _own: dict[str, Own] = field(default_factory=dict, init=False)
    _told: set[str] = field(default_factory=set, init=False)
    _heard: threading.Event = field(default_factory=threading.Event, init=False, repr=False)
    _round: int = field(default=0, init=False)
    _in_round: tuple[str, ...] = field(default=(), init=False)

    def hear(self, topic: str) -> None:
        """There is news of ``topic`` in bronze."""
        self._told.add(topic)
        self._heard.set()

    def batches(self) -> dict[str, int]:
        """The number of the round that runs, for each of its topics' queries."""
        return {f"{SILVER}/{topic}": self._round for topic in self._in_round}

    def start(self, topic: str) -> Member:
        """Bring ``topic`` from bronze to silver, its tables made or checked.

        Raises:
            TableMismatchError: one of them is not as it was declared.
            BronzeMadeAnewError: bronze is another table than that which silver has read.
        """
        for table in (tables.bronze(topic), tables.silver(topic), tables.quarantine(topic)):
            ensure_table(self.spark, table, self.settings)
        member, name = Member(topic), f"{SILVER}/{topic}"
        taken = self._taken(topic)
        known = SilverIdentities(topic, self.settings)
        if is_in_a_batch(self.spark, self.settings, name):
            self._run_own(member, known, None)
        elif taken.is_begun or self._is_for_spark(topic):
            self._leave(member, known, taken)
        else:
            self._join(member, known, taken)
        return member

    def run(self) -> None:
        """Until ``stop`` is set; a round that runs then is finished."""
        with ThreadPoolExecutor(thread_name_prefix="silver") as pool:
            while not self.stop.is_set():
                self._heard.wait(self.settings.stream.poll_s)
                self._heard.clear()
                try:
                    self._step(pool)
                except Exception as error:  # noqa: BLE001 - whatever it is, who keeps the topics starts them again
                    self._end_all(error)
        for one in self._own.values():
            wait_for_batch(one.own.query)
            one.own.query.stop()

    def _step(self, pool: ThreadPoolExecutor) -> None:
        self._look_after_own()
        news = self._news()
        if news:
            self._take_in(news, pool)

    def _end_all(self, error: Exception) -> None:
        for name in list(self._topics):
            self._topics.pop(name).member.end(error)

    # What has news.

    def _news(self) -> dict[str, Added]:
        """The topics of the next round, as many as fit; one that has more than its part gets a query of its own."""
        found: dict[str, Added] = {}
        room, now = ROUND_BYTES, time.monotonic()
        for name, topic in list(self._topics.items()):
            if not topic.member.isActive:
                del self._topics[name]
            elif name in self._told or now >= topic.looks_at:
                news = self._news_of(topic)
                if news is not None and news.bytes > room:
                    self.hear(name)
                elif news is not None:
                    found[name] = news
                    room -= news.bytes
        return found

    def _news_of(self, topic: Topic) -> Added | None:
        """What the topic brings into a round; None for one that has no news, or that leaves the rounds."""
        name, bronze = topic.member.topic, tables.bronze(topic.member.topic)
        was_told = name in self._told
        self._told.discard(name)
        topic.looks_at = time.monotonic() + LOOK_S
        try:
            news = added_since(bronze, self.settings, topic.taken.version, SMALL_BYTES)
        except UnreadableTableError:
            news = Added(topic.taken.version, (), 0, 0, is_plain=False)
        if not news.is_plain or news.has_more or news.bytes > SMALL_BYTES or news.rows > SMALL_ROWS:
            self._leave(topic.member, topic.known, topic.taken)
        elif news.paths:
            return news
        elif was_told and commits.current_version(bronze, self.settings) > news.version:
            self._leave(topic.member, topic.known, topic.taken)  # the next commit is gone from the log
        else:
            topic.taken = replace(topic.taken, version=news.version)
            topic.member.has_worked = True
        return None

    # A round.

    def _take_in(self, news: Mapping[str, Added], pool: ThreadPoolExecutor) -> None:
        begun = time.monotonic()
        self._round += 1
        self._in_round = tuple(news)
        try:
            for name in news:
                topic = self._topics[name]
                topic.taken = replace(topic.taken, is_begun=True)
                write_taken(self.settings, name, topic.taken)
            parsed = self._judged(news, pool)
            if parsed is not None:
                self._write_all(news, parsed, pool, begun)
        finally:
            self._in_round = ()

    def _judged(self, news: Mapping[str, Added], pool: ThreadPoolExecutor) -> Mapping[str, pa.Table] | None:
        """What is made of the messages, by topic; None when that failed or took too long."""
        parsers = {name: self._topics[name].parser for name in news}
        locations = {name: location(tables.bronze(name), self.settings) for name in news}
        judge = FileJudge(parsers, locations, self.settings.lake.storage_options)

        def run() -> Mapping[str, pa.Table]:
            self.spark.sparkContext.setJobGroup(SILVER, f"{SILVER} round {self._round}", interruptOnCancel=True)
            self.spark.sparkContext.setLocalProperty("spark.scheduler.pool", SILVER)
            return judge_files(self.spark, judge, {name: added.paths for name, added in news.items()})

        work = pool.submit(run)
        try:
            return work.result(LIMIT_S)
        except LateError:
            self.spark.sparkContext.cancelJobGroup(SILVER)
            why = f"not judged within {LIMIT_S:.0f} s"
        except Exception as error:  # noqa: BLE001 - whatever it is, each topic's own query meets it again
            why = str(error).split("\n")[0]
        logger.warning("the news of %s, together: %s; each is looked at by itself", ", ".join(news), why)
        for name in news:
            topic = self._topics[name]
            self._leave(topic.member, topic.known, topic.taken)
        return None

    def _write_all(
        self, news: Mapping[str, Added], parsed: Mapping[str, pa.Table], pool: ThreadPoolExecutor, begun: float
    ) -> None:
        works = {name: pool.submit(self._write, self._topics[name], news[name], parsed[name]) for name in news}
        for name, work in works.items():
            topic = self._topics[name]
            try:
                work.result()
            except Exception as error:  # noqa: BLE001 - whatever it is, it is this topic's trouble and no other's
                del self._topics[name]
                topic.member.end(error)
                continue
            topic.member.has_worked = True
            self.report(f"{SILVER}/{name}", self._round, news[name].rows, time.monotonic() - begun)

    def _write(self, topic: Topic, news: Added, parsed: pa.Table) -> None:
        name = topic.member.topic
        try:
            topic.writes.write(topic.session, parsed)
        except NeedsSparkError as why:
            logger.info("%s/%s: %s", SILVER, name, why)
            topic.session.sparkContext.setLocalProperty("spark.scheduler.pool", f"{SILVER}/{name}")
            write_messages(self._messages(topic, news), topic.known)
        topic.taken = replace(topic.taken, version=news.version, is_begun=False)
        write_taken(self.settings, name, topic.taken)

    def _messages(self, topic: Topic, news: Added) -> DataFrame:
        bronze = tables.bronze(topic.member.topic)
        folder = bronze.path(self.settings)
        reader = topic.session.read.schema(bronze.ddl).option("basePath", folder)
        return reader.parquet(*(f"{folder}/{path}" for path in news.paths))

    # A topic by itself.

    def _leave(self, member: Member, known: SilverIdentities, taken: Taken) -> None:
        """Give the topic a query of its own, from where silver has come."""
        topic = member.topic
        self._topics.pop(topic, None)
        write_taken(self.settings, topic, taken)
        folder = checkpoint(self.settings, f"{SILVER}/{topic}")
        for name in names(self.spark, folder):
            if name != NOTE:
                remove(self.spark, f"{folder}/{name}")
        # Delta begins at no version that is still to come: without news the last one is read once more.
        last = commits.current_version(tables.bronze(topic), self.settings)
        self._run_own(member, known, min(taken.version + 1, last) if taken.version >= 0 else None)

    def _run_own(self, member: Member, known: SilverIdentities, first: int | None) -> None:
        try:
            query = start_silver(self.spark, known, self.states, first)
        except Exception as error:  # noqa: BLE001 - who keeps the topic is told
            member.end(error)
            return
        member.own = query
        self._own[member.topic] = Own(member, known, OwnQuery(query))

    def _look_after_own(self) -> None:
        for name, one in list(self._own.items()):
            if not one.own.query.isActive:
                del self._own[name]
                one.member.end(one.own.query.exception())
            elif one.own.has_waited(BACK_S) and not self._is_for_spark(name):
                self._come_back(one)

    def _come_back(self, one: Own) -> None:
        member, query = one.member, one.own.query
        del self._own[member.topic]
        wait_for_batch(query)
        query.stop()
        if query.exception() is not None:
            member.end(query.exception())
        elif is_in_a_batch(self.spark, self.settings, f"{SILVER}/{member.topic}"):
            self._run_own(member, one.known, None)  # news came while it was stopped
        else:
            member.own, member.has_worked = None, True
            self._join(member, one.known, replace(self._taken(member.topic), is_begun=False))

    def _is_for_spark(self, topic: str) -> bool:
        """Whether files of bronze do not tell its rows by themselves."""
        return needs_engine(open_table(tables.bronze(topic), self.settings))

    def _join(self, member: Member, known: SilverIdentities, taken: Taken) -> None:
        topic = member.topic
        write_taken(self.settings, topic, taken)
        parser = Parser(contract(topic), TimeRule.of(self.settings))
        # A session of its own: what it commits is marked as this query's.
        session = self.spark.newSession()
        session.conf.set(USER_METADATA, known.token)
        self._topics[topic] = Topic(member, taken, parser, known, SmallWrites(known), session)
        self.hear(topic)

    def _taken(self, topic: str) -> Taken:
        """How far silver has come: as the rounds noted it, or a query of its own did."""
        name, table_id = f"{SILVER}/{topic}", commits.table_id(tables.bronze(topic), self.settings)
        noted = read_taken(self.settings, topic) or Taken(table_id, -1)
        offset = read_up_to(self.spark, self.settings, name)
        if noted.table_id != table_id or offset.get("reservoirId", table_id) != table_id:
            raise BronzeMadeAnewError(
                f"bronze was made anew since this query began to read it; {start_over(self.settings, name)}"
            )
        own = -1 if offset.get("isStartingVersion") else int(offset.get("reservoirVersion", 0)) - 1
        return Taken(table_id, max(noted.version, own), noted.is_begun and own <= noted.version)
