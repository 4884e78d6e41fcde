"""The days of simulated cards as a source, resumable by the day."""

from collections.abc import Iterator

import numpy as np

from ingestion_layer.kafka.producer import ContractViolationError, Event
from ingestion_layer.sources.card_simulator.cards import Cards
from ingestion_layer.sources.card_simulator.events import TRANSACTIONS, VERDICTS, transactions, verdicts
from ingestion_layer.sources.card_simulator.ledger import Ledger
from ingestion_layer.sources.card_simulator.scenarios import CUSTOMER, LARGE_AMOUNT, TERMINAL
from ingestion_layer.sources.card_simulator.truth import Truth
from ingestion_layer.sources.progress import Progress
from ingestion_layer.sources.replay import Batch, Source
from tidemill.config.settings import Settings
from tidemill.contracts.checker import Rejection

SCENARIOS = {LARGE_AMOUNT: "large_amount", TERMINAL: "terminal", CUSTOMER: "customer"}


class CardSource(Source):
    """Payments and the verdicts known by the end, each topic in the order of event time; the position counts days.

    ``counts``: messages by topic, and ``fraud/<scenario>``.
    """

    name = "cards"
    unit = "days"

    def __init__(self, settings: Settings, cards: Cards) -> None:
        super().__init__()
        self.ledger = Ledger(cards)
        self.truth = Truth.of(settings, cards.fingerprint)

    @property
    def identity(self) -> str:
        return self.ledger.cards.fingerprint

    @property
    def total(self) -> int:
        return self.ledger.cards.last_day - self.ledger.cards.first_day

    def batches(self, progress: Progress) -> Iterator[Batch]:
        self.truth.write_cards(self.ledger.cards)
        for done in range(progress.position, self.total):
            yield self._day(done)

    def on_rejected(self, event: Event, topic: str, rejection: Rejection) -> None:
        raise ContractViolationError(
            f"the simulator made event {event['id']} of {topic}, which breaks its contract: {rejection}"
        )

    def _day(self, done: int) -> Batch:
        cards = self.ledger.cards
        day = cards.first_day + done
        paid = self.ledger.payments(day)
        outgoing = {TRANSACTIONS: transactions(cards, paid)}
        self.counts[TRANSACTIONS] += len(paid)
        if done >= cards.verdict_days:
            known = self.ledger.verdicts(day)
            outgoing[VERDICTS] = verdicts(cards, known)
            self.counts[VERDICTS] += len(known)
        by_scenario = np.bincount(paid.scenario, minlength=len(SCENARIOS) + 1)
        self.counts.update({f"fraud/{name}": int(by_scenario[number]) for number, name in SCENARIOS.items()})
        self.truth.write_frauds(paid, day)
        return Batch(done + 1, outgoing)
