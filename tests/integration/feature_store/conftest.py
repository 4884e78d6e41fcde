"""A lake and a Redis of one's own."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from config import Settings
from data_lake.delta_tables import ensure_table
from data_lake.tables import table
from tests.cases.snapshots import Snapshot, rows
from tests.integration.conftest import settings_on_free_ports
from tidemill.stack.running import running
from tidemill.stack.services import redis as redis_service

WriteSnapshots = Callable[[Sequence[Snapshot]], None]


@pytest.fixture
def home(tmp_path: Path) -> Settings:
    """Settings with an empty home, ports of their own, small chunks and patience; nothing is started."""
    own = settings_on_free_ports(tmp_path)
    feast = own.feast.model_copy(update={"write_chunk_rows": 4})
    serving = own.serving.model_copy(update={"feature_timeout_s": 20.0})
    return own.model_copy(update={"feast": feast, "serving": serving})


@pytest.fixture
def redis_home(home: Settings) -> Iterator[Settings]:
    """The same with an empty Redis."""
    with running(redis_service.services(home)[0], home):
        yield home


@pytest.fixture
def write(spark: SparkSession, home: Settings) -> WriteSnapshots:
    """Make ``gold/customer_snapshot`` hold these rows and no others, in one commit."""
    target = table("gold/customer_snapshot")

    def commit(snapshots: Sequence[Snapshot]) -> None:
        ensure_table(spark, target, home)
        schema = spark.read.format("delta").load(target.path(home)).schema
        frame = spark.createDataFrame(rows(snapshots), schema)
        frame.coalesce(1).write.format("delta").mode("overwrite").save(target.path(home))

    return commit
