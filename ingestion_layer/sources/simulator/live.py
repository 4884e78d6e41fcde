"""The days after a shop's history, sent now: at a rate, with the wall clock's times."""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from threading import Event
from time import monotonic
from typing import Any

import numpy as np

from ingestion_layer.kafka.producer import EventProducer, Outgoing
from ingestion_layer.sources.replay import Sent
from ingestion_layer.sources.simulator.columns import Ints
from ingestion_layer.sources.simulator.corruption import bad_message
from ingestion_layer.sources.simulator.current import CurrentShop, save_current
from ingestion_layer.sources.simulator.deliveries import TOPICS
from ingestion_layer.sources.simulator.events import Rows, as_live, events, rows_of, time_texts
from ingestion_layer.sources.simulator.faults import DUPLICATE, KINDS, LATE, NONE, Faults, plan
from ingestion_layer.sources.simulator.orders import Orders
from ingestion_layer.sources.simulator.seasons import US_PER_DAY
from ingestion_layer.sources.simulator.shop import ShopError, day_of
from ingestion_layer.sources.simulator.truth import PlantedFault, Truth
from tidemill.config.settings import Settings

TICK_S = 0.1
MIN_SLEEP_S = 0.005
LATE_SHARE = 72
"""A live event is late by a 72nd of the delay it would have in a history: one minute to one hour."""


@dataclass(frozen=True)
class _Slots:
    """The messages of one simulated day in the order they are sent; ``topic`` is an index of :data:`TOPICS`."""

    topic: Ints
    row: Ints
    fault: Ints
    late_us: Ints

    def __len__(self) -> int:
        return len(self.row)


