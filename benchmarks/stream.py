"""From silver to the online states, in events a second, and how fresh these are while a shop sells.

    python benchmarks/stream.py [--events 200000] [--seconds 60] [--rate 1000] [--trigger-s 2]

It starts a broker and a Redis of its own in a temporary folder. A history goes through Kafka and bronze to silver while
the feature queries are held back. Then, in one Spark session: silver's change feed to Spark's noop sink, a query a
feature group with the columns it reads; the application's own feature queries over the same feed; the noop read again.
The ratio is the mean of the two noop reads over the time to the states: 1 would mean that updating them costs nothing.

Then the whole streaming application runs on that lake. Every 50 ms what is due is sent, one event of it a probe
customer's, and the probe customers are read as the model server reads them. The freshness of a probe's event is the
time from the broker's acknowledgement (of all that was sent with it) to the end of the first read that counts it. At
the end the states of every customer must count what was sent: each event is one unit for 1.00, so what was spent and
what was returned within a year add up to the events.
"""

import argparse
import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial

from pyspark.sql import SparkSession
from pyspark.sql import functions as F  # noqa: N812
from pyspark.sql.streaming.query import StreamingQuery

from data_lake import tables
from data_lake.commits import current_version
from data_lake.delta_tables import ensure_table
from data_lake.spark import session
from feature_store.definitions import FeatureGroup
from feature_store.feast import repository
from feature_store.lake.silver import event_columns
from feature_store.online.reader import FeatureRow, OnlineReader
from feature_store.stream.applying import COMMIT
from feature_store.stream.bootstrap import state_keeper
from feature_store.tiles import Status
from ingestion_layer.kafka.producer import Event, EventProducer
from ingestion_layer.kafka.topics import ensure_topics
from stream_processing.spark_streaming.app import CONF
from stream_processing.spark_streaming.bronze import start_bronze
from stream_processing.spark_streaming.features import start_features
from stream_processing.spark_streaming.silver.batch import start_silver
from tidemill.config import Settings, load_settings
from tidemill.contracts import contract, contracts, event
from tidemill.stack.folders import Folders
from tidemill.stack.logs import last_lines
from tidemill.stack.machine.ports import free_ports
from tidemill.stack.services import kafka, redis, stream
from tidemill.stack.supervision.running import running
from use_cases.churn.features import SERVICE

TOPIC = "shop.transaction.v1"
SILVER = tables.silver(TOPIC)
PROBES = [f"probe-{number}" for number in range(20)]
CUSTOMERS = [f"customer-{number}" for number in range(20_000)]
SPENT, RETURNED = SERVICE.names.index("purchases__amount_sum_365d"), SERVICE.names.index("returns__count_365d")
POLL_S, TOLD_EVERY_S, LIMIT_S = 0.05, 10.0, 180.0
Figures = dict[str, float]
tell = partial(print, file=sys.stderr, flush=True)


@dataclass
class Sales:
    """Makes order lines, and knows how many each customer has."""

    made: Counter[str] = field(default_factory=Counter)
    rng: random.Random = field(default_factory=lambda: random.Random(1))  # noqa: S311

    def history(self, number: int) -> Iterator[Event]:
        now = datetime.now(UTC)
        for customer in self.rng.choices(CUSTOMERS, k=number):
            yield self.line(customer, now - timedelta(days=self.rng.uniform(0, 300)))

    def line(self, customer: str, at: datetime) -> Event:
        self.made[customer] += 1
        record = f"{customer}/{self.made[customer]}"
        data = {
            "order_id": record, "line": 1, "customer_id": customer, "product_id": f"p{self.rng.randrange(1_000)}",
            "description": None, "quantity": 1, "unit_price": 1.0, "currency": "GBP", "country": "United Kingdom",
            "kind": "return" if self.rng.random() < 0.1 else "purchase",
        }  # fmt: skip
        return event(contract(TOPIC), "urn:tidemill:benchmark", record, at, data)


