"""What is read of the log: its answers, and its maps as columns."""

import math
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from data_lake.delta_tables import create_table
from data_lake.tables import silver
from ml_modeling.registry import ModelIdentity, ServingSpec
from ml_modeling.replay.logged import by_name, logged_answers
from tests.cases.answers_logged import logged
from tests.cases.lake import append_rows
from tidemill.config import Settings, load_settings

KIND = pa.list_(pa.string()), pa.list_(pa.float64())


Row = dict[str, float | None] | None


def columns(rows: list[Row], wanted: tuple[str, ...]) -> tuple[list[list[float]], list[bool]]:
    names = pa.array([None if row is None else list(row) for row in rows], KIND[0])
    values = pa.array([None if row is None else list(row.values()) for row in rows], KIND[1])
    found, is_whole = by_name(names, values, wanted)
    return found.tolist(), is_whole.tolist()


def test_each_name_has_its_column_in_whatever_order_a_row_has_them() -> None:
    found, is_whole = columns([{"a": 1.0, "b": 2.0}, {"b": 4.0, "a": 3.0, "c": 9.0}], ("b", "a"))
    assert (found, is_whole) == ([[2.0, 1.0], [4.0, 3.0]], [True, True])


def test_a_missing_value_is_there_and_a_missing_name_is_not() -> None:
    found, is_whole = columns([{"a": None, "b": 2.0}, {"b": 4.0}, {}, None, {"a": 5.0, "b": 0.0}], ("a", "b"))
    assert is_whole == [True, False, False, False, True]
    assert math.isnan(found[0][0])
    np.testing.assert_equal(found, [[np.nan, 2.0], [np.nan, 4.0], [np.nan] * 2, [np.nan] * 2, [5.0, 0.0]])


def test_a_slice_of_a_batch_is_read_as_what_it_is() -> None:
    names = pa.array([["a"], ["b", "a"], ["a", "b"]], KIND[0]).slice(1)
    values = pa.array([[9.0], [2.0, 1.0], [3.0, 4.0]], KIND[1]).slice(1)
    found, is_whole = by_name(names, values, ("a", "b"))
    assert (found.tolist(), is_whole.tolist()) == ([[1.0, 2.0], [3.0, 4.0]], [True, True])


AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
SPEC = ServingSpec(
    use_case="churn",
    feature_service="churn",
    feature_fingerprint="f",
    features=("a",),
    threshold=0.5,
    decisions=("stays", "leaves"),
    cold_start_score=0.5,
)


@pytest.fixture
def log(tmp_path: Path) -> Settings:
    settings = load_settings({"TIDEMILL_HOME": str(tmp_path)})
    create_table(silver("serving.prediction.v1"), settings)
    arms = {"before there were arms": None, "champion": "champion", "challenger": "challenger", "shadow": "shadow"}
    rows = [logged("churn", arm, AT, {"customer_id": arm}, arm=name, score=0.25) for arm, name in arms.items()]
    append_rows(settings, silver("serving.prediction.v1"), rows)
    return settings


def test_what_a_shadow_said_is_no_answer(log: Settings) -> None:
    batches = logged_answers(log, SPEC, ModelIdentity(run_id="run-1", model_id="m-1"), AT, AT + timedelta(seconds=1))

    entities = [entity for batch in batches for entity in batch.entity_ids]
    assert sorted(entities) == ["before there were arms", "challenger", "champion"]
