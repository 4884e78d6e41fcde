"""Flink's jobs on a cluster of their own: how many events a second, and how soon an alert is there.

    python benchmarks/flink.py [--events 100000] [--rate 1000] [--seconds 60] [--scales 1 10]

For each scale a broker and Flink are started in a temporary folder, with the memory of the local stack. *Throughput*:
``--events`` times the scale lie in Kafka, and measured is the time from the deployment of a job, with both its passes,
until the last of its results was sent; once for the start of the job alone. The baseline of the ratio is a consumer
that reads the same messages and does nothing. *Freshness*: ``--rate`` times the scale payments are sent a second for
``--seconds``, among them cards that are tried by two small payments before a large one; measured is the time from the
broker's acknowledgement of the large one until a consumer has the alert.
"""

import argparse
import json
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import psutil
from confluent_kafka import Consumer, Producer, TopicPartition

from ingestion_layer.kafka.topics import ensure_topics
from stream_processing.flink.deploying import deploy, stop
from stream_processing.flink.job import job
from tidemill.config import Settings, load_settings
from tidemill.contracts import contract, event
from tidemill.stack.machine.ports import free_ports
from tidemill.stack.services import flink, kafka
from tidemill.stack.supervision.processes import memory_bytes
from tidemill.stack.supervision.running import running

