"""Windows of real rows for the drift benchmarks, and the same windows through Evidently in a Python of its own."""

import json
import math
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from window_kernel import GROUP, read, repeated

from feature_store.columns.events import Queries
from feature_store.kernel import compute
from monitoring.profiles import Kind, TableDefinition

PAYMENTS = 400_000  # of the fraud file, from its middle on, where customers have a history
EVIDENTLY = Path(__file__).with_name("evidently_preset.py")


@dataclass(frozen=True)
class Rows:
    """Rows that windows are drawn from, all of one distribution once they are drawn by lot."""

    name: str
    table: pa.Table
    definition: TableDefinition

    @property
    def numbers(self) -> list[str]:
        return [column.name for column in self.definition.columns if column.kind is Kind.NUMERIC]

    def windows(self, random: np.random.Generator, *sizes: int) -> Iterator[pa.Table]:
        """Tables of other rows each, drawn without replacement."""
        drawn = random.choice(self.table.num_rows, sum(sizes), replace=False)
        start = 0
        for size in sizes:
            yield self.table.take(pa.array(drawn[start : start + size]))
            start += size


def retail(data: Path) -> Rows:
    """The lines of UCI Online Retail: heavy tails, two columns of thousands of categories, nulls."""
    lines = pd.read_csv(data / "online-retail.csv.gz", dtype={"InvoiceNo": str, "StockCode": str, "CustomerID": str})
    time = pd.to_datetime(lines["InvoiceDate"])
    return _rows(
        "retail",
        {
            "quantity": lines["Quantity"].astype(float),
            "unit_price": lines["UnitPrice"],
            "value": lines["Quantity"] * lines["UnitPrice"],
            "hour": time.dt.hour + time.dt.minute / 60,
            "day_of_month": time.dt.day.astype(float),
            "description_length": lines["Description"].str.len(),
            "weekday": time.dt.day_name(),
            "country": lines["Country"],
            "stock_code": lines["StockCode"],
            "customer": lines["CustomerID"],
            "is_return": lines["InvoiceNo"].str.startswith("C"),
        },
    )


def fraud(data: Path) -> Rows:
    """The payments of the Fraud Detection Handbook with 25 window features of the kernel: correlated, with nulls."""
    payments = read(data / "fraud-transactions.parquet").sort_values("time", ignore_index=True)
    events = repeated(payments, 1)
    asked = slice(len(events) // 2, len(events) // 2 + PAYMENTS)
    features = compute(GROUP, events, Queries(events.entity[asked], events.time[asked]))
    time = payments["time"].iloc[asked].reset_index(drop=True)
    columns = {name: values.astype(float) for name, values in features.items()}
    columns |= {"amount": payments["amount"].to_numpy()[asked], "hour": time.dt.hour.to_numpy(dtype=float)}
    return _rows("fraud", columns | {"weekday": time.dt.day_name()})


def normal(columns: int = 20, rows: int = 400_000) -> Rows:
    """Independent standard normal columns: what power curves of textbooks are of."""
    random = np.random.default_rng(1)
    return _rows("normal", {f"x{column}": random.normal(size=rows) for column in range(columns)})


def _rows(name: str, columns: Mapping[str, object]) -> Rows:
    table = pa.Table.from_pandas(pd.DataFrame(columns), preserve_index=False)
    return Rows(name, table, TableDefinition.of_schema(table.schema))


WITHOUT_DATA = ("normal",)
LOADERS: Mapping[str, Callable[[Path], Rows]] = {"retail": retail, "fraud": fraud, "normal": lambda _: normal()}


def shifted(window: pa.Table, columns: Sequence[str], shift: float, deviations: Mapping[str, float]) -> pa.Table:
    """``window`` with ``shift`` standard deviations added to each of ``columns``."""
    for name in columns:
        place = window.schema.get_field_index(name)
        moved = pc.add(window.column(name), shift * deviations[name])
        window = window.set_column(place, name, moved)
    return window


def a_fifth(rows: Rows, random: np.random.Generator) -> list[str]:
    """A fifth of the columns, drawn among the numbers."""
    count = math.ceil(len(rows.definition.columns) / 5)
    return sorted(random.choice(rows.numbers, count, replace=False).tolist())


def by_evidently(python: Path, folder: Path) -> dict[str, list[str]]:
    """The drifted columns by Evidently's default preset, for each ``<run>.reference`` and ``<run>.current`` in it."""
    done = subprocess.run([python, EVIDENTLY, folder], check=True, capture_output=True, text=True)
    answered: dict[str, list[str]] = json.loads(done.stdout.splitlines()[-1])
    return answered


def write_pair(folder: Path, run: str, reference: pa.Table, current: pa.Table) -> None:
    pq.write_table(reference, folder / f"{run}.reference")
    pq.write_table(current, folder / f"{run}.current")
