"""Silver's rows as the columns that kernel and tiles read."""

import pytest
from pyspark.sql import SparkSession

from feature_store.definitions import Product, Source
from feature_store.lake.silver import source_column

SOLD = Source("silver/sold", computed=(Product("amount", "units", "price"),))


@pytest.mark.parametrize(
    ("row", "amount"),
    [
        ("9223372036854775807L AS units, 4L AS price", 2.0**65),
        ("CAST('9e19' AS DECIMAL(38, 10)) AS units, CAST('9e19' AS DECIMAL(38, 10)) AS price", 9e19 * 9e19),
        ("3L AS units, CAST('0.25' AS DECIMAL(18, 4)) AS price", 0.75),
        ("3L AS units, CAST(NULL AS BIGINT) AS price", None),
    ],
    ids=["whole numbers", "decimals", "small", "null"],
)
def test_a_product_is_of_float64_whatever_the_type_of_its_parts(
    spark: SparkSession, row: str, amount: float | None
) -> None:
    rows = spark.sql(f"SELECT {row}")
    assert rows.select(source_column(rows, SOLD, "amount")).collect() == [(amount,)]
