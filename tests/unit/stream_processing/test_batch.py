"""The parts of a batch that need no Spark."""

from datetime import date

import pyarrow as pa
import pytest

from contracts import checker
from stream_processing.spark_streaming.classify import rejections
from stream_processing.spark_streaming.json_numbers import widened
from stream_processing.spark_streaming.summary import BatchSummary


@pytest.mark.parametrize(
    ("declared", "parsed"),
    [
        ("DECIMAL(18,4)", "DECIMAL(38,24)"),
        ("DECIMAL(38,2)", "DECIMAL(38,2)"),
        ("BIGINT", "DECIMAL(38,18)"),
        ("DOUBLE", "DOUBLE"),
        ("ARRAY<DECIMAL(18,4)>", "ARRAY<DECIMAL(18,4)>"),
    ],
)
def test_a_number_is_parsed_with_every_digit_there_is_room_for(declared: str, parsed: str) -> None:
    assert widened(declared) == parsed


def test_rejections_has_a_row_for_each_value_and_nulls_for_the_good_ones() -> None:
    found = rejections(checker("shop.click.v1"), pa.array([b"{", None, b"[]"], pa.binary()))
    assert found.field("reason").to_pylist() == ["not_json", "not_json", "not_cloudevent"]
    assert rejections(checker("shop.click.v1"), pa.array([], pa.binary())).to_pylist() == []


def test_the_search_is_narrowed_to_the_months_and_days_of_the_batch() -> None:
    summary = BatchSummary(2, 1, ("2024-04", "2024-05"), date(2024, 4, 30), date(2024, 5, 2), (date(2024, 5, 3),))
    assert summary.silver_files() == (
        "t.event_month IN ('2024-04', '2024-05') AND t.event_date BETWEEN DATE'2024-04-30' AND DATE'2024-05-02'"
    )
    assert summary.quarantine_files() == "t.ingest_date IN (DATE'2024-05-03')"
