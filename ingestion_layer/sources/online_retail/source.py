"""The file as a source: each row an event of ``shop.transaction.v1``, or a rejected row."""

import hashlib
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from ingestion_layer.kafka.producer import Event
from ingestion_layer.sources.online_retail.reading import UnreadableFileError
from ingestion_layer.sources.online_retail.rejected import RejectedRows
from ingestion_layer.sources.online_retail.staging import GoodRow, RejectedRow, StagedRows, staged
from ingestion_layer.sources.progress import Progress
from ingestion_layer.sources.replay import Batch, Source
from tidemill.config.settings import Settings
from tidemill.contracts.checker import Rejection
from tidemill.contracts.events import event_at
from tidemill.contracts.registry import contract

TOPIC = "shop.transaction.v1"
SOURCE = "urn:tidemill:online-retail"
CURRENCY = "GBP"
CONTRACT = "contract"
ROWS_AT_ONCE = 10_000


class OnlineRetailSource(Source):
    """Replay of one file; the position is the number of rows done.

    ``counts``: rows, events, unique_ids, duplicates, guests, returns, and ``rejected/<reason>``.
    """

    name = "online_retail"
    unit = "rows"

    def __init__(self, settings: Settings, path: Path) -> None:
        super().__init__()
        self._home = settings.home
        self._path = path
        self._total: int | None = None
        self._rejected: RejectedRows | None = None
        self._rejection: Rejection | None = None

    @cached_property
    def identity(self) -> str:
        """The SHA-256 of the file: a copy is the same source, wherever it lies."""
        if not self._path.is_file():
            raise UnreadableFileError(f"{self._path}: there is no such file")
        with self._path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()[:16]

    @property
    def rejected_path(self) -> Path:
        return self._home / "rejected" / f"{self.name}.{self.identity}.csv"

    @property
    def total(self) -> int | None:
        return self._total

    def batches(self, progress: Progress) -> Iterator[Batch]:
        size = progress.state.get("rejected_bytes", 0)
        folder = self._home / "staging" / self.identity
        with staged(self._path, folder) as rows, RejectedRows(self.rejected_path, size) as rejected:
            self._total, self._rejected = rows.count, rejected
            for low in range(progress.position, rows.count, ROWS_AT_ONCE):
                high = min(low + ROWS_AT_ONCE, rows.count)
                self._reject(rows.rejected(low, high))
                yield Batch(high, {TOPIC: self._events(rows, low, high)})

    def on_rejected(self, event: Event, topic: str, rejection: Rejection) -> None:
        self._rejection = rejection

    def state(self) -> dict[str, Any]:
        """How long the file of rejected rows is, so that a killed run's surplus is cut off."""
        return {"rejected_bytes": self._rejected.size()} if self._rejected else {}

    def _events(self, rows: StagedRows, low: int, high: int) -> Iterator[Event]:
        """The events of the rows in (``low``, ``high``]; one that was rejected is known when the next is asked for."""
        for row in rows.good(low, high):
            yield order_line(row)
            rejection = self._take_rejection()
            if rejection is None:
                self._count(row)
            else:
                self._reject([RejectedRow(row.row, CONTRACT, rows.cells(row.row))], rejection.detail)

    def _take_rejection(self) -> Rejection | None:
        taken, self._rejection = self._rejection, None
        return taken

    def _count(self, row: GoodRow) -> None:
        self.counts["events"] += 1
        self.counts["duplicates"] += row.is_duplicate
        self.counts["unique_ids"] += not row.is_duplicate
        self.counts["guests"] += row.customer_id is None
        self.counts["returns"] += row.quantity < 0

    def _reject(self, rejected: Sequence[RejectedRow], detail: str = "") -> None:
        for row in rejected:
            self.counts[f"rejected/{row.reason}"] += 1
            if self._rejected is not None:
                self._rejected.add(row.row, row.reason, detail, row.cells)


def order_line(row: GoodRow) -> Event:
    """The event of one accepted row; its id follows from the row's content, so equal rows have equal ids.

    The price goes through a float without changing: a decimal of at most 15 significant digits comes back as it was
    (IEEE 754, section 5.12.2), and the rules and the contract keep it shorter.
    """
    data = {
        "order_id": row.invoice,
        "line": row.line,
        "customer_id": row.customer_id,
        "product_id": row.stock_code,
        "description": row.description,
        "quantity": abs(row.quantity),
        "unit_price": float(row.unit_price),
        "currency": CURRENCY,
        "country": row.country,
        "kind": "return" if row.quantity < 0 else "purchase",
    }
    return event_at(contract(TOPIC), SOURCE, row.record, row.time, data)
