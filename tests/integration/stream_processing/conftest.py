"""A lake of its own for each test, and messages as bronze holds them."""

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
from pyspark.sql import DataFrame, SparkSession

from data_lake import tables
from data_lake.delta_tables import ensure_table
from stream_processing.spark_streaming.silver.batch import batch_writer
from stream_processing.spark_streaming.silver.conflicts import SilverIdentities
from tests.integration.conftest import settings_on_free_ports
from tests.integration.own_broker import OwnBroker, own_broker
from tests.integration.stream_processing.shop import Shop, forget_all
from tidemill.config import Settings
from tidemill.contracts import contract, event
from tidemill.stack.services import redis as redis_service
from tidemill.stack.supervision.running import running

TOPIC, OTHER = "shop.transaction.v1", "shop.click.v1"
BROKER_TIME = datetime(2024, 5, 2, 12, 0, 0)
Rows = Callable[[str], list[dict[str, Any]]]
Write = Callable[[Iterable[bytes | None]], DataFrame]


@pytest.fixture
def lake(settings: Settings, tmp_path: Path, spark: SparkSession) -> Settings:
    """The settings with an empty lake, its stream tables made."""
    root, checkpoints = str(tmp_path / "lake"), str(tmp_path / "checkpoints")
    stream = settings.stream.model_copy(update={"checkpoints": checkpoints, "trigger_s": 0.2, "poll_s": 0.2})
    fresh = settings.model_copy(update={"lake": settings.lake.model_copy(update={"root": root}), "stream": stream})
    for table in (tables.bronze(TOPIC), tables.silver(TOPIC), tables.quarantine(TOPIC)):
        ensure_table(spark, table, fresh)
    return fresh


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnBroker]:
    """A broker of the module's own."""
    with own_broker(tmp_path_factory.mktemp("broker")) as broker:
        yield broker


@pytest.fixture
def own(broker: OwnBroker, tmp_path: Path, spark: SparkSession) -> Settings:
    """The settings of two topics made anew in ``broker`` and of an empty lake."""
    for topic in (TOPIC, OTHER):
        broker.make_anew(topic)
    stream = {"checkpoints": str(tmp_path / "checkpoints"), "trigger_s": 0.2, "poll_s": 0.2, "topic_watch_s": 0.5}
    settings = broker.settings.model_copy(
        update={
            "lake": broker.settings.lake.model_copy(update={"root": str(tmp_path / "lake")}),
            "stream": broker.settings.stream.model_copy(update=stream),
        }
    )
    for table in (tables.bronze(TOPIC), tables.silver(TOPIC), tables.quarantine(TOPIC)):
        ensure_table(spark, table, settings)
    return settings


@pytest.fixture
def rows(lake: Settings, spark: SparkSession) -> Rows:
    """All rows of a table, by its name, as dictionaries in the order of their offsets."""

    def read(name: str) -> list[dict[str, Any]]:
        found = spark.read.format("delta").load(tables.table(name).path(lake)).collect()
        return sorted((row.asDict() for row in found), key=lambda row: row.get("_offset", row.get("offset")))

    return read


@pytest.fixture
def messages(spark: SparkSession) -> Callable[..., DataFrame]:
    """Bronze rows of values, in partition 0 at the offsets after those of the calls before."""
    counter = itertools.count()

    def make(values: Iterable[bytes | None], broker_time: datetime = BROKER_TIME) -> DataFrame:
        made = [
            {
                "topic": TOPIC,
                "partition": 0,
                "offset": next(counter),
                "broker_time": broker_time,
                "key": None,
                "value": None if value is None else bytearray(value),
                "headers": None,
                "ingested_at": broker_time,
                "ingest_date": broker_time.date(),
                "generation": None,
            }
            for value in values
        ]
        return spark.createDataFrame(made, tables.bronze(TOPIC).ddl)

    return make


@pytest.fixture
def write(lake: Settings) -> Callable[[DataFrame, int], None]:
    """What the silver query does with one batch."""
    return batch_writer(SilverIdentities(TOPIC, lake))


def transaction(record: str, time: str | None = None, **data: Any) -> dict[str, Any]:
    """A valid event of ``record``, with fields of ``data`` changed."""
    fields = {
        "order_id": "o1",
        "line": 1,
        "customer_id": "c1",
        "product_id": "p1",
        "description": "mug",
        "quantity": 2,
        "unit_price": 2.55,
        "currency": "GBP",
        "country": "United Kingdom",
        "kind": "purchase",
    }
    made = event(contract(TOPIC), "urn:test", record, datetime(2024, 5, 1, 9, 30, tzinfo=UTC), {**fields, **data})
    return made if time is None else {**made, "time": time}


def encode(value: Mapping[str, Any]) -> bytes:
    return orjson.dumps(value)


@pytest.fixture(scope="package")
def redis_settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    own = settings_on_free_ports(tmp_path_factory.mktemp("states"))
    serving = own.serving.model_copy(update={"feature_timeout_s": 20.0})
    feast_section = own.feast.model_copy(update={"write_chunk_rows": 3})
    stream = own.stream.model_copy(update={"trigger_s": 0.2, "poll_s": 0.2})
    settings = own.model_copy(update={"serving": serving, "feast": feast_section, "stream": stream})
    with running(redis_service.services(settings)[0], settings):
        yield settings


@pytest.fixture
def shop(spark: SparkSession, redis_settings: Settings, tmp_path: Path) -> Shop:
    """An empty silver and an empty store."""
    lake = redis_settings.lake.model_copy(update={"root": str(tmp_path / "lake")})
    stream = redis_settings.stream.model_copy(update={"checkpoints": str(tmp_path / "checkpoints")})
    settings = redis_settings.model_copy(update={"lake": lake, "stream": stream})
    ensure_table(spark, tables.silver(TOPIC), settings)
    forget_all(settings)
    return Shop(spark, settings)
