"""Flink's jobs on a cluster of their own: how many events a second, and how soon an alert is there.

    python benchmarks/flink.py [--clicks 100000] [--scale 1] [--seconds 60] [--rate 1000]

It starts a broker and Flink in a temporary folder, with the memory of the local stack. *Throughput*: ``--clicks`` times
``--scale`` clicks lie in Kafka, half an hour apart for each of a tenth as many visitors; measured is the time from the
start of ``sessions`` until every visit that is over was sent, both passes, against a consumer that reads the same
messages and does nothing (the baseline of the ratio). *Freshness*: payments are sent at ``--rate`` a second for
``--seconds``, among them cards that are tried by two small payments before a large one; measured is the time from the
broker's acknowledgement of the large one until a consumer has the alert.
"""

import argparse
import json
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta

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
A_VISITORS = 10
"""Clicks of each visitor; the last of them is the one that moves time on."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clicks", type=int, default=100_000)
    parser.add_argument("--scale", type=int, default=1)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--rate", type=int, default=1_000)
    options = parser.parse_args()
    with cluster() as settings:
        ensure_topics(settings)
        throughput(settings, options.clicks * options.scale)
        freshness(settings, options.seconds, options.rate)


@contextmanager
def cluster() -> Iterator[Settings]:
    """A broker and both managers; their memory is printed at the end."""
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
        processes = {service.name: stack.enter_context(running(service, settings)) for service in services}
        yield settings
        for name, process in processes.items():
            print(f"{name}: {memory_bytes_of(process.pid) / 2**20:,.0f} MiB")


def memory_bytes_of(pid: int) -> int:
    import psutil

    return memory_bytes([psutil.Process(pid)])


def throughput(settings: Settings, clicks: int) -> None:
    """``clicks`` in visits of ten, a minute between two clicks; then one much later in each partition."""
    visitors = clicks // A_VISITORS
    producer = producing(settings)
    for number in range(clicks):
        at = START + timedelta(seconds=60 * (number // visitors), milliseconds=number % visitors * 50 % 59_000)
        send(producer, CLICKS.topic, click(number, f"v{number % visitors}", at))
    for number in range(64):
        send(producer, CLICKS.topic, click(clicks + number, f"later {number}", START + timedelta(days=2)))
    producer.flush()
    bare = timed(lambda: read(settings, CLICKS.topic, clicks))
    began = time.perf_counter()
    deploy(settings, job("sessions"))
    deployed = time.perf_counter() - began
    read(settings, SESSIONS.topic, 2 * visitors)
    lasted = time.perf_counter() - began
    stop(settings, "sessions")
    print(f"{clicks:,} clicks, {visitors:,} visits twice: {clicks / lasted:,.0f}/s, with {deployed:.1f} s to start;")
    print(f"  {clicks / bare:,.0f}/s by a consumer that does nothing; ratio {bare / lasted:.3f}")


def freshness(settings: Settings, seconds: int, rate: int) -> None:
    """Every tenth second's share of cards is tried; the others pay what nobody looks at."""
    deploy(settings, job("card_patterns"))
    acknowledged: dict[str, float] = {}
    seen: dict[str, float] = {}
    ended = threading.Event()
    reader = threading.Thread(target=watch, args=(settings, seen, ended))
    reader.start()
    producer = producing(settings)
    began = time.perf_counter()
    for number in range(seconds * rate):
        rest = began + number / rate - time.perf_counter()
        if rest > 0:
            producer.poll(rest)
        group, step = divmod(number, 100)
        amount, card = ((2.0, 3.0, 400.0)[step], f"tried {group}") if step < 3 else (50.0, f"card {number % 5_000}")
        made = payment(number, card, amount)
        send(producer, PAYMENTS.topic, made, acknowledged if amount == 400.0 else None)
    producer.flush()
    time.sleep(5)
    ended.set()
    reader.join()
    waits = sorted(seen[name] - at for name, at in acknowledged.items() if name in seen)
    quantiles = statistics.quantiles(waits, n=100)
    print(f"{rate:,} payments/s for {seconds} s: {len(waits):,} of {len(acknowledged):,} alerts;")
    print(f"  median {quantiles[49]:.2f} s, 95 % within {quantiles[94]:.2f} s, 99 % within {quantiles[98]:.2f} s")
    stop(settings, "card_patterns")


def watch(settings: Settings, seen: dict[str, float], ended: threading.Event) -> None:
    """When the first alert about each payment was read, by the payment's id."""
    consumer = consuming(settings, ALERTS.topic)
    while not ended.is_set():
        for message in consumer.consume(100, 0.02):
            now = time.perf_counter()
            seen.setdefault(json.loads(message.value())["data"]["event_ids"][-1], now)
    consumer.close()


def click(number: int, visitor: str, at: datetime) -> dict[str, object]:
    data = {"session_id": visitor, "customer_id": visitor, "kind": "view", "page": "/", "device": "mobile"}
    return event(CLICKS, "urn:benchmark", str(number), at, {**data, "product_id": f"P{number % 1000}"})


def payment(number: int, card: str, amount: float) -> dict[str, object]:
    data = {
        "transaction_id": str(number),
        "customer_id": card,
        "terminal_id": "t1",
        "amount": amount,
        "currency": "EUR",
    }
    return event(PAYMENTS, "urn:benchmark", str(number), datetime.now(UTC), data)


def producing(settings: Settings) -> Producer:
    options = {"partitioner": "murmur2_random", "linger.ms": 5, "queue.buffering.max.messages": 1_000_000}
    return Producer({"bootstrap.servers": settings.kafka.bootstrap_servers, "acks": "all", **options})


def send(producer: Producer, topic: str, made: dict[str, object], acknowledged: dict[str, float] | None = None) -> None:
    name, data = str(made["id"]), made["data"]

    def note(error: object, _message: object) -> None:
        if error is not None:
            raise RuntimeError(f"not acknowledged: {error}")
        if acknowledged is not None:
            acknowledged[name] = time.perf_counter()

    producer.produce(topic, json.dumps(made).encode(), contract(topic).key(data), on_delivery=note)  # type: ignore[arg-type]
    producer.poll(0)


def consuming(settings: Settings, topic: str) -> Consumer:
    consumer = Consumer(
        {"bootstrap.servers": settings.kafka.bootstrap_servers, "group.id": "b", "fetch.wait.max.ms": 10}
    )
    partitions = consumer.list_topics(topic).topics[topic].partitions
    consumer.assign([TopicPartition(topic, number, 0) for number in partitions])
    return consumer


def read(settings: Settings, topic: str, number: int) -> None:
    consumer, left = consuming(settings, topic), number
    while left > 0:
        left -= len(consumer.consume(10_000, 0.2))
    consumer.close()


def timed(act: object) -> float:
    began = time.perf_counter()
    act()  # type: ignore[operator]
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
