"""A shop of some thousand customers in a lake of its own, and champions in the registry."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np
import pytest
from pyspark.sql import SparkSession

from data_lake.delta_tables import create_table
from data_lake.tables import silver
from ml_modeling.registry.connection import connect
from tests.cases.lake import append_rows
from tests.cases.transactions import Line, silver_row
from tests.integration.batch_processing.scoring.champions import fitted, register, serving
from tidemill.config import Settings

AT = datetime(2026, 3, 1, 12, 34, 56, 789_012, tzinfo=UTC)
CUSTOMERS = 2_500
USE_CASES = ("churn", "next_spend")


@dataclass(frozen=True)
class Shop:
    """What silver holds, and the customers with an event before :data:`AT`."""

    settings: Settings
    lines: Sequence[Line]

    @property
    def seen(self) -> set[str]:
        return {line.customer_id for line in self.lines if line.customer_id and line.at < AT}


@pytest.fixture(scope="package")
def shop(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Shop:
    own = settings.model_copy(update={"home": tmp_path_factory.mktemp("shop")})
    create_table(silver("shop.transaction.v1"), own)
    lines = order_lines()
    append_rows(own, silver("shop.transaction.v1"), map(silver_row, lines))
    return Shop(own, lines)


def order_lines() -> list[Line]:
    """A few lines a customer within 420 days, at any microsecond; returns, guests, customers who only come later."""
    random = np.random.default_rng(9)
    lines = []
    for number in range(CUSTOMERS):
        later = number % 50 == 0
        for _ in range(1 + int(random.poisson(3))):
            ago = timedelta(microseconds=int(random.integers(1, 420 * 86_400_000_000)))
            lines.append(
                Line(
                    at=AT + ago if later else AT - ago,
                    customer_id=None if random.random() < 0.02 else f"c{number}",
                    order_id=f"o{random.integers(6)}",
                    product_id=f"p{random.integers(40)}",
                    quantity=int(random.integers(1, 9)),
                    unit_price=Decimal(int(random.integers(1, 900_000))).scaleb(-4),
                    kind="return" if random.random() < 0.2 else "purchase",
                )
            )
    return lines


@pytest.fixture(scope="package")
def champions(settings: Settings, mlflow_server: str) -> Iterator[dict[str, str]]:
    """The version of each use case's champion."""
    yield {use_case: register(settings, use_case, serving(use_case), fitted(use_case)) for use_case in USE_CASES}
    for use_case in USE_CASES:
        connect(settings).delete_registered_model(use_case)


@pytest.fixture
def session(spark: SparkSession) -> "Session":
    return Session(spark)


class Session:
    """The shared session in the place of one of a scoring's own; ``opened`` counts how often it was needed."""

    def __init__(self, spark: SparkSession) -> None:
        self.spark = spark
        self.opened = 0

    def __call__(self) -> AbstractContextManager[SparkSession]:
        self.opened += 1
        return nullcontext(self.spark)
