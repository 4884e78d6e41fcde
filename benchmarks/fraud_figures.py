"""Fraud on the Fraud Detection Handbook's data set: its three published figures, in its week and in those after it.

    python benchmarks/fraud_figures.py --file path/to/fraud-transactions.parquet [--weeks N]

The file becomes a lake of payments and verdicts, and the model of a week is trained as ``tidemill models train fraud``
trains it, from ``use_cases/fraud`` and that lake as it was known when the week's last verdict had come.

A week is tested by the handbook's protocol (chapter 3, "Baseline fraud detection system"): train on the 7 days that end
7 days before it, since the label of a payment is known 7 days later; leave out cards known to be compromised, by a
fraud since training began whose verdict came before the day. The next week is the same moved by 7 days, trained anew,
until the last whole week of the file.

``published`` are the handbook's best, each by another model. ``forest`` and ``logistic`` are its random forest and
logistic regression on its 15 features, in the same run, which the kernel computes. ``naive`` is a model of the same
parameters on features that know a verdict at once, which no one can. ``gain`` is model less forest, week by week.
``interval`` is that of the mean over the weeks after the published one, by Student's t at 95 %.
``frauds`` says of which kind the frauds of these weeks are: at a ``terminal_unknown`` the latest verdict was not fraud.
"""

import argparse
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import write_deltalake
from scipy import stats
from sklearn.base import ClassifierMixin
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from data_lake.delta_rs import open_table
from data_lake.delta_tables import ensure_table
from data_lake.tables import table
from feature_store.columns.derived import service_features
from feature_store.columns.events import Column, Events, Queries
from feature_store.definitions import FeatureGroup
from feature_store.definitions.windows import micros
from feature_store.kernel import compute
from ingestion_layer.sources.card_simulator.ledger import VERDICT_DELAY
from ingestion_layer.sources.card_simulator.scenarios import CUSTOMER, LARGE_AMOUNT, TERMINAL
from ml_modeling.candidates.pipelines import build
from ml_modeling.evaluation.card_precision import card_precision
from ml_modeling.frames.examples import KEY, in_order
from ml_modeling.training.train import fit
from ml_modeling.use_case import load_use_case
from tidemill.config import Settings, load_settings
from use_cases.fraud import features as fraud

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

PAYMENT_KEY, LABEL = "transaction_id", "is_fraud"
PARTIES = ("customer_id", "terminal_id")
CHUNK = 250_000  # payments written at once
COLUMNS = {
    "TRANSACTION_ID": PAYMENT_KEY,
    "TX_DATETIME": "time",
    "CUSTOMER_ID": "customer_id",
    "TERMINAL_ID": "terminal_id",
    "TX_AMOUNT": "amount",
    "TX_TIME_DAYS": "day",
    "TX_FRAUD": LABEL,
    "TX_FRAUD_SCENARIO": "scenario",
}
FIRST_TEST = date(2018, 8, 8)
WEEK = 7
CARDS_A_DAY = 100
PUBLISHED = {"roc_auc": 0.871, "average_precision": 0.658, "card_precision_at_100": 0.291}
HANDBOOK = (
    *(one.name for one in (fraud.AMOUNT_NOW, fraud.IS_NIGHT, fraud.IS_WEEKEND)),
    *(one.name for group in (fraud.CUSTOMER_PAYMENTS, fraud.TERMINAL_VERDICTS) for one in group.features),
)
SEED = 0

Figures = dict[str, float]


@dataclass(frozen=True)
class Split:
    """Row numbers of a training set, and of the week it is tested on, which begins on ``start``."""

    start: date
    train: np.ndarray
    test: np.ndarray


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--file", type=Path, required=True, help="the handbook's payments")
    parser.add_argument("--weeks", type=int, default=99, help="how many, from the published one on")
    arguments = parser.parse_args()
    payments = read(arguments.file)
    first = (FIRST_TEST - day_one(payments)).days
    asked = payments[payments["day"] >= first - VERDICT_DELAY.days - WEEK].reset_index(drop=True)
    splits = list(weeks(asked, day_one(payments)))[: arguments.weeks]
    with TemporaryDirectory() as home:
        trained = by_the_platform(Path(home), payments, asked, splits)
    print(json.dumps(report(payments, asked, splits, trained), indent=2))


def read(file: Path) -> pd.DataFrame:
    """The payments in order of time, in the contracts' names; ``day`` counts from the first."""
    frame = pq.read_table(file, columns=list(COLUMNS)).to_pandas().rename(columns=COLUMNS)
    frame["time"] = frame["time"].to_numpy().astype("datetime64[us]").astype(np.int64)
    return frame.sort_values(["time", PAYMENT_KEY], ignore_index=True)