@dataclass
class Probes:
    """When each probe customer's events were acknowledged, in order, and how many seconds later they were counted."""

    acknowledged: dict[str, list[float]] = field(default_factory=lambda: {one: [] for one in PROBES})
    counted: Counter[str] = field(default_factory=Counter)
    freshness: list[tuple[float, float]] = field(default_factory=list)

    def look(self, reader: OnlineReader) -> None:
        rows, now = reader.read([{"customer_id": one} for one in PROBES]), time.monotonic()
        for customer, row in zip(PROBES, rows, strict=True):
            new = self.acknowledged[customer][self.counted[customer] : count_in(row)]
            self.freshness += [(at, now - at) for at in new]
            self.counted[customer] += len(new)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=200_000, help="of the history (default 200000)")
    parser.add_argument("--rate", type=int, default=1_000, help="events sent a second (default 1000)")
    parser.add_argument("--seconds", type=float, default=60.0, help="how long, after the warm-up (default 60)")
    parser.add_argument("--warm-up", type=float, default=120.0, help="seconds that do not count (default 120)")
    parser.add_argument("--trigger-s", type=float, default=Settings().stream.trigger_s, help="stream.trigger_s")
    options, sales = parser.parse_args(), Sales()
    with stack(options.trigger_s) as settings:
        to_online = silver_to_online(settings, sales, options.events)
        tell("starting the streaming application")
        with running(stream.services(settings)[0], settings) as application:
            fresh = freshness(settings, sales, application, options)
    print(json.dumps({"silver_to_online": to_online, "freshness": fresh}, indent=2))


def silver_to_online(settings: Settings, sales: Sales, events: int) -> Figures:
    """Events and states a second, and the ratio; a small history comes first, so that everything is warm."""
    settings = settings.model_copy(
        update={"stream": settings.stream.model_copy(update={"trigger_s": 0.0, "poll_s": 0.0})}
    )
    spark, figures = session("stream-benchmark", settings, CONF), Figures()
    try:
        for topic in contracts():
            for table in (tables.bronze(topic), tables.silver(topic), tables.quarantine(topic)):
                ensure_table(spark, table, settings)
        repository.apply(settings)
        run(start_features(spark, settings, state_keeper(spark, settings, group)) for group in SERVICE.groups)
        for number in (2_000, events):
            first = current_version(SILVER, settings) + 1
            with EventProducer(settings) as producer:
                producer.send(TOPIC, sales.history(number))
            run([start_bronze(spark, settings, TOPIC), start_silver(spark, settings, TOPIC)])
            tell(f"{number:,} events in silver")
            figures = {"events": number, **measure(spark, settings, first), "states": require_counts(settings, sales)}
    finally:
        spark.stop()
    rates = {f"{what}_per_second": round(figures[what] / figures["to_states_s"]) for what in ("events", "states")}
    return figures | rates


def measure(spark: SparkSession, settings: Settings, first: int) -> Figures:
    """Seconds from silver's commit ``first`` on to noop and to the states, and their ratio."""
    before = run(noop(spark, settings, group, first) for group in SERVICE.groups)
    states = run(start_features(spark, settings, state_keeper(spark, settings, group)) for group in SERVICE.groups)
    after = run(noop(spark, settings, group, first) for group in SERVICE.groups)
    tell(f"to noop {before:.1f} s, to the states {states:.1f} s, to noop again {after:.1f} s")
    base = (before + after) / 2
    return {"noop_s": round(base, 2), "to_states_s": round(states, 2), "ratio": round(base / states, 3)}


def noop(spark: SparkSession, settings: Settings, group: FeatureGroup, first: int) -> StreamingQuery:
    feed = spark.readStream.format("delta").options(readChangeFeed="true", startingVersion=str(first))
    inserted = feed.load(SILVER.path(settings)).where(F.col("_change_type") == "insert")
    writer = event_columns(inserted, group, F.col(COMMIT)).writeStream.format("noop")
    return writer.option("checkpointLocation", f"{settings.checkpoints}/{uuid.uuid4()}").start()


def run(queries: Iterable[StreamingQuery]) -> float:
    """Seconds until all of them have what is there; then they are stopped."""
    began, started = time.monotonic(), list(queries)
    for query in started:
        query.processAllAvailable()
    seconds = time.monotonic() - began
    for query in started:
        query.stop()
    return seconds


