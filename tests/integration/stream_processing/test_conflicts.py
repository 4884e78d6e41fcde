"""An event is known by its source and id: equal again is a duplicate, with another content it is a conflict."""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import orjson
import pytest
from pyspark.sql import DataFrame, SparkSession

from data_lake import tables
from stream_processing.spark_streaming.silver.batch import batch_writer
from stream_processing.spark_streaming.silver.conflicts import SilverIdentities
from stream_processing.spark_streaming.silver.identity_filter import IdentityFilter
from tests.cases.lake import append_rows
from tests.integration.stream_processing.conftest import TOPIC, Rows, encode, transaction
from tidemill.config import Settings

Write = Callable[[DataFrame, int], None]
Messages = Callable[..., DataFrame]
SILVER, QUARANTINE = "silver/transactions", f"quarantine/{TOPIC}"


def kept(rows: Rows) -> list[tuple[int, str, float]]:
    return [(row["_offset"], row["source"], float(row["unit_price"])) for row in rows(SILVER)]


def conflicts(rows: Rows) -> list[tuple[int, bytes]]:
    return [(row["offset"], bytes(row["value"])) for row in rows(QUARANTINE) if row["reason"] == "conflict"]


def of(source: str, time: str = "2024-05-01T09:30:00Z", **data: Any) -> dict[str, Any]:
    """An event called 1001 of a source."""
    return {**transaction("any", time, **data), "id": "1001", "source": source}


def in_batches(write: Write, messages: Messages, batches: Iterable[Iterable[dict[str, Any]]]) -> None:
    for number, events in enumerate(batches):
        write(messages([encode(event) for event in events]), number)


ONE_BATCH, MANY = "in one batch", "in a batch each"


@pytest.mark.parametrize("how", [ONE_BATCH, MANY])
def test_two_sources_may_use_the_same_id(write: Write, messages: Messages, rows: Rows, how: str) -> None:
    events = [of("urn:shop:a", unit_price=5), of("urn:shop:b", unit_price=7)]
    in_batches(write, messages, [events] if how == ONE_BATCH else [[event] for event in events])
    assert kept(rows) == [(0, "urn:shop:a", 5.0), (1, "urn:shop:b", 7.0)]
    assert not rows(QUARANTINE)


@pytest.mark.parametrize("how", [ONE_BATCH, MANY])
@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({"unit_price": 6.0}, id="other data"),
        pytest.param({"unknown_field": "newer"}, id="a field beyond the contract", marks=pytest.mark.matrix),
        pytest.param({"time": "2024-05-01T09:30:00.000001Z"}, id="a microsecond later", marks=pytest.mark.matrix),
        pytest.param({"time": "2024-05-02T09:30:00Z"}, id="a day later", marks=pytest.mark.matrix),
        pytest.param({"time": "2011-01-01T00:00:00Z"}, id="years before", marks=pytest.mark.matrix),
    ],
)
def test_the_same_identity_with_another_content_is_kept_apart_raw(
    write: Write, messages: Messages, rows: Rows, changed: dict[str, Any], how: str
) -> None:
    first, second = of("urn:a"), of("urn:a", **changed)
    in_batches(write, messages, [[first, second, first]] if how == ONE_BATCH else [[first], [second], [first]])
    assert kept(rows) == [(0, "urn:a", 2.55)]
    assert conflicts(rows) == [(1, encode(second))]
    (detail,) = [row["detail"] for row in rows(QUARANTINE)]
    assert detail.startswith("/id: partition 0 offset 0 of generation 1 has this source and id at ")
    assert ("another time" in detail) is ("time" in changed)


def test_equal_content_written_in_another_way_is_a_duplicate(write: Write, messages: Messages, rows: Rows) -> None:
    first = of("urn:a", "2024-05-01T09:30:00Z", quantity=2, description="mug é")
    turned = {**first, "time": "2024-05-01T11:30:00.000+02:00", "data": dict(reversed(first["data"].items()))}
    spelt = orjson.dumps(turned, option=orjson.OPT_INDENT_2).replace(b'"quantity": 2', b'"quantity": 0.2e1')
    write(messages([encode(first)]), 0)
    write(messages([spelt.replace("é".encode(), b"\\u00e9")]), 1)
    assert len(rows(SILVER)) == 1
    assert not rows(QUARANTINE)


def test_a_batch_with_conflicts_again_changes_nothing(
    write: Write, messages: Messages, rows: Rows, lake: Settings
) -> None:
    batch = messages([encode(of("urn:a")), encode(of("urn:a", unit_price=9)), b"bad", encode(of("urn:b"))])
    write(batch, 0)
    before = [rows(SILVER), rows(QUARANTINE)]
    write(batch, 0)
    batch_writer(SilverIdentities(TOPIC, lake))(batch, 0)  # a process started anew, or one that lost its checkpoint
    assert [rows(SILVER), rows(QUARANTINE)] == before
    assert [row["_offset"] for row in before[0]] == [0, 3]
    assert [(row["offset"], row["reason"]) for row in before[1]] == [(1, "conflict"), (2, "not_json")]


def test_a_process_started_anew_knows_what_silver_has(
    write: Write, messages: Messages, rows: Rows, lake: Settings
) -> None:
    write(messages([encode(of("urn:a"))]), 0)
    batch_writer(SilverIdentities(TOPIC, lake))(messages([encode(of("urn:a", "2012-02-02T00:00:00Z"))]), 1)
    assert kept(rows) == [(0, "urn:a", 2.55)]
    assert [offset for offset, _ in conflicts(rows)] == [1]


def test_what_another_hand_put_into_silver_is_known_too(
    write: Write, messages: Messages, rows: Rows, lake: Settings
) -> None:
    write(messages([encode(transaction("first"))]), 0)
    (row,) = rows(SILVER)
    append_rows(lake, tables.silver(TOPIC), [{**row, "source": "urn:a", "event_id": "1001", "_offset": 77}])
    write(messages([encode(of("urn:a", "2013-03-03T00:00:00Z"))]), 1)
    assert [offset for offset, _ in conflicts(rows)] == [1]
    assert len(rows(SILVER)) == 2


def test_a_filter_that_is_full_is_told_of_once_with_the_size_that_has_room(
    spark: SparkSession, lake: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    """At 4 bytes an event 1 MB is for 262,144; 262,145 twice are 2,097,160 bytes, which 3 MB have."""
    stream = lake.stream.model_copy(update={"identity_filter_mb": 1})
    known = SilverIdentities(TOPIC, lake.model_copy(update={"stream": stream}))
    known.refreshed(spark)
    known.filter = IdentityFilter.empty(2**20)
    known.add(np.arange(262_144))
    known.refreshed(spark)
    assert not caplog.messages
    known.add(np.arange(1))
    for _ in range(2):
        assert known.refreshed(spark).room == 262_144
    (told,) = caplog.messages
    assert "silver/transactions has 262145 events, more than stream.identity_filter_mb = 1 is for" in told
    assert "set 3 or more" in told
