"""Contract-checked events into a local broker, against the loop one writes first, which checks nothing.

    python benchmarks/produce.py [--file path/to/online-retail.csv.gz] [--events 200000]

It starts a broker of its own in a temporary folder. The naive loop makes each event with ``uuid.uuid5``,
``datetime.isoformat`` and ``json.dumps`` and counts acknowledgements by a callback a message; the project's makes the
same events from the same order lines, checks each against its contract and counts exactly. Both use an idempotent
producer with acks=all and lz4; they run in turns, ``--rounds`` times. Then, whole: the history of a simulated shop,
and the replay of the file, where one is given, with its reading and judging. ``cpu`` is this process's processor time
an event.
"""

import argparse
import itertools
import json
import statistics
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from confluent_kafka import Producer

from benchmarks.broker import broker
from ingestion_layer.kafka.client import client_config
from ingestion_layer.kafka.producer import OPTIONS, EventProducer
from ingestion_layer.kafka.topics import ensure_topics
from ingestion_layer.sources.online_retail.source import SOURCE, TOPIC, OnlineRetailSource, order_line
from ingestion_layer.sources.online_retail.staging import GoodRow
from ingestion_layer.sources.replay import Source, replay
from ingestion_layer.sources.simulator.faults import Faults
from ingestion_layer.sources.simulator.history import SimulatorSource
from ingestion_layer.sources.simulator.shop import Shop
from tidemill.config import Settings

NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, SOURCE)

Made = Callable[[Settings, list[GoodRow]], int]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--file", type=Path, help="the Online Retail file; without it its replay is left out")
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    rows = list(itertools.islice(order_lines(), options.events))
    with broker() as settings:
        ensure_topics(settings)
        figures: dict[str, list[tuple[float, float]]] = {"naive, unchecked": [], "checked": []}
        for _ in range(options.rounds):
            figures["naive, unchecked"].append(measured(naive, settings, rows))
            figures["checked"].append(measured(checked, settings, rows))
        base = statistics.median(rate for rate, _ in figures["naive, unchecked"])
        for name, runs in figures.items():
            tell(name, statistics.median(rate for rate, _ in runs), statistics.median(cpu for _, cpu in runs), base)
        shop = SimulatorSource(settings, Shop(1, 20_000, date(2025, 11, 1), date(2025, 12, 1)), Faults.parse("default"))
        tell("simulated shop, whole", *whole(settings, shop), base)
        if options.file is not None:
            tell("online retail, whole", *whole(settings, OnlineRetailSource(settings, options.file)), base)


def order_lines() -> Iterator[GoodRow]:
    """Order lines as the replay judges them, as many as asked for."""
    for number in itertools.count(1):
        time_text, customer = "2011-12-01T08:26:00.000000Z", str(12_000 + number % 4_000)
        text = f"{number}\x1fP{number % 3_000}\x1f{customer}"
        yield GoodRow(
            number, text, False, str(number // 20), number % 20 + 1, customer, f"P{number % 3_000}",
            "WHITE HANGING HEART T-LIGHT HOLDER", 6, "2.5500", "United Kingdom", time_text,
        )  # fmt: skip


def naive(settings: Settings, rows: list[GoodRow]) -> int:
    """The loop one writes first."""
    acknowledged = 0

    def delivered(error: Any, _: Any) -> None:
        nonlocal acknowledged
        acknowledged += error is None

    options = {key: value for key, value in OPTIONS.items() if key != "delivery.report.only.error"}
    producer = Producer(client_config(settings, **options))
    for row in rows:
        event = {
            "specversion": "1.0",
            "id": str(uuid.uuid5(NAMESPACE, row.record)),
            "source": SOURCE,
            "type": TOPIC,
            "time": datetime(2011, 12, 1, 8, 26, tzinfo=UTC).isoformat(),
            "datacontenttype": "application/json",
            "dataschema": "urn:tidemill:shop.transaction.v1",
            "data": _data(row),
        }
        while True:
            try:
                producer.produce(TOPIC, json.dumps(event), str(row.customer_id), on_delivery=delivered)
                break
            except BufferError:
                producer.poll(0.05)
        producer.poll(0)
    producer.flush()
    return acknowledged


def checked(settings: Settings, rows: list[GoodRow]) -> int:
    """The project's way."""
    with EventProducer(settings) as producer:
        producer.send(TOPIC, map(order_line, rows))
        return producer.flush().total


def measured(way: Made, settings: Settings, rows: list[GoodRow]) -> tuple[float, float]:
    """Events a second, and microseconds of processor time an event."""
    began, used = time.perf_counter(), time.process_time()
    sent = way(settings, rows)
    if sent != len(rows):
        raise SystemExit(f"{sent} of {len(rows)} events were acknowledged")
    return sent / (time.perf_counter() - began), (time.process_time() - used) / sent * 1e6


def whole(settings: Settings, source: Source) -> tuple[float, float]:
    """A replay from its first byte on: events a second, and microseconds of processor time an event."""
    used = time.process_time()
    sent = replay(settings, source, again=True, on_position=lambda _: None)
    return sent.per_second, (time.process_time() - used) / sent.total * 1e6


def tell(name: str, rate: float, cpu: float, base: float) -> None:
    print(f"{name:24} {rate:>10,.0f} events/s   cpu {cpu:5.1f} us/event   {rate / base:5.2f} x naive", flush=True)


def _data(row: GoodRow) -> dict[str, Any]:
    return {
        "order_id": row.invoice,
        "line": row.line,
        "customer_id": row.customer_id,
        "product_id": row.stock_code,
        "description": row.description,
        "quantity": row.quantity,
        "unit_price": float(row.unit_price),
        "currency": "GBP",
        "country": row.country,
        "kind": "purchase",
    }


if __name__ == "__main__":
    main()