def day_one(payments: pd.DataFrame) -> date:
    return datetime.fromtimestamp(payments["time"].iloc[0] / 1e6, UTC).date()


def by_the_platform(
    home: Path, payments: pd.DataFrame, asked: pd.DataFrame, splits: Sequence[Split]
) -> Sequence[Figures]:
    """The figures of each week's model, as the platform trains it from a lake of the payments."""
    from data_lake.spark import session
    from ml_modeling.frames.frame import read_split_frame
    from ml_modeling.frames.splits import Part

    settings = load_settings({"TIDEMILL_HOME": str(home)})
    use_case, spark = load_use_case("fraud"), session("fraud figures", settings)
    write_lake(spark, settings, payments)
    found = []
    for split in splits:
        known = split.start + timedelta(days=WEEK) + VERDICT_DELAY
        data = read_split_frame(spark, settings, use_case, known)
        model = fit(use_case, data.frame, data.split, lambda *_: None)
        tested = in_order(data.frame.rows_of(data.split, Part.TEST))
        scores = pd.Series(use_case.task.predict(model.pipeline, model.test.x), index=tested[KEY].astype(np.int64))
        found.append(measured(asked, split, scores[asked[PAYMENT_KEY].to_numpy()[split.test]].to_numpy()))
    spark.stop()
    return found


def write_lake(spark: "SparkSession", settings: Settings, payments: pd.DataFrame) -> None:
    """Silver's tables of payments and of verdicts, each an event of its own."""
    for source in (fraud.PAYMENTS, fraud.VERDICTS):
        target = table(source.table)
        ensure_table(spark, target, settings)
        delta = open_table(target, settings)
        schema = pa.schema(delta.schema().to_arrow())
        for begin in range(0, len(payments), CHUNK):
            rows = silver(payments.iloc[begin : begin + CHUNK], is_verdict=source == fraud.VERDICTS)
            columns = [pa.array(rows[field.name]).cast(field.type, safe=False) for field in schema]
            write_deltalake(delta, pa.Table.from_arrays(columns, schema=schema), mode="append")


def silver(payments: pd.DataFrame, *, is_verdict: bool) -> pd.DataFrame:
    """The events of ``payments`` as silver has them."""
    key = payments[PAYMENT_KEY].astype(str)
    at = pd.to_datetime(payments["time"] + (micros(VERDICT_DELAY) if is_verdict else 0), unit="us", utc=True)
    paid = {"amount": payments["amount"], "currency": "EUR", "terminal_latitude": None, "terminal_longitude": None}
    said = {LABEL: payments[LABEL] == 1} if is_verdict else paid
    return pd.DataFrame(
        {
            "event_id": key + "/verdict" if is_verdict else key,
            "event_date": at.dt.date,
            "event_month": at.dt.strftime("%Y-%m"),
            "source": "file",
            PAYMENT_KEY: key,
            **{name: payments[name].astype(str) for name in PARTIES},
            **said,
            **dict.fromkeys(("event_time", "broker_time", "ingested_at"), at),
            **{"_generation": 1, "_digest": 0, "_partition": 0, "_offset": 0},
        }
    )


def matrix(payments: pd.DataFrame, asked: pd.DataFrame, delay: timedelta) -> np.ndarray:
    """The features of ``asked``, (rows, features), when verdicts come ``delay`` after all ``payments``."""
    times = asked["time"].to_numpy()
    values = {one.name: asked[one.name].to_numpy() for one in fraud.SERVICE.inputs}
    for group in fraud.SERVICE.groups:
        queries = Queries(asked[group.entity_column].to_numpy(), times)
        values |= compute(group, events(group, payments, delay), queries)
    return np.column_stack(list(service_features(fraud.SERVICE, values, times).values()))


def events(group: FeatureGroup, payments: pd.DataFrame, delay: timedelta) -> Events:
    """The payments as the group's source has them: a verdict is an event of its own, later."""
    there = np.ones(len(payments), dtype=np.bool_)
    source = payments.assign(**{LABEL: payments[LABEL] == 1})
    return Events(
        entity=payments[group.entity_column].to_numpy(),
        time=payments["time"].to_numpy() + (micros(delay) if group.source == fraud.VERDICTS else 0),
        tie=payments[PAYMENT_KEY].to_numpy().astype(np.uint64),
        columns={name: Column(source[name].to_numpy(), there) for name in group.columns},
    )


def weeks(payments: pd.DataFrame, origin: date) -> Iterator[Split]:
    """The published week and each whole week after it."""
    day, delay = payments["day"].to_numpy(), VERDICT_DELAY.days
    for start in range((FIRST_TEST - origin).days, day.max() + 2 - WEEK, WEEK):
        since = start - delay - WEEK
        train = (day >= since) & (day < start - delay)
        test = (day >= start) & (day < start + WEEK) & ~known_compromised(payments, since)
        yield Split(origin + timedelta(days=start), np.flatnonzero(train), np.flatnonzero(test))


