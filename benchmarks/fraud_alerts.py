"""What alerts add to the fraud model: its features with and without windows over ``silver/card_alerts``.

    python benchmarks/fraud_alerts.py [--file ...]

The alerts are those of the job ``card_patterns`` on the Fraud Detection Handbook's payments (``small_then_large`` and
``velocity``; the file has no places), by its rules. Protocol, weeks and model are those of ``fraud_figures.py``; all
features come from the kernel, none from a lake. ``gain`` is with alerts less without, week by week.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks import fraud_figures as figures
from feature_store.columns.events import Events, Queries
from feature_store.definitions import LIFETIME, FeatureGroup, Source, count, days, time_since_last
from feature_store.kernel import compute
from ingestion_layer.sources.card_simulator.ledger import VERDICT_DELAY
from use_cases.fraud.features import CUSTOMER

ALERTS = FeatureGroup(
    name="customer_alerts",
    entity=CUSTOMER,
    source=Source("silver/card_alerts"),
    windows=(days(1), days(7), days(30)),
    aggregations=(count(), time_since_last(windows=(LIFETIME,))),
)
SMALL, LARGE, HOUR_US, TEN_MINUTES_US = 5, 200, 3_600_000_000, 600_000_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--file", type=Path, default=figures.FILE)
    payments = figures.read(parser.parse_args().file)
    first = (figures.FIRST_TEST - figures.day_one(payments)).days
    asked = payments[payments["day"] >= first - VERDICT_DELAY.days - figures.WEEK].reset_index(drop=True)
    splits = list(figures.weeks(asked, figures.day_one(payments)))
    alerts = alerted(payments)
    without = figures.matrix(payments, asked, VERDICT_DELAY)
    queries = Queries(asked["customer_id"].to_numpy(), asked["time"].to_numpy())
    added = np.column_stack(list(compute(ALERTS, events(alerts), queries).values()))
    runs = {
        name: [figures.figures(asked, features, split, figures.model()) for split in splits]
        for name, features in (("without", without), ("with", np.column_stack((without, added))))
    }
    told = {
        "alerts": alerts["pattern"].value_counts().to_dict(),
        "fraud_among_alerted": round(float(alerts["is_fraud"].mean()), 3),
        **{name: figures.over_weeks(run[1:]) for name, run in runs.items()},
        "gain": figures.over_weeks(
            [figures.difference(*pair) for pair in zip(runs["with"][1:], runs["without"][1:], strict=True)]
        ),
    }
    print(json.dumps(told, indent=2))


def alerted(payments: pd.DataFrame) -> pd.DataFrame:
    """The last payment of each alert, with its pattern."""
    ordered = payments.sort_values(["customer_id", "time", figures.PAYMENT_KEY], ignore_index=True)
    card, time, amount = (ordered[name].to_numpy() for name in ("customer_id", "time", "amount"))
    ends = {
        "small_then_large": within(card, time, 3, HOUR_US)
        & (shifted(amount, 1) <= SMALL)
        & (shifted(amount, 2) <= SMALL),
        "velocity": within(card, time, 5, TEN_MINUTES_US),
    }
    ends["small_then_large"] &= amount >= LARGE
    return pd.concat([ordered[mask].assign(pattern=name) for name, mask in ends.items()], ignore_index=True)


def within(card: np.ndarray, time: np.ndarray, length: int, window_us: int) -> np.ndarray:
    """Whether this payment and those before it, ``length`` in all, are of one card and within the window."""
    before = length - 1
    return (
        (shifted(card, before) == card) & (time - shifted(time, before) < window_us) & (np.arange(len(card)) >= before)
    )


def shifted(values: np.ndarray, by: int) -> np.ndarray:
    return np.roll(values, by)


def events(alerts: pd.DataFrame) -> Events:
    """An alert happens when its last payment does, and is known a moment later: the payment does not know it."""
    return Events(
        entity=alerts["customer_id"].to_numpy(),
        time=alerts["time"].to_numpy(),
        tie=np.arange(len(alerts), dtype=np.uint64),
        columns={},
    )


if __name__ == "__main__":
    main()