class _LiveDay:
    """One simulated day, sent piece by piece."""

    def __init__(self, orders: Orders, faults: Faults, day: int) -> None:
        self._orders = orders
        self._rows: Sequence[Rows] = [rows_of(orders, topic, day) for topic in TOPICS]
        self.slots = self._plan(faults, day)
        self._sent_once: dict[tuple[int, int], dict[str, Any]] = {}

    def messages(self, part: slice, at: Ints) -> tuple[dict[str, list[Outgoing]], list[PlantedFault]]:
        """The messages of the slots ``part``, sent at the moments ``at`` (microseconds since 1970)."""
        outgoing: dict[str, list[Outgoing]] = {topic: [] for topic in TOPICS}
        planted: list[PlantedFault] = []
        topics, rows, faults = (column[part] for column in (self.slots.topic, self.slots.row, self.slots.fault))
        texts = np.array(time_texts(at - self.slots.late_us[part]))
        for number, topic in enumerate(TOPICS):
            chosen = np.flatnonzero(topics == number)
            made = events(self._orders, self._rows[number].take(rows[chosen]), texts[chosen].tolist(), as_live)
            for event, row, fault in zip(made, rows[chosen].tolist(), faults[chosen].tolist(), strict=True):
                outgoing[topic].append(self._message(event, number, row, fault, planted))
        return outgoing, planted

    def _message(
        self, event: dict[str, Any], topic: int, row: int, fault: int, planted: list[PlantedFault]
    ) -> Outgoing:
        message: Outgoing = event
        identity = event["id"]
        if fault in (NONE, LATE):
            self._sent_once[topic, row] = event
        elif fault == DUPLICATE:
            message = self._sent_once[topic, row]
            identity = self._sent_once[topic, row]["id"]
        else:
            message, identity = bad_message(KINDS[fault], event, row)
        if fault != NONE:
            planted.append(PlantedFault.of(KINDS[fault], TOPICS[topic], identity, event["time"]))
        return message

    def _plan(self, faults: Faults, day: int) -> _Slots:
        columns: list[tuple[Ints, ...]] = []
        end = (day + 1) * US_PER_DAY
        for number, rows in enumerate(self._rows):
            planned = plan(self._orders.shop, faults, TOPICS[number], day, len(rows))
            again = np.flatnonzero(planned.again)
            again_at = rows.time[again] + planned.again[again] * (end - rows.time[again])
            row = np.concatenate([np.arange(len(rows)), again, planned.row])
            fault = np.concatenate(
                [np.where(planned.delay > 0, LATE, NONE), np.full(len(again), DUPLICATE), planned.kind]
            )
            at = np.concatenate([rows.time, again_at, (day + planned.at) * US_PER_DAY])
            late = np.where(fault == LATE, np.append(planned.delay, 0)[np.minimum(row, len(rows))] // LATE_SHARE, 0)
            columns.append((np.full(len(row), number), row, fault, late, at))
        topic, row, fault, late, at = (np.concatenate(parts) for parts in zip(*columns, strict=True))
        order = np.argsort(at, kind="stable")
        return _Slots(topic[order], row[order], fault[order], late[order])


@dataclass(frozen=True)
class Pace:
    """``rate`` messages a second for ``seconds``, or until ``stop`` is set."""

    rate: float
    seconds: float
    stop: Event = field(default_factory=Event)

    @property
    def total(self) -> int:
        return round(self.rate * self.seconds)


def send_live(
    settings: Settings, current: CurrentShop, faults: Faults, pace: Pace, on_sent: Callable[[int], None]
) -> tuple[Sent, Counter[str]]:
    """Send messages at ``pace``; what was acknowledged, and the messages by topic and kind.

    Each run takes whole simulated days that no earlier run took, so no two live events have one id.

    Raises:
        NotAcknowledgedError: the broker did not acknowledge a message.
        ShopError: everybody left, nothing happens any more.
    """
    orders = Orders(current.shop)
    truth = Truth.of(settings, current.shop.fingerprint)
    run = f"live-{datetime.now(UTC):%Y%m%dT%H%M%S}"
    counts: Counter[str] = Counter()
    clock = _Clock(pace, monotonic(), time.time_ns() // 1000)
    done = 0
    with EventProducer(settings) as producer:
        days = _days(settings, current, orders)
        while done < pace.total and not pace.stop.is_set():
            day = next(days)
            live_day = _LiveDay(orders, faults, day)
            wanted = min(len(live_day.slots), pace.total - done)
            count, planted = _send_day(producer, live_day, clock, range(done, done + wanted), on_sent)
            truth.write_faults(f"{run}/{day}", planted)
            counts.update(_counts(live_day.slots, count))
            done += count
        sent = producer.flush()
    return Sent(sent.by_topic, 0, monotonic() - clock.began), counts


@dataclass(frozen=True)
class _Clock:
    """When the message number n is due: n / rate seconds after ``began`` (monotonic), ``began_us`` (since 1970)."""

    pace: Pace
    began: float
    began_us: int

    def due(self) -> int:
        """How many messages are due by now."""
        return int((monotonic() - self.began) * self.pace.rate) + 1

    def moments(self, numbers: range) -> Ints:
        """The moments of the messages, in microseconds since 1970."""
        elapsed = np.arange(numbers.start, numbers.stop) * (1e6 / self.pace.rate)
        return np.asarray(self.began_us + elapsed.astype(np.int64))


def _send_day(
    producer: EventProducer, live_day: _LiveDay, clock: _Clock, numbers: range, on_sent: Callable[[int], None]
) -> tuple[int, list[PlantedFault]]:
    """Send the first ``len(numbers)`` messages of a day as the messages ``numbers`` of the run, each when it is due.

    Returns how many were sent before the run was stopped, and the faults among them.
    """
    planted: list[PlantedFault] = []
    sent = numbers.start
    while sent < numbers.stop and not clock.pace.stop.is_set():
        due = min(clock.due(), numbers.stop)
        if due <= sent:
            clock.pace.stop.wait(min(TICK_S, max(1 / clock.pace.rate, MIN_SLEEP_S)))
            continue
        part = slice(sent - numbers.start, due - numbers.start)
        outgoing, bad = live_day.messages(part, clock.moments(range(sent, due)))
        for topic, items in outgoing.items():
            producer.send(topic, items)
        planted += bad
        sent = due
        on_sent(sent)
    return sent - numbers.start, planted


def _days(settings: Settings, current: CurrentShop, orders: Orders) -> Iterator[int]:
    """The next simulated days; each is noted as taken before it is used."""
    day = current.live_day
    while True:
        if not orders.purchase_rates(day).any():
            raise ShopError(f"every customer of this shop left before {day_of(day)}: send another history")
        save_current(settings, replace(current, live_day=day + 1))
        yield day
        day += 1


def _counts(slots: _Slots, sent: int) -> Counter[str]:
    pairs = zip(slots.topic[:sent].tolist(), slots.fault[:sent].tolist(), strict=True)
    return Counter(f"{TOPICS[topic]} {KINDS[fault]}" for topic, fault in pairs)
