"""The window kernel on the fraud transactions: feature values a second, at 1x and 10x the rows, against pandas.

    python benchmarks/window_kernel.py --file path/to/fraud-transactions.parquet [--scale 1 10]

Each transaction asks for the features of its customer just before it: count, sum, mean, min and max of the amount over
1 h, 1, 7 and 30 days and for ever, 25 in all. ``scale`` repeats the file with new customers. The baseline is pandas'
``groupby().rolling()`` for the same functions over 7 days, the first tenth of the customers, in the same run; it gives
sliding windows, which are not the same numbers, at the same work. ``ratio`` is kernel over pandas, in values a second.
"""

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from feature_store.columns.events import Column, Events, Queries
from feature_store.definitions import LIFETIME, Entity, FeatureGroup, Source, column, count, days, hours
from feature_store.kernel import compute

amount = column("amount")
GROUP = FeatureGroup(
    name="customer_payments",
    entity=Entity("customer", "customer_id"),
    source=Source("silver/card_transactions"),
    windows=(hours(1), days(1), days(7), days(30), LIFETIME),
    aggregations=(count(), amount.sum(), amount.mean(), amount.min(), amount.max()),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--file", type=Path, required=True, help="the handbook's payments")
    parser.add_argument("--scale", type=int, nargs="+", default=[1, 10])
    arguments = parser.parse_args()
    payments = read(arguments.file)
    baseline = pandas_values_per_second(payments)
    results = [measure(repeated(payments, scale)) for scale in arguments.scale]
    for result in results:
        result["ratio"] = round(result["values_per_second"] / baseline, 1)
    print(json.dumps({"pandas_values_per_second": round(baseline), "kernel": results}, indent=2))


def read(file: Path) -> pd.DataFrame:
    table = pq.read_table(file, columns=["CUSTOMER_ID", "TX_DATETIME", "TX_AMOUNT", "TRANSACTION_ID"])
    frame: pd.DataFrame = table.to_pandas()
    return frame.set_axis(["customer", "time", "amount", "id"], axis=1)


def repeated(payments: pd.DataFrame, scale: int) -> Events:
    rows = len(payments)
    customers = int(payments["customer"].max()) + 1
    copies = np.repeat(np.arange(scale), rows)
    amounts = np.tile(payments["amount"].to_numpy(), scale)
    return Events(
        entity=np.tile(payments["customer"].to_numpy(), scale) + copies * customers,
        time=np.tile(payments["time"].to_numpy().astype("datetime64[us]").astype(np.int64), scale),
        tie=np.tile(payments["id"].to_numpy().astype(np.uint64), scale),
        columns={"amount": Column(amounts, np.ones(len(amounts), dtype=np.bool_))},
    )


def measure(events: Events) -> dict[str, float | int]:
    seconds = timed(lambda: compute(GROUP, events, Queries(events.entity, events.time)))
    values = len(events) * len(GROUP.features)
    return {
        "rows": len(events),
        "features": len(GROUP.features),
        "seconds": round(seconds, 2),
        "values_per_second": round(values / seconds),
    }


def pandas_values_per_second(payments: pd.DataFrame) -> float:
    some = payments[payments["customer"] < payments["customer"].max() // 10].sort_values("time")
    rolling = some.set_index("time").groupby("customer")["amount"].rolling("7D", closed="left")
    functions = ["count", "sum", "mean", "min", "max"]
    return len(some) * len(functions) / timed(lambda: rolling.agg(functions))


def timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
