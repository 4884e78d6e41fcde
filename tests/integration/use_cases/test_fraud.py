"""The features of fraud, from the events of the simulated cards through the lake's tables and Spark."""

from datetime import datetime
from typing import Any

import numpy as np
import orjson
import pytest
from pyspark.sql import SparkSession

from data_lake.delta_tables import ensure_table
from data_lake.tables import bronze, quarantine, silver
from feature_store.columns.derived import service_features
from feature_store.columns.events import Features, Queries
from feature_store.kernel import compute
from feature_store.offline.training import EVENT_TIMESTAMP, training_frame
from ingestion_layer.sources.card_simulator.events import TRANSACTIONS, VERDICTS, transactions, verdicts
from stream_processing.spark_streaming.silver.batch import batch_writer
from tests.cases.card_payments import CARDS, Tables, tables
from tidemill.config import Settings
from use_cases.fraud.features import SERVICE

ASKED = 60
ARRIVED = datetime(2024, 6, 1)


@pytest.fixture(scope="module")
def cards() -> Tables:
    return tables()


@pytest.fixture(scope="module")
def lake(spark: SparkSession, settings: Settings, cards: Tables, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A lake whose silver the stream made of the messages of both topics."""
    own = settings.model_copy(update={"home": tmp_path_factory.mktemp("lake")})
    sent = {TRANSACTIONS: transactions(CARDS, cards.paid), VERDICTS: verdicts(CARDS, cards.known)}
    for topic, events in sent.items():
        for table in (bronze(topic), silver(topic), quarantine(topic)):
            ensure_table(spark, table, own)
        messages = [message(topic, offset, event) for offset, event in enumerate(events)]
        batch_writer(own, topic)(spark.createDataFrame(messages, bronze(topic).ddl), 0)
        assert spark.read.format("delta").load(silver(topic).path(own)).count() == len(messages)
    return own


def message(topic: str, offset: int, event: dict[str, Any]) -> dict[str, Any]:
    """The event as bronze has it."""
    return {
        "topic": topic,
        "partition": 0,
        "offset": offset,
        "broker_time": ARRIVED,
        "key": None,
        "value": bytearray(orjson.dumps(event)),
        "headers": None,
        "ingested_at": ARRIVED,
        "ingest_date": ARRIVED.date(),
    }


def by_the_kernel(cards: Tables, asked: np.ndarray) -> Features:
    times = cards.paid.time[asked]
    values = {"amount": cards.paid.cents[asked] / 100}
    for group in SERVICE.groups:
        values |= compute(group, cards.events(group), Queries(cards.entity(group)[asked], times))
    return service_features(SERVICE, values, times)


def test_spark_makes_of_the_events_what_the_kernel_makes_of_the_payments(
    spark: SparkSession, lake: Settings, cards: Tables
) -> None:
    asked = np.random.default_rng(3).choice(len(cards.paid), ASKED, replace=False)
    paid = [event for place, event in enumerate(transactions(CARDS, cards.paid)) if place in set(asked.tolist())]
    spine = spark.createDataFrame(
        [
            (
                event["data"]["transaction_id"],
                event["data"]["customer_id"],
                event["data"]["terminal_id"],
                event["data"]["amount"],
                datetime.fromisoformat(event["time"]),
            )
            for event in paid
        ],
        f"transaction_id STRING, customer_id STRING, terminal_id STRING, amount DOUBLE, {EVENT_TIMESTAMP} TIMESTAMP",
    )
    found = training_frame(spine, SERVICE, lake).toPandas().sort_values([EVENT_TIMESTAMP, "transaction_id"])
    assert len(found) == ASKED
    assert [event["time"] for event in paid] == sorted(event["time"] for event in paid)
    for name, expected in by_the_kernel(cards, np.sort(asked)).items():
        np.testing.assert_allclose(found[name].to_numpy(dtype=np.float64), expected, rtol=1e-9, err_msg=name)
