"""Profiles of tables: definitions, times, bounded size, and what cannot be profiled or merged."""

from datetime import UTC, datetime
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest

from monitoring.profiles import (
    ColumnDefinition,
    IncompatibleProfilesError,
    Kind,
    NumericProfile,
    ProfileDefinitionError,
    RowSample,
    TableDefinition,
    TableProfile,
    UnprofiledColumnError,
    profile_batches,
    profile_table,
    to_bytes,
)

ROWS = pa.table(
    {
        "amount": [1.0, 2.5, None],
        "price": pa.array([Decimal("1.10"), Decimal("2.20"), None], pa.decimal128(10, 2)),
        "kind": ["a", "b", "a"],
        "at": pa.array([datetime(2026, 1, day, tzinfo=UTC) for day in (2, 1, 3)]),
        "tags": [["x"], [], None],
    }
)


def test_columns_are_told_by_their_type() -> None:
    definition = TableDefinition.of_schema(ROWS.schema, "at")
    assert {column.name: column.kind.value for column in definition.columns} == {
        "amount": "numeric",
        "price": "numeric",
        "kind": "categorical",
    }


def test_a_number_may_be_called_a_category() -> None:
    definition = TableDefinition.of_schema(ROWS.schema, categorical=["price"])
    profile = profile_table(ROWS, definition).columns["price"]
    assert profile.counts == {"1.10": 1, "2.20": 1}


def test_rows_and_times_are_counted() -> None:
    profile = profile_table(ROWS, TableDefinition.of_schema(ROWS.schema, "at"))
    assert profile.rows == 3
    assert (profile.earliest, profile.latest) == (datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 3, tzinfo=UTC))
    assert profile.columns["price"].moments.mean == pytest.approx(1.65)


def test_batches_of_any_size_give_one_profile() -> None:
    definition = TableDefinition.of_schema(ROWS.schema, "at")
    by_row = profile_batches(ROWS.to_batches(max_chunksize=1), definition)
    whole = profile_table(ROWS, definition)
    assert by_row.columns["amount"].quantiles.values.tolist() == whole.columns["amount"].quantiles.values.tolist()
    assert (by_row.rows, by_row.earliest, by_row.latest) == (whole.rows, whole.earliest, whole.latest)


def test_no_batch_gives_an_empty_profile() -> None:
    definition = TableDefinition.of_schema(ROWS.schema, "at")
    profile = profile_batches([], definition)
    assert (profile.rows, profile.latest, profile.columns["amount"].scale) == (0, None, 0.0)


def test_a_profile_does_not_grow_with_its_rows() -> None:
    random = np.random.default_rng(0)
    sizes = []
    for rows in (20_000, 400_000):
        table = pa.table({"x": random.normal(size=rows), "c": random.integers(0, rows, rows).astype(str)})
        sizes.append(len(to_bytes(profile_table(table, TableDefinition.of_schema(table.schema)))))
    assert max(sizes) < 75_000
    assert sizes[1] < 1.2 * sizes[0]


def test_later_rows_are_held_against_the_range_of_the_reference() -> None:
    table = pa.table({"x": np.arange(10.0)})
    reference = profile_table(table, TableDefinition.of_schema(table.schema))
    later = profile_table(pa.table({"x": [-1.0, 0.0, 9.0, 10.0, 11.0]}), reference.definition_to_compare())
    column = later.columns["x"]
    assert (column.below, column.above) == (1, 2)
    assert later.definition.digest == reference.definition.digest


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        pytest.param(pa.table({"y": [1.0]}), "no column x", id="missing"),
        pytest.param(pa.table({"x": ["one"]}), "column x cannot be profiled", id="text"),
    ],
)
def test_a_column_that_cannot_be_profiled_is_named(rows: pa.Table, message: str) -> None:
    definition = TableDefinition((ColumnDefinition("x", Kind.NUMERIC),))
    with pytest.raises(UnprofiledColumnError, match=message):
        profile_table(rows, definition)


def test_profiles_of_other_ranges_are_not_merged() -> None:
    one = TableProfile.empty(TableDefinition((ColumnDefinition("x", Kind.NUMERIC),)))
    two = TableProfile.empty(TableDefinition((ColumnDefinition("x", Kind.NUMERIC, 0.0, 1.0),)))
    with pytest.raises(IncompatibleProfilesError, match="x"):
        one.merge(two)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param({"time_column": "nowhere"}, "no column nowhere", id="time"),
        pytest.param({"categorical": ["other"]}, "no column other", id="category"),
    ],
)
def test_a_definition_names_columns_that_are_not_there(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ProfileDefinitionError, match=message):
        TableDefinition.of_schema(ROWS.schema, **arguments)


def test_a_definition_must_make_sense() -> None:
    with pytest.raises(ProfileDefinitionError, match="no column"):
        TableDefinition(())
    with pytest.raises(ProfileDefinitionError, match="twice: x"):
        TableDefinition((ColumnDefinition("x", Kind.NUMERIC), ColumnDefinition("x", Kind.CATEGORICAL)))
    with pytest.raises(ProfileDefinitionError, match="no range"):
        ColumnDefinition("x", Kind.NUMERIC, 2.0, 1.0)
    with pytest.raises(ProfileDefinitionError, match="category"):
        ColumnDefinition("x", Kind.CATEGORICAL, 2.0)


def test_overflowing_moments_do_not_stop_a_profile() -> None:
    profile = NumericProfile()
    profile.update(pa.array([1e200, -1e200, 0.0, 1.0, 2.0]))
    assert profile.moments.standard_deviation == np.inf
    assert np.isfinite(profile.scale)


def test_sampled_rows_are_as_likely_from_each_part() -> None:
    random = np.random.default_rng(1)
    from_second = 0
    for _ in range(200):
        parts = [RowSample.of(pa.table({"part": [part] * rows}), 20, random) for part, rows in ((0, 300), (1, 100))]
        sample = parts[0].merge(parts[1])
        assert (sample.rows.num_rows, sample.seen) == (20, 400)
        from_second += sum(sample.rows["part"].to_pylist())
    assert from_second / (200 * 20) == pytest.approx(0.25, abs=0.03)
