"""What it costs to judge the events of a shop, and a message by its shape.

    python benchmarks/judge.py [--length 65536]

Events of the simulated shop are read and encoded, against what any judge by a JSON Schema does: parse and validate. The
digest, the columns' values and the exactness of every number are the rest. Then the shapes, each against a plain
message of the same length: they are those of the test that no cost grows faster than the length
(``tests/cases/adversarial.py``). A ratio says how many times as long a message of that shape keeps the judge busy; the
worst comes first.
"""

import argparse
import sys
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import orjson

from ingestion_layer.sources.simulator.deliveries import TOPICS, History, messages
from ingestion_layer.sources.simulator.faults import Faults
from ingestion_layer.sources.simulator.orders import Orders
from ingestion_layer.sources.simulator.shop import Shop
from tests.cases import adversarial
from tidemill.contracts import Checker, checker, contract
from tidemill.contracts.checker import Message
from tidemill.contracts.registry import envelope
from tidemill.contracts.rules import validator


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--length", type=int, default=1 << 16, help="bytes of a message (default 65536)")
    length = parser.parse_args().length
    for topic in TOPICS:
        tell_events(topic)
    tell_shapes(Checker(adversarial.CONTRACT), length)


def tell_events(topic: str) -> None:
    """What an event of the simulated shop costs."""
    events = shop_events(topic)
    encoded = [message for event in events if isinstance(message := checker(topic).encode(event), Message)]
    values = [message.value for message in encoded]
    both = {"allOf": [envelope()], "properties": {"type": {"const": topic}, "data": contract(topic).schema}}
    is_valid = validator(both).is_valid
    base = microseconds_an_item(lambda value: is_valid(orjson.loads(value)), values)
    print(f"{topic + ', parse and validate':42} {base:8.2f} us/event")
    for name, judge, items in (("read", checker(topic).read, values), ("encode", checker(topic).encode, events)):
        cost = microseconds_an_item(judge, items)
        print(f"{f'{topic}, {name}':42} {cost:8.2f} us/event {cost / base:8.1f} x parse and validate")


def shop_events(topic: str) -> list[Any]:
    """A few days of the simulated shop, without faults."""
    orders = Orders(Shop(1, 2_000, date(2025, 11, 1), date(2025, 12, 1)))
    history = History(orders, Faults.parse("none"))
    days = range(orders.shop.first_day, orders.shop.first_day + 5)
    return [event for day in days for part in history.day(topic, day).slices() for event in messages(orders, part)[0]]


def tell_shapes(checker: Checker, length: int) -> None:
    """What messages made to be slow cost."""
    plain = nanoseconds_a_byte(checker, adversarial.plain(length))
    print(f"{'plain':42} {plain:8.2f} ns/byte")
    costs = {name: nanoseconds_a_byte(checker, shape(length)) for name, shape in adversarial.SHAPES.items()}
    for name, cost in sorted(costs.items(), key=lambda item: -item[1]):
        print(f"{name:42} {cost:8.2f} ns/byte {cost / plain:8.1f} x plain")


def nanoseconds_a_byte(checker: Checker, message: bytes) -> float:
    """The least of five runs."""
    runs = []
    for _ in range(5):
        began = time.process_time_ns()
        checker.read(message)
        runs.append(time.process_time_ns() - began)
    return min(runs) / len(message)


def microseconds_an_item(judge: Callable[[Any], Any], items: list[Any]) -> float:
    """The least of 20 runs."""
    runs = []
    for _ in range(20):
        began = time.process_time_ns()
        for item in items:
            judge(item)
        runs.append(time.process_time_ns() - began)
    return min(runs) / len(items) / 1000


if __name__ == "__main__":
    main()