def known_compromised(payments: pd.DataFrame, since: int) -> np.ndarray:
    """Whether the card had a fraud on day ``since`` or later whose verdict came before the day of the payment."""
    day, card = payments["day"].to_numpy(), payments["customer_id"].to_numpy()
    frauds = (payments[LABEL].to_numpy() == 1) & (day >= since)
    first = np.full(card.max() + 1, np.iinfo(np.int64).max)
    np.minimum.at(first, card[frauds], day[frauds])
    return first[card] < day - VERDICT_DELAY.days


def report(
    payments: pd.DataFrame, asked: pd.DataFrame, splits: Sequence[Split], trained: Sequence[Figures]
) -> Mapping[str, object]:
    known, at_once = (matrix(payments, asked, delay) for delay in (VERDICT_DELAY, timedelta(0)))
    plain = np.nan_to_num(known[:, [fraud.SERVICE.names.index(name) for name in HANDBOOK]])
    runs: Mapping[str, tuple[np.ndarray, Callable[[], ClassifierMixin]]] = {
        "forest": (plain, lambda: RandomForestClassifier(random_state=SEED)),
        "logistic": (plain, lambda: make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))),
        "naive": (at_once, model),
    }
    found = {"model": trained} | {
        name: [figures(asked, features, split, make()) for split in splits] for name, (features, make) in runs.items()
    }
    return {
        "published": PUBLISHED,
        **{name: {"weeks": by_week(splits, of), "following": over_weeks(of[1:])} for name, of in found.items()},
        "gain": over_weeks([difference(*pair) for pair in zip(found["model"][1:], found["forest"][1:], strict=True)]),
        "frauds": kinds(asked, known, splits[1:] or splits),
    }


def model() -> ClassifierMixin:
    """The platform's, to be fitted on other features."""
    (candidate, parameters), *_ = load_use_case("fraud").spec.candidates.items()
    return build(candidate, parameters, SEED)


def figures(payments: pd.DataFrame, features: np.ndarray, split: Split, model: ClassifierMixin) -> Figures:
    model.fit(features[split.train], payments[LABEL].to_numpy()[split.train])
    return measured(payments, split, model.predict_proba(features[split.test])[:, 1])


def measured(payments: pd.DataFrame, split: Split, scores: np.ndarray) -> Figures:
    truth = payments[LABEL].to_numpy()[split.test]
    day, card = (payments[name].to_numpy()[split.test] for name in ("day", "customer_id"))
    return {
        "roc_auc": float(roc_auc_score(truth, scores)),
        "average_precision": float(average_precision_score(truth, scores)),
        "card_precision_at_100": card_precision(day, card, truth, scores, CARDS_A_DAY),
    }


def difference(one: Figures, other: Figures) -> Figures:
    return {name: one[name] - other[name] for name in PUBLISHED}


def by_week(splits: Sequence[Split], found: Sequence[Figures]) -> dict[str, Figures]:
    return {
        str(split.start): {name: round(value, 3) for name, value in one.items()}
        for split, one in zip(splits, found, strict=True)
    }


def over_weeks(found: Sequence[Figures]) -> dict[str, object]:
    """The mean over the weeks, and its interval."""
    result: dict[str, object] = {"weeks": len(found)}
    if len(found) < 2:
        return result
    for name in PUBLISHED:
        values = np.array([one[name] for one in found])
        mean, reach = values.mean(), stats.t.ppf(0.975, len(values) - 1) * stats.sem(values)
        result[name] = {"mean": round(mean, 3), "interval": [round(mean - reach, 3), round(mean + reach, 3)]}
    return result


def kinds(payments: pd.DataFrame, features: np.ndarray, splits: Sequence[Split]) -> dict[str, float]:
    """Which share of the tested frauds is of which kind."""
    tested = np.concatenate([split.test for split in splits])
    scenario = payments["scenario"].to_numpy()[tested]
    latest = features[tested, fraud.SERVICE.names.index(fraud.TERMINAL_STREAK["is_fraud_last_1_all"].name)]
    found = {
        "large_amount": scenario == LARGE_AMOUNT,
        "terminal_known": (scenario == TERMINAL) & (latest == 1),
        "terminal_unknown": (scenario == TERMINAL) & (latest != 1),
        "customer": scenario == CUSTOMER,
    }
    return {name: round(float(mask.sum() / (scenario > 0).sum()), 3) for name, mask in found.items()}


if __name__ == "__main__":
    main()
