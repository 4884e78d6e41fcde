"""A partner's file by each way in is in silver, each row once, also when it was brought twice."""

import csv
from collections import Counter
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from data_lake import tables
from data_lake.delta_rs import open_table
from data_lake.reconciliation.reconcile import reconcile_topic
from ingestion_layer.kafka.topics import ensure_topics
from tests.cases.inventory_files import HEADER, TOPIC, row
from tests.integration.ingestion_layer.ways.conftest import FolderOf
from tests.integration.own_broker import OwnBroker, with_empty_lake
from tests.integration.stream_processing.test_stream import streaming
from tidemill.config import Settings

pytestmark = [pytest.mark.ingestion, pytest.mark.matrix]

COUNT = 500


@pytest.fixture
def lake(broker: OwnBroker, tmp_path: Path, spark: SparkSession) -> Settings:
    """The broker's settings with an empty lake."""
    ensure_topics(broker.settings)
    return with_empty_lake(broker.settings, tmp_path, spark, TOPIC)


def write_stock(path: Path, prefix: str) -> Counter[str]:
    """Rows of products that no other file has; the products."""
    products = [f"{prefix}-{number}" for number in range(COUNT)]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, HEADER)
        writer.writeheader()
        writer.writerows(row(number) | {"product_id": product} for number, product in enumerate(products))
    return Counter(products)


def test_each_row_is_in_silver_once(
    folder_of: FolderOf, lake: Settings, spark: SparkSession, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    prefix = f"lake-{request.node.callspec.id}"
    products = write_stock(file := tmp_path / f"{prefix}.csv", prefix)
    again = tmp_path / f"{prefix}-again.csv"
    again.write_bytes(file.read_bytes() + b"\r\n")
    with folder_of("partner_inventory") as folder:
        folder.drop(file)
        folder.wait_for(folder.done(file.name))
        folder.drop(again)
        folder.wait_for(folder.done(again.name))
    with streaming(spark, lake, TOPIC):
        pass
    assert [str(finding) for finding in reconcile_topic(lake, TOPIC).findings] == []
    silver = open_table(tables.silver(TOPIC), lake).to_pyarrow_table(columns=["product_id"])["product_id"].to_pylist()
    assert Counter(product for product in silver if product.startswith(prefix)) == products
