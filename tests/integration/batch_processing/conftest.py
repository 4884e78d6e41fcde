"""A lake of one's own: silver transactions written straight from their declaration."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from data_lake.delta_tables import ensure_table
from data_lake.tables import silver
from tests.cases.lake import append_rows
from tests.cases.transactions import Line, silver_row
from tidemill.config import Settings

AppendLines = Callable[[Sequence[Line]], None]


@pytest.fixture
def lake(settings: Settings, tmp_path: Path) -> Settings:
    return settings.model_copy(update={"home": tmp_path})


@pytest.fixture
def append(spark: SparkSession, lake: Settings) -> AppendLines:
    """Commit order lines to silver, creating it the first time."""
    table = silver("shop.transaction.v1")

    def commit(lines: Sequence[Line]) -> None:
        ensure_table(spark, table, lake)
        append_rows(lake, table, map(silver_row, lines))

    return commit
