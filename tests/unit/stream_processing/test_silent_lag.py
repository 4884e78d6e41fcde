"""How far queries that say nothing are behind, measured without Spark."""

import math
from types import SimpleNamespace
from typing import Any

import pytest
from deltalake.exceptions import DeltaError
from prometheus_client import CollectorRegistry

from stream_processing.spark_streaming.queries import silent_lag
from stream_processing.spark_streaming.queries.progress import ProgressGauges
from stream_processing.spark_streaming.queries.silent_lag import SilentLag
from stream_processing.spark_streaming.queries.states import QueryStates
from tidemill.config import Settings, load_settings

QUERY = "silver/shop.click.v1"


@pytest.fixture
def settings() -> Settings:
    return load_settings()


def test_a_table_that_cannot_be_opened_leaves_the_lag_and_the_thread_as_they_were(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = CollectorRegistry()
    gauges = ProgressGauges(registry, lambda _: {})
    gauges.set_lag(QUERY, 7)

    def unreadable(*_: Any) -> int:
        raise DeltaError("the log cannot be read")

    monkeypatch.setattr(silent_lag, "rows_behind", unreadable)
    monkeypatch.setattr(SilentLag, "_read", lambda *_: {})
    spark: Any = SimpleNamespace()
    SilentLag(spark, settings, QueryStates(), gauges).measure(QUERY)
    assert registry.get_sample_value("tidemill_stream_lag_rows", {"query": QUERY}) == 7


def test_a_lag_that_nobody_can_say_is_no_number(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    registry = CollectorRegistry()
    gauges = ProgressGauges(registry, lambda _: {})
    gauges.set_lag(QUERY, 7)
    monkeypatch.setattr(silent_lag, "rows_behind", lambda *_: None)
    monkeypatch.setattr(SilentLag, "_read", lambda *_: {})
    spark: Any = SimpleNamespace()
    SilentLag(spark, settings, QueryStates(), gauges).measure(QUERY)
    assert math.isnan(registry.get_sample_value("tidemill_stream_lag_rows", {"query": QUERY}) or 0)
