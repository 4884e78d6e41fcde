"""A lake of orders, payments, verdicts and logged predictions, all written straight from their declarations."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from data_lake.delta_tables import create_table
from data_lake.tables import table
from tests.cases.lake import append_rows
from tidemill.config import Settings

SILVER = ("silver/transactions", "silver/card_transactions", "silver/card_verdicts", "silver/predictions")


@pytest.fixture
def lake(settings: Settings, tmp_path: Path) -> Settings:
    lake = settings.model_copy(update={"home": tmp_path})
    for name in SILVER:
        create_table(table(name), lake)
    return lake


@pytest.fixture
def append(lake: Settings) -> Callable[[str, Iterable[dict[str, Any]]], None]:
    return lambda name, rows: append_rows(lake, table(name), rows)
