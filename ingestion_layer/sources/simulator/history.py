"""The history of a shop as a source: day by day, resumable by the day."""

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict

import orjson

from ingestion_layer.kafka.producer import ContractViolationError, Event
from ingestion_layer.sources.progress import Progress
from ingestion_layer.sources.replay import Batch, Source
from ingestion_layer.sources.simulator.deliveries import TOPICS, History, messages
from ingestion_layer.sources.simulator.faults import Faults
from ingestion_layer.sources.simulator.orders import Orders
from ingestion_layer.sources.simulator.shop import Shop, day_of
from ingestion_layer.sources.simulator.truth import PlantedFault, Truth
from tidemill.config.settings import Settings
from tidemill.contracts.checker import Rejection


class SimulatorSource(Source):
    """Every message of a shop's history; the position is the number of days sent."""

    name = "simulator"
    unit = "days"

    def __init__(self, settings: Settings, shop: Shop, faults: Faults) -> None:
        super().__init__()
        self.orders = Orders(shop)
        self.truth = Truth.of(settings, shop.fingerprint)
        self._history = History(self.orders, faults)
        self._faults_name = f"history-{hashlib.sha256(orjson.dumps(asdict(faults))).hexdigest()[:8]}"

    @property
    def identity(self) -> str:
        return f"{self.orders.shop.fingerprint}-{self._faults_name}"

    @property
    def total(self) -> int:
        return self.orders.shop.last_day - self.orders.shop.first_day

    def batches(self, progress: Progress) -> Iterator[Batch]:
        self.truth.write_shop(self.orders)
        for done in range(progress.position, self.total):
            yield from self._day(done)

    def on_rejected(self, event: Event, topic: str, rejection: Rejection) -> None:
        raise ContractViolationError(
            f"the simulator made event {event['id']} of {topic}, which breaks its contract: {rejection}"
        )

    def _day(self, done: int) -> Iterator[Batch]:
        day = self.orders.shop.first_day + done
        planted: list[PlantedFault] = []
        counts: Counter[str] = Counter()
        for topic in TOPICS:
            deliveries = self._history.day(topic, day)
            for part in deliveries.slices():
                outgoing, faults = messages(self.orders, part)
                planted += faults
                yield Batch(done, {topic: outgoing})
            counts.update({f"{topic} {kind}": count for kind, count in deliveries.counts().items()})
        self.truth.write_faults(f"{self._faults_name}/{day_of(day)}", planted)
        self.counts.update(counts)
        yield Batch(done + 1, {})
