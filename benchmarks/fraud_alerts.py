"""How many alerts ``card_patterns`` would send about the Fraud Detection Handbook's payments, and how many are frauds.

    python benchmarks/fraud_alerts.py --file path/to/fraud-transactions.parquet

By the job's rules over columns, without Flink: ``small_then_large`` and ``velocity``; the file has no places.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.fraud_figures import LABEL, PAYMENT_KEY, read

SMALL, LARGE, HOUR_US, TEN_MINUTES_US = 5, 200, 3_600_000_000, 600_000_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--file", type=Path, required=True, help="the handbook's payments")
    payments = read(parser.parse_args().file)
    print(f"{len(payments):,} payments, {payments[LABEL].sum():,} frauds")
    for pattern, alerts in alerted(payments).items():
        print(f"{pattern}: {len(alerts):,} alerts, {alerts[LABEL].sum():,} of them about a fraud")


def alerted(payments: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The last payment of each alert, by pattern."""
    ordered = payments.sort_values(["customer_id", "time", PAYMENT_KEY], ignore_index=True)
    card, time, amount = (ordered[name].to_numpy() for name in ("customer_id", "time", "amount"))
    tried = (np.roll(amount, 1) <= SMALL) & (np.roll(amount, 2) <= SMALL) & (amount >= LARGE)
    return {
        "small_then_large": ordered[tried & within(card, time, 3, HOUR_US)],
        "velocity": ordered[within(card, time, 5, TEN_MINUTES_US)],
    }


def within(card: np.ndarray, time: np.ndarray, length: int, window_us: int) -> np.ndarray:
    """Whether a payment and those before it, ``length`` in all, are of one card and within the window."""
    before = length - 1
    is_one_card = (np.roll(card, before) == card) & (np.arange(len(card)) >= before)
    return is_one_card & (time - np.roll(time, before) < window_us)


if __name__ == "__main__":
    main()
