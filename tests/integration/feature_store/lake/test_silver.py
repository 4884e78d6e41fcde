"""Silver's rows as the columns that kernel and tiles read."""

import pytest
from pyspark.sql import SparkSession

from feature_store.definitions import Entity, FeatureGroup, Product, Source, count, days
from feature_store.lake.silver import KNOWN, event_columns, source_column
from feature_store.lake.spans import ENTITY, TIME

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


def test_an_event_has_an_entity_and_a_time_and_is_known_since_then_at_the_latest(spark: SparkSession) -> None:
    source = Source("silver/parcels", event_time="delivered_at", known_time="told_at", tie_breaker=("id",))
    parcels = FeatureGroup("parcels", Entity("customer", "customer"), source, (count(),), (days(30),))
    rows = spark.sql(
        "SELECT id, customer, timestamp_micros(delivered) AS delivered_at, timestamp_micros(told) AS told_at FROM "
        "VALUES (1, 'a', 10L, 12L), (2, 'a', NULL, 12L), (3, 'a', 11L, NULL), (4, NULL, 10L, 12L) "
        "AS parcels(id, customer, delivered, told)"
    )
    events = event_columns(rows, parcels).select(ENTITY, TIME, KNOWN).orderBy(TIME).collect()
    assert events == [("a", 10, 12), ("a", 11, 11)]
