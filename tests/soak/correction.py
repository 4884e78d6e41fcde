"""A correction of silver by its owner, with delta-rs, and the correction of that correction."""

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable
from deltalake.exceptions import CommitFailedError
from deltalake.table import TableMerger

from data_lake.tables import silver
from tests.troubles.stack import Stack

TOPIC = "shop.transaction.v1"
ATTEMPTS = 50
ALREADY_THERE = "new.source = old.source AND new.event_id = old.event_id"


class Correction:
    """Erases two customers and doubles the prices of others; taking it back leaves silver as it was."""

    def __init__(self, stack: Stack) -> None:
        self._path = silver(TOPIC).path(stack.settings)
        self._rows: pa.Table | None = None
        self._prices: pa.Table | None = None
        self.erased: tuple[str, ...] = ()
        self.repriced: tuple[str, ...] = ()
        self.told = ""

    def correct(self, customers: Sequence[str]) -> int:
        """Erase the first half and reprice the rest; the version of silver after it."""
        half = len(customers) // 2
        self.erased, self.repriced = tuple(customers[:half]), tuple(customers[half:])
        deleted, version = self._done(lambda table: table.delete(_among(self.erased)))
        self._rows = self._rows_of(self.erased, version - 1)
        doubled = {"unit_price": "unit_price * 2"}
        updated, version = self._done(lambda table: table.update(doubled, predicate=_among(self.repriced)))
        self._prices = self._rows_of(self.repriced, version - 1)
        self.told = f"{deleted['num_deleted_rows']} rows deleted, {updated['num_updated_rows']} repriced"
        return version

    def take_back(self) -> int:
        """Put the erased rows back, and the prices of those that were changed."""
        if self._rows is None or self._prices is None:
            raise RuntimeError("nothing was corrected")
        rows, before = self._rows, self._prices
        merged, _ = self._done(lambda table: _merge(table, rows).when_not_matched_insert_all().execute())
        old = {"unit_price": "new.unit_price"}
        prices, version = self._done(lambda table: _merge(table, before).when_matched_update(old).execute())
        self.told = f"{merged['num_target_rows_inserted']} rows again, {prices['num_target_rows_updated']} prices"
        return version

    def _done(self, change: Callable[[DeltaTable], dict[str, Any]]) -> tuple[dict[str, Any], int]:
        """What ``change`` says of itself, and the version it made; the stream commits often, and may be first."""
        for attempt in itertools.count(1):
            table = DeltaTable(self._path)
            try:
                told = change(table)
            except CommitFailedError:
                if attempt == ATTEMPTS:
                    raise
            else:
                break
        return told, int(table.version())

    def _rows_of(self, customers: Sequence[str], version: int) -> pa.Table:
        """Their rows as they were then: what was inserted while a commit was made is among them, and left alone."""
        table: pa.Table = DeltaTable(self._path, version=version).to_pyarrow_table()
        return table.filter(pc.is_in(table["customer_id"].cast(pa.string()), pa.array(customers, pa.string())))


def _merge(table: DeltaTable, rows: pa.Table) -> TableMerger:
    return table.merge(rows, ALREADY_THERE, source_alias="new", target_alias="old")


def _among(customers: Sequence[str]) -> str:
    return f"customer_id IN ({', '.join(repr(customer) for customer in customers)})"
