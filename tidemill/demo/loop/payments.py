"""Payments as they are made: the model is asked about them, then they are sent, a day in a few seconds.

They carry the times of their own days, which lie in the past: so labels come within seconds.
"""

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from threading import Event, Thread
from typing import Any

import numpy as np

from ingestion_layer.kafka.topics import create_topics
from ingestion_layer.sources.card_simulator.history import CardSource
from ingestion_layer.sources.card_simulator.ledger import Ledger
from ingestion_layer.sources.replay import Sent, replay
from tidemill.config.errors import TerminalError, TidemillError
from tidemill.demo.loop.asking import Asker
from tidemill.demo.loop.plan import HISTORY_DAYS, LoopPlan

A_REQUEST = 15
STOP_S = 60.0


class PaymentsEndedError(TerminalError):
    """No payments are sent any more, and the loop is not done."""


def send_history(plan: LoopPlan, on_day: Callable[[int], None]) -> Sent:
    """Send the days of the history, as fast as the broker takes them; those that were sent are not sent again."""
    stop = Event()

    def day(position: int) -> None:
        on_day(position)
        if position >= HISTORY_DAYS:
            stop.set()

    create_topics(plan.settings)
    return replay(plan.settings, CardSource(plan.settings, plan.cards), again=False, on_position=day, stop=stop)


class LivePayments:
    """The days after the history, in a thread. ``planted_at`` is when the first changed payment was made."""

    def __init__(self, plan: LoopPlan, asker: Asker) -> None:
        self._plan = plan
        self._asker = asker
        self._source = CardSource(plan.settings, plan.cards)
        self._stop = Event()
        self._thread = Thread(target=self._run, name="live payments", daemon=True)
        self._trouble = ""
        self._began = time.monotonic()
        self._days = 0
        self.planted_at: datetime | None = None

    @property
    def has_begun(self) -> bool:
        return self._thread.ident is not None

    def start(self) -> None:
        self._began = time.monotonic()
        self._thread.start()

    def stop(self) -> None:
        """End with the request that is under way; what was sent is acknowledged."""
        self._stop.set()
        if self.has_begun:
            self._thread.join(STOP_S)

    def check(self) -> None:
        """Raises :class:`PaymentsEndedError` when they have ended by themselves."""
        if not self._thread.is_alive() and not self._stop.is_set():
            raise PaymentsEndedError(f"no payments are made any more: {self._trouble or 'the last day was sent'}")

    def _run(self) -> None:
        try:
            replay(self._plan.settings, self._source, again=False, on_position=self._day, stop=self._stop)
        except TidemillError as error:
            self._trouble = str(error)

    def _day(self, position: int) -> None:
        """The payments of the day that is sent when this returns."""
        if position >= self._plan.planted and self.planted_at is None:
            self.planted_at = datetime.now(UTC)
        self._days += 1
        end = self._began + self._days * self._plan.day_s
        instances = asked_about(self._plan, self._source.ledger, position)
        for first in range(0, len(instances), A_REQUEST):
            left = len(instances) - first
            pause = (end - time.monotonic()) * A_REQUEST / left
            if self._stop.wait(max(0.0, pause)):
                return
            self._asker.ask(instances[first : first + A_REQUEST])


def asked_about(plan: LoopPlan, ledger: Ledger, position: int) -> list[Mapping[str, Any]]:
    """A sample of the payments of the day that follows ``position`` days, in the order of their times."""
    cards = plan.cards
    day = cards.first_day + position
    if day >= cards.last_day:
        return []
    paid = ledger.payments(day)
    size = min(len(paid), round(plan.asked_per_s * plan.day_s))
    chosen = np.sort(cards.random("asked about", day).choice(len(paid), size=size, replace=False))
    columns = (paid.customer[chosen].tolist(), paid.terminal[chosen].tolist(), paid.cents[chosen].tolist())
    return [
        {"customer_id": f"C{customer:06d}", "terminal_id": f"T{terminal:06d}", "amount": cents / 100}
        for customer, terminal, cents in zip(*columns, strict=True)
    ]