def freshness(
    settings: Settings, sales: Sales, application: "subprocess.Popen[bytes]", options: argparse.Namespace
) -> Figures:
    """Send, and look at the same time which of the probes' events are counted."""
    probes, reader, sent = Probes(), OnlineReader(settings, SERVICE.name, LIMIT_S), Counter[float]()
    began = told = time.monotonic()
    warm, end = began + options.warm_up, began + options.warm_up + options.seconds
    with EventProducer(settings) as producer:
        while (now := time.monotonic()) < end or len(sent) - probes.counted.total():
            if due := int((min(now, end) - began) * options.rate) - sent.total():
                customers = [PROBES[len(sent) % len(PROBES)], *sales.rng.choices(CUSTOMERS, k=due - 1)]
                producer.send(TOPIC, [sales.line(one, datetime.now(UTC)) for one in customers])
                producer.flush()
                sent[acknowledged := time.monotonic()] = due
                probes.acknowledged[customers[0]].append(acknowledged)
            probes.look(reader)
            if application.poll() is not None or now > end + LIMIT_S:
                raise SystemExit(f"the stream came to a stop:\n{last_lines(Folders.of(settings).log('stream'))}")
            if now > told + TOLD_EVERY_S:
                told = now
                tell(f"{sent.total():,} events sent, {probes.counted.total():,} of {len(sent):,} probes counted")
            time.sleep(max(0.0, now + POLL_S - time.monotonic()))
    require_counts(settings, sales)
    seconds = sorted(fresh for at, fresh in probes.freshness if at >= warm)
    return {
        "trigger_s": settings.stream.trigger_s,
        "events_per_second": round(sum(due for at, due in sent.items() if at >= warm) / options.seconds),
        "probes": len(seconds),
        "median_s": round(statistics.median(seconds), 2),
        "p99_s": round(statistics.quantiles(seconds, n=100)[98], 2),
        "max_s": round(seconds[-1], 2),
    }


def require_counts(settings: Settings, sales: Sales) -> int:
    """How many states the customers have, once each customer's count what was sent."""
    reader, customers, deadline = OnlineReader(settings, SERVICE.name, LIMIT_S), list(sales.made), time.monotonic() + 60
    while True:
        lots = (customers[first : first + 1_000] for first in range(0, len(customers), 1_000))
        rows = [row for lot in lots for row in reader.read([{"customer_id": one} for one in lot])]
        found = {customer: count_in(row) for customer, row in zip(customers, rows, strict=True)}
        wrong = [f"{one} has {found[one]} of {made}" for one, made in sales.made.items() if found[one] != made]
        if not wrong:
            return sum(status is Status.OK for row in rows for status in row.status.values())
        if time.monotonic() > deadline:
            raise SystemExit(f"{len(wrong)} of {len(customers)} customers' events are not as sent: {wrong[0]}")
        time.sleep(1)


def count_in(row: FeatureRow) -> int:
    return round((row.values[SPENT] or 0) + (row.values[RETURNED] or 0))


@contextmanager
def stack(trigger_s: float) -> Iterator[Settings]:
    """Settings of a temporary home, its broker and its Redis running."""
    with tempfile.TemporaryDirectory(prefix="tidemill-stream-") as home:
        broker, controller, store, metrics = free_ports(4)
        changes = {
            "TIDEMILL_HOME": home,
            "TIDEMILL_KAFKA__BOOTSTRAP_SERVERS": f"127.0.0.1:{broker}",
            "TIDEMILL_KAFKA__CONTROLLER_PORT": str(controller),
            "TIDEMILL_REDIS__PORT": str(store),
            "TIDEMILL_STREAM__METRICS_ADDRESS": f"127.0.0.1:{metrics}",
            "TIDEMILL_STREAM__TOPICS": json.dumps([TOPIC]),
            "TIDEMILL_STREAM__TRIGGER_S": str(trigger_s),
        }
        settings = load_settings(changes)
        with running(kafka.services(settings)[0], settings), running(redis.services(settings)[0], settings):
            ensure_topics(settings)
            yield settings


if __name__ == "__main__":
    main()
