"""What is true of simulated cards, written beside their events: which payments are fraud, and by which scenario."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from ingestion_layer.sources.card_simulator.cards import Cards
from ingestion_layer.sources.card_simulator.events import transaction_ids
from ingestion_layer.sources.card_simulator.payments import Payments
from ingestion_layer.sources.card_simulator.scenarios import GENUINE
from ingestion_layer.sources.simulator.shop import day_of
from tidemill.config.settings import Settings


@dataclass(frozen=True)
class Truth:
    """The folder of one set of cards: ``cards.json``, ``frauds/<date>.parquet``."""

    folder: Path

    @classmethod
    def of(cls, settings: Settings, fingerprint: str) -> Self:
        return cls(settings.home / "truth" / "cards" / fingerprint)

    def write_cards(self, cards: Cards) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "cards.json").write_bytes(orjson.dumps(cards.to_dict(), option=orjson.OPT_INDENT_2))

    def write_frauds(self, payments: Payments, day: int) -> None:
        """Write the frauds of ``day``: ``transaction_id`` and ``scenario`` (1 to 3, of docs/sources.md)."""
        frauds = payments.take(np.flatnonzero(payments.scenario != GENUINE))
        path = self.folder / "frauds" / f"{day_of(day)}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        ids = pa.array(transaction_ids(frauds), pa.string())
        pq.write_table(pa.table({"transaction_id": ids, "scenario": frauds.scenario}), path)
