"""A Spark data frame is profiled where its partitions are, as a table in memory is."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyspark.sql import SparkSession

from monitoring.profiles import TableDefinition, profile_table
from monitoring.profiles.spark import profile_dataframe


def test_partitions_are_profiled_apart_and_merged(spark: SparkSession) -> None:
    random = np.random.default_rng(0)
    rows = pd.DataFrame(
        {
            "amount": np.where(random.random(20_000) < 0.1, np.nan, random.normal(size=20_000)),
            "the.kind`": random.choice(["a", "b"], 20_000),
            "at": pd.date_range("2026-01-01", periods=20_000, freq="s"),
            "not profiled": 1,
        }
    )
    table = pa.Table.from_pandas(rows, preserve_index=False).drop_columns(["not profiled"])
    definition = TableDefinition.of_schema(table.schema, "at")
    profile = profile_dataframe(spark.createDataFrame(rows).repartition(3), definition)
    expected = profile_table(table, definition)
    assert (profile.rows, profile.columns["the.kind`"].counts) == (20_000, expected.columns["the.kind`"].counts)
    amount, whole = profile.columns["amount"], expected.columns["amount"]
    assert amount.missing == whole.missing
    assert amount.moments.mean == pytest.approx(whole.moments.mean)
    assert amount.distinct.smallest.tolist() == whole.distinct.smallest.tolist()
    assert np.abs(amount.quantiles.rank(whole.quantiles.values) - whole.quantiles.cumulative).max() < 0.01
    assert profile.latest is not None


def test_a_frame_without_rows_has_an_empty_profile(spark: SparkSession) -> None:
    frame = spark.createDataFrame([], "amount DOUBLE")
    definition = TableDefinition.of_schema(pa.schema({"amount": pa.float64()}))
    assert profile_dataframe(frame, definition).rows == 0