CLICKS, SESSIONS = contract("shop.click.v1"), contract("shop.session.v1")
PAYMENTS, ALERTS = contract("payment.card_transaction.v1"), contract("payment.card_alert.v1")
START = datetime(2026, 3, 2, tzinfo=UTC)
A_VISIT = 10
"""Clicks of each visit."""
TRIED_EVERY = 100
"""One alert for so many payments."""
TRIED = {0: 2.0, 30: 3.0, 60: 400.0}
"""What is paid with a card that is tried, by its place in the hundred: never two payments in one millisecond."""
LARGE = max(TRIED.values())
CARDS, MANY_CARDS = 50_000, 1_000_000
"""Of the other payments: so many that nobody pays five times within ten minutes."""
Event = dict[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--rate", type=int, default=1_000)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--scales", type=int, nargs="+", default=[1, 10])
    options = parser.parse_args()
    print("| job | events | results | to start it | events/s | of a bare consumer |\n|---|---|---|---|---|---|")
    fresh = []
    for scale in options.scales:
        number = options.events * scale
        with cluster() as (settings, pids):
            print(throughput(settings, "sessions", clicks(number), 2 * (number // A_VISIT)), flush=True)
            print(throughput(settings, "card_patterns", payments(number), 2 * (number // TRIED_EVERY)), flush=True)
            sizes = memory(pids)
        with cluster() as (settings, _):
            fresh.append(freshness(settings, options.seconds, options.rate * scale))
    print("\n| payments/s | alerts | median | 95 % within | 99 % within |\n|---|---|---|---|---|")
    print("\n".join(fresh))
    print(f"\nAt the end: {sizes}")


@contextmanager
def cluster() -> Iterator[tuple[Settings, Mapping[str, int]]]:
    """A broker and both managers, with their process ids."""
    broker, controller, url, rpc = free_ports(4)
    with tempfile.TemporaryDirectory() as home, ExitStack() as stack:
        settings = load_settings(
            {
                "TIDEMILL_HOME": home,
                "TIDEMILL_KAFKA__BOOTSTRAP_SERVERS": f"127.0.0.1:{broker}",
                "TIDEMILL_KAFKA__CONTROLLER_PORT": str(controller),
                "TIDEMILL_FLINK__URL": f"http://127.0.0.1:{url}",
                "TIDEMILL_FLINK__RPC_PORT": str(rpc),
            }
        )
        services = [kafka.services(settings)[0], *flink.services(settings)[:2]]
        pids = {service.name: stack.enter_context(running(service, settings)).pid for service in services}
        ensure_topics(settings)
        yield settings, pids


def memory(pids: Mapping[str, int]) -> str:
    """What each process has in memory."""
    sizes = {name: memory_bytes([psutil.Process(pid)]) / 2**20 for name, pid in pids.items()}
    return ", ".join(f"{name} {size:,.0f} MiB" for name, size in sizes.items())


def throughput(settings: Settings, name: str, events: Iterable[Event], results: int) -> str:
    """A row of the table: the job reads ``events`` and sends so many ``results``."""
    declared = job(name)
    (reads,) = declared.reads.values()
    sending = Sending(settings)
    number = 0
    for number, made in enumerate(events, start=1):  # noqa: B007 - their number is what is left
        sending.send(made)
    sending.end()
    bare_s = timed(lambda: read(settings, reads.topic, number))
    began = time.perf_counter()
    deploy(settings, declared)
    start_s = time.perf_counter() - began
    read(settings, declared.writes.topic, results)
    job_s = time.perf_counter() - began
    stop(settings, name)
    rate = f"{number / job_s:,.0f} | {bare_s / job_s:.3f}"
    return f"| `{name}` | {number:,} | {results:,} | {start_s:.1f} s | {rate} |"


def freshness(settings: Settings, seconds: int, rate: int) -> str:
    """A row of the table; each card that is tried is one that nothing else is paid with."""
    deploy(settings, job("card_patterns"))
    seen: dict[str, float] = {}
    ended = threading.Event()
    reader = threading.Thread(target=watch, args=(settings, seen, ended))
    reader.start()
    sending = Sending(settings, lambda made: made["data"]["amount"] == LARGE)
    began = time.perf_counter()
    for number in range(seconds * rate):
        sending.wait(began + number / rate)
        sending.send(payment(number, datetime.now(UTC), MANY_CARDS))
    sent_s = time.perf_counter() - began
    sending.end()
    time.sleep(5)
    ended.set()
    reader.join()
    stop(settings, "card_patterns")
    due = sending.acknowledged
    waits = statistics.quantiles([seen[name] - at for name, at in due.items() if name in seen], n=100)
    told = " | ".join(f"{waits[percent - 1]:.2f} s" for percent in (50, 95, 99))
    return f"| {seconds * rate / sent_s:,.0f} | {len(due.keys() & seen.keys()):,} of {len(due):,} | {told} |"


def watch(settings: Settings, seen: dict[str, float], ended: threading.Event) -> None:
    """When the first alert about each payment was read, by the payment's id."""
    consumer = consuming(settings, ALERTS.topic)
    while not ended.is_set():
        for message in consumer.consume(100, 0.02):
            now = time.perf_counter()
            alert = json.loads(message.value())["data"]
            seen.setdefault(alert["event_ids"][-1], now)
    consumer.close()


def clicks(number: int) -> Iterator[Event]:
    """Visits of ten clicks, a minute between two, all visitors at once; then one much later in each partition."""
    visitors = number // A_VISIT
    for index in range(number):
        step, visitor = divmod(index, visitors)
        yield click(index, f"v{visitor}", START + timedelta(minutes=step, seconds=visitor / visitors * 59))
    yield from (click(number + more, f"later {more}", START + timedelta(days=2)) for more in range(64))


def payments(number: int) -> Iterator[Event]:
    """A hundred a second, so rarely by one card that only those that are tried give alerts; then later ones."""
    yield from (payment(index, START + timedelta(milliseconds=10 * index)) for index in range(number))
    later = START + timedelta(days=2)
    yield from (payment(number + more * TRIED_EVERY + 1, later) for more in range(64))


def click(number: int, visitor: str, at: datetime) -> Event:
    data = {"session_id": visitor, "customer_id": visitor, "kind": "view", "page": "/", "device": "mobile"}
    return event(CLICKS, "urn:benchmark", str(number), at, {**data, "product_id": f"P{number % 1000}"})


def payment(number: int, at: datetime, cards: int = CARDS) -> Event:
    """Three of each hundred are with a card that is tried."""
    group, place = divmod(number, TRIED_EVERY)
    is_tried = place in TRIED
    data = {
        "transaction_id": str(number),
        "customer_id": f"tried {group}" if is_tried else f"card {number % cards}",
        "terminal_id": "t1",
        "amount": TRIED.get(place, 50.0),
        "currency": "EUR",
    }
    return event(PAYMENTS, "urn:benchmark", str(number), at, data)


@dataclass
class Sending:
    """A producer, and when the broker acknowledged each event that is ``watched``, by id."""

    settings: Settings
    watched: Callable[[Event], bool] = lambda _: False
    acknowledged: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        options = {"partitioner": "murmur2_random", "linger.ms": 5, "queue.buffering.max.messages": 1_000_000}
        servers = {"bootstrap.servers": self.settings.kafka.bootstrap_servers, "acks": "all"}
        self.producer = Producer({**servers, **options})

    def send(self, made: Event) -> None:
        topic, name = contract(made["type"]), made["id"] if self.watched(made) else ""
        note = partial(self._note, name)
        while True:
            try:
                self.producer.produce(topic.topic, json.dumps(made).encode(), topic.key(made["data"]), on_delivery=note)
            except BufferError:  # the broker is slower than we are
                self.producer.poll(0.1)
            else:
                self.producer.poll(0)
                return

    def wait(self, until: float) -> None:
        rest_s = until - time.perf_counter()
        if rest_s > 0:
            self.producer.poll(rest_s)

    def end(self) -> None:
        if left := self.producer.flush(60):
            raise RuntimeError(f"{left} events were not acknowledged within a minute")

    def _note(self, name: str, error: object, _message: object) -> None:
        if error is not None:
            raise RuntimeError(f"not acknowledged: {error}")
        if name:
            self.acknowledged[name] = time.perf_counter()


def consuming(settings: Settings, topic: str) -> Consumer:
    servers = {"bootstrap.servers": settings.kafka.bootstrap_servers, "group.id": "benchmark"}
    consumer = Consumer({**servers, "fetch.wait.max.ms": 10})
    partitions = consumer.list_topics(topic).topics[topic].partitions
    consumer.assign([TopicPartition(topic, number, 0) for number in partitions])
    return consumer


def read(settings: Settings, topic: str, number: int) -> None:
    """Wait until ``topic`` has so many messages, and read them."""
    consumer, left = consuming(settings, topic), number
    while left > 0:
        left -= len(consumer.consume(10_000, 0.2))
    consumer.close()


def timed(act: Callable[[], None]) -> float:
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
