"""Window features through Spark, against the judge that loops over events."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from random import Random

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F  # noqa: N812

from data_lake.delta_tables import ensure_table
from data_lake.tables import silver
from feature_store.definitions import (
    HOUR_OF_DAY,
    LIFETIME,
    Derived,
    Entity,
    FeatureGroup,
    FeatureService,
    Input,
    Source,
    column,
    count,
    days,
    hours,
    time_since_last,
)
from feature_store.judge.hashing import identity_hash
from feature_store.lake.spans import ENTITY, SPAN, TIME, with_spans
from feature_store.offline.snapshot import snapshot
from feature_store.offline.training import SpineError, training_frame
from tests.cases.lake import append_rows
from tests.cases.naive_windows import Happened, naive_value
from tests.cases.transactions import random_lines, silver_row
from tidemill.config import Settings

CUSTOMER = Entity("customer", "customer_id")
TRANSACTIONS = Source("silver/transactions")
quantity, price = column("quantity"), column("unit_price")
PURCHASES = FeatureGroup(
    name="purchases",
    entity=CUSTOMER,
    source=TRANSACTIONS,
    filters=(column("kind") == "purchase",),
    windows=(hours(3), days(7), days(90), LIFETIME),
    aggregations=(
        count(),
        quantity.sum(),
        price.mean(),
        price.max(),
        price.std(),
        time_since_last(),
        column("product_id").count_distinct(),
    ),
)
RETURNS = FeatureGroup(
    name="returns",
    entity=CUSTOMER,
    source=TRANSACTIONS,
    filters=(column("kind") == "return",),
    windows=(days(90),),
    aggregations=(count(), quantity.sum()),
)
RATE = RETURNS["count_90d"] / PURCHASES["count_90d"]
SERVICE = FeatureService(
    "shop", (*PURCHASES.features, *RETURNS.features, Derived("return_rate", RATE), Derived("hour", HOUR_OF_DAY + 0))
)
FIRST = date(2024, 1, 15)


@dataclass(frozen=True)
class Lake:
    """Silver with random order lines, a spine of rows about them, and the same events for the judge."""

    settings: Settings
    spine: Sequence[tuple[str | None, datetime]]
    history: Sequence[Happened]
    customers: Sequence[str]


@pytest.fixture(scope="module")
def lake(spark: SparkSession, settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Lake:
    own = settings.model_copy(update={"home": tmp_path_factory.mktemp("lake")})
    rng = Random(2024)
    lines = random_lines(rng, 600, FIRST, 200)
    delays = [timedelta(hours=rng.choice((0, 0, 1, 30))) for _ in lines]
    rows = [silver_row(line) | {"ingested_at": line.at + delay} for line, delay in zip(lines, delays, strict=True)]
    path = _silver(spark, own)
    schema = spark.read.format("delta").load(path).schema
    frame = spark.createDataFrame([[row[name] for name in schema.names] for row in rows], schema)
    frame.write.format("delta").mode("append").save(path)
    customers = sorted({line.customer_id for line in lines if line.customer_id})
    history = [
        Happened(
            customers.index(line.customer_id),
            _micros(line.at),
            number,
            {
                "kind": line.kind,
                "quantity": line.quantity,
                "unit_price": float(line.unit_price),
                "product_id": line.product_id,
            },
            _micros(line.at + delay),
        )
        for number, (line, delay) in enumerate(zip(lines, delays, strict=True))
        if line.customer_id
    ]
    asked = [
        (rng.choice(lines).customer_id, rng.choice(lines).at + timedelta(hours=rng.randrange(72))) for _ in range(80)
    ]
    return Lake(own, [*asked, ("nobody", lines[0].at), (None, lines[0].at)], history, customers)


def _silver(spark: SparkSession, settings: Settings) -> str:
    table = silver("shop.transaction.v1")
    ensure_table(spark, table, settings)
    return table.path(settings)


def _micros(at: datetime) -> int:
    return (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def with_tasks_of(events: int, settings: Settings) -> Settings:
    return settings.model_copy(update={"spark": settings.spark.model_copy(update={"events_a_task": events})})


@pytest.mark.parametrize(
    ("as_known", "events_a_task"),
    [
        pytest.param(False, 1_000_000, id="as it was, whole"),
        pytest.param(False, 15, id="as it was, cut into spans", marks=pytest.mark.matrix),
        pytest.param(True, 1_000_000, id="as known, whole", marks=pytest.mark.matrix),
        pytest.param(True, 15, id="as known, cut into spans"),
    ],
)
def test_every_value_is_the_judges(spark: SparkSession, lake: Lake, as_known: bool, events_a_task: int) -> None:
    spine = spark.createDataFrame(list(lake.spine), "customer_id STRING, event_timestamp TIMESTAMP")
    frame = training_frame(spine, SERVICE, with_tasks_of(events_a_task, lake.settings), as_known=as_known)
    assert frame.columns == ["customer_id", "event_timestamp", *SERVICE.names]
    rows = frame.collect()
    assert len(rows) == len(lake.spine)
    for row in rows:
        entity = lake.customers.index(row.customer_id) if row.customer_id in lake.customers else -1
        at = _micros(row.event_timestamp.astimezone(UTC))
        for feature in (*PURCHASES.features, *RETURNS.features):
            expected = naive_value(feature, lake.history, entity, at, as_known)
            assert row[feature.name] == (None if expected is None else pytest.approx(expected, rel=1e-9)), feature.name
        bought = row["purchases__count_90d"]
        assert row.return_rate == (pytest.approx(row["returns__count_90d"] / bought) if bought else None)
        assert row.hour == pytest.approx(at / 3_600_000_000 % 24)
    assert any(row["purchases__count_7d"] > 1 for row in rows)


def test_a_snapshot_has_every_customer_seen_before(spark: SparkSession, lake: Lake) -> None:
    at = datetime(2024, 4, 1, 12, 30, tzinfo=UTC)
    rows = snapshot(spark, lake.settings, SERVICE, at).collect()
    seen = {event.entity for event in lake.history if event.time < _micros(at)}
    assert sorted(row.customer_id for row in rows) == sorted(lake.customers[number] for number in seen)
    feature = PURCHASES["count_90d"]
    for row in rows:
        entity = lake.customers.index(row.customer_id)
        assert row[feature.name] == naive_value(feature, lake.history, entity, _micros(at))


LATE = datetime(2024, 7, 20, 12, 30, 0, 1, tzinfo=UTC)
OF_90_DAYS = FeatureService("shop", (*RETURNS.features, Derived("hour", HOUR_OF_DAY + 0)))


@pytest.mark.parametrize(
    ("service", "at", "as_known"),
    [
        pytest.param(SERVICE, LATE, False, id="of all time"),
        pytest.param(OF_90_DAYS, LATE, True, id="of 90 days"),
        pytest.param(OF_90_DAYS, LATE + timedelta(days=365), False, id="of 90 days without events"),
    ],
)
def test_a_snapshot_is_the_training_frame_of_everybody_at_that_time(
    spark: SparkSession, lake: Lake, service: FeatureService, at: datetime, as_known: bool
) -> None:
    seen = {event.entity for event in lake.history if event.time < _micros(at)}
    spine = spark.createDataFrame(
        [(lake.customers[entity], at) for entity in seen], "customer_id STRING, event_timestamp TIMESTAMP"
    )
    expected = training_frame(spine, service, lake.settings, as_known=as_known).orderBy("customer_id").collect()
    found = snapshot(spark, lake.settings, service, at, as_known=as_known).orderBy("customer_id").collect()
    assert (found, len(found)) == (expected, len(lake.customers))


def test_a_snapshot_is_of_one_entity_and_without_what_a_request_brings(spark: SparkSession, lake: Lake) -> None:
    at = datetime(2024, 4, 1, tzinfo=UTC)
    product = replace(RETURNS, name="of_product", entity=Entity("product", "product_id"))
    with pytest.raises(SpineError, match="a snapshot is of one entity, not of customer_id, product_id"):
        snapshot(spark, lake.settings, FeatureService("two", (*RETURNS.features, *product.features)), at)
    asked = Derived("dear", RETURNS["count_90d"] * Input("amount"))
    with pytest.raises(SpineError, match="a snapshot has no amount, which a request brings"):
        snapshot(spark, lake.settings, FeatureService("brought", (asked,)), at)


def test_a_spine_that_cannot_be_joined_is_refused_with_the_column(spark: SparkSession, lake: Lake) -> None:
    with pytest.raises(SpineError, match="no column customer_id"):
        training_frame(spark.sql("SELECT now() AS event_timestamp"), SERVICE, lake.settings)
    taken = spark.sql("SELECT 'a' AS customer_id, now() AS event_timestamp, 1 AS return_rate")
    with pytest.raises(SpineError, match="has a column return_rate already"):
        training_frame(taken, SERVICE, lake.settings)


@pytest.mark.parametrize(
    ("column", "message"),
    [
        (
            "CAST(17850 AS DOUBLE) AS customer_id",
            "column customer_id is double, and should be a text or a whole number",
        ),
        ("DATE'2024-01-01' AS event_timestamp", "column event_timestamp is date, and should be a timestamp"),
        ("'12' AS amount", "column amount is string, and should be a number"),
        ("1 AS own, 2 AS Own", "columns own, Own have one name to Spark"),
        ("1 AS __tidemill_time", "column __tidemill_time begins with __tidemill_"),
        ("1 AS RICHER", "has a column richer already"),
    ],
)
def test_a_spine_of_wrong_types_and_names_is_refused(
    spark: SparkSession, lake: Lake, column: str, message: str
) -> None:
    richer = Derived("richer", Input("amount") / PURCHASES["count_90d"])
    service = FeatureService("inputs", (*RETURNS.features, richer))
    valid = {"customer_id": "'c1'", "event_timestamp": "now()", "amount": "1.5"}
    others = ", ".join(f"{value} AS {name}" for name, value in valid.items() if f"AS {name}" not in column)
    with pytest.raises(SpineError, match=message):
        training_frame(spark.sql(f"SELECT {others}, {column}"), service, lake.settings)


def test_a_spine_keeps_its_own_columns_whatever_they_are_called(spark: SparkSession, lake: Lake) -> None:
    at = datetime(2024, 6, 1, tzinfo=UTC)
    richer = Derived("richer", Input("amount") / RETURNS["count_90d"])
    service = FeatureService("inputs", (*PURCHASES.features, *RETURNS.features, richer))
    own = [("c1", at, Decimal("1.5"), 1, 2, 3, 4), ("c2", at, None, 5, 6, 7, 8)]
    names = "Customer_ID STRING, EVENT_TIMESTAMP TIMESTAMP, Amount DECIMAL(9,2)"
    columns = f"{names}, _time INT, _known_until INT, _entity INT, `own.column` INT"
    frame = training_frame(spark.createDataFrame(own, columns), service, lake.settings, as_known=True)
    plain = spark.createDataFrame([row[:3] for row in own], names.lower())
    expected = training_frame(plain, service, lake.settings, as_known=True).orderBy("customer_id").collect()

    rows = frame.orderBy("Customer_ID").collect()

    assert frame.columns[:7] == [
        "Customer_ID",
        "EVENT_TIMESTAMP",
        "Amount",
        "_time",
        "_known_until",
        "_entity",
        "own.column",
    ]
    assert [tuple(row)[3:7] for row in rows] == [row[3:] for row in own]
    assert [tuple(row)[7:] for row in rows] == [tuple(row)[3:] for row in expected]
    assert rows[0]["richer"] == 1.5 / rows[0]["returns__count_90d"]


@pytest.mark.matrix
def test_whole_numbers_are_keys_by_their_text(
    spark: SparkSession, settings: Settings, tmp_path_factory: pytest.TempPathFactory
) -> None:
    own = settings.model_copy(update={"home": tmp_path_factory.mktemp("numbers")})
    _silver(spark, own)
    lines = [replace(line, customer_id="17850") for line in random_lines(Random(5), 20, FIRST, 3)]
    append_rows(own, silver("shop.transaction.v1"), [silver_row(line) for line in lines])
    at = datetime(2024, 2, 1, tzinfo=UTC)
    asked = spark.createDataFrame([(17850, at), (7, at)], "customer_id INT, event_timestamp TIMESTAMP")
    bought = len([line for line in lines if line.kind == "purchase"])
    for kind in ("int", "bigint", "decimal(20,0)", "string"):
        spine = asked.withColumn("customer_id", asked["customer_id"].cast(kind))
        frame = training_frame(spine, FeatureService("s", PURCHASES.features), own)
        assert frame.schema["customer_id"].dataType.simpleString() == kind
        counts = {int(row.customer_id): row["purchases__count_all"] for row in frame.collect()}
        assert counts == {17850: bought, 7: 0}


@pytest.mark.parametrize(
    "identity",
    [("urn:shop:1", "1001"), ("urn:shop:2", "1001"), (None, "é" * 40), ("", None), ("a" * 31, "b" * 33), ("", "")],
    ids=repr,
)
def test_the_judge_orders_equal_times_as_spark_does(spark: SparkSession, identity: tuple[str | None, ...]) -> None:
    (row,) = spark.createDataFrame([identity], "source STRING, event_id STRING").select(F.xxhash64("*")).collect()
    assert identity_hash(identity) == row[0] % (1 << 64)


SECOND = 1_000_000
WHALE_EVENTS = 1_000_000


@pytest.fixture(scope="module")
def ocean(spark: SparkSession, settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A whale with an event every second, and a thousand customers with one event each."""
    own = settings.model_copy(update={"home": tmp_path_factory.mktemp("ocean")})
    path = _silver(spark, own)
    numbers = spark.range(WHALE_EVENTS + 1000)
    schema = spark.read.format("delta").load(path).schema
    one = silver_row(random_lines(Random(1), 1, FIRST, 1)[0])
    constant = [F.lit(one[name]).cast(schema[name].dataType).alias(name) for name in schema.names]
    whale = F.col("id") < WHALE_EVENTS
    events = numbers.select("id", *constant).withColumns(
        {
            "event_time": F.timestamp_micros(F.when(whale, F.col("id")).otherwise(0) * SECOND),
            "customer_id": F.when(whale, "whale").otherwise(F.concat(F.lit("c"), "id")),
            "event_id": F.col("id").cast("string"),
            "kind": F.lit("purchase"),
            "quantity": F.lit(1),
        }
    )
    typed = [F.col(field.name).cast(field.dataType) for field in schema]
    events.select(*typed).write.format("delta").mode("append").save(path)
    return own


@pytest.mark.matrix
def test_no_task_holds_a_whale(spark: SparkSession, ocean: Settings) -> None:
    bounded = FeatureGroup("bounded", CUSTOMER, TRANSACTIONS, (count(), quantity.sum()), (hours(1), days(1)))
    limit = WHALE_EVENTS // 10
    at = [datetime.fromtimestamp(second, UTC) for second in (0, 1, 100_000, 500_000, 777_777, 999_999, 2_000_000)]
    spine = spark.createDataFrame([("whale", moment) for moment in at], "customer_id STRING, event_timestamp TIMESTAMP")
    frame = training_frame(spine, FeatureService("w", bounded.features), with_tasks_of(limit, ocean))
    for row in frame.collect():
        second = int(row.event_timestamp.timestamp())
        for window, hop, name in ((3600, 300, "1h"), (86_400, 3600, "1d")):
            start = max(0, math.floor((second - window) / hop) * hop)
            assert row[f"bounded__count_{name}"] == max(0, min(second, WHALE_EVENTS) - start), (second, name)

    assert _largest_task(spark, ocean, bounded, limit) <= limit + 86_400 + 3_600 + limit // 10


def _largest_task(spark: SparkSession, settings: Settings, group: FeatureGroup, limit: int) -> int:
    from feature_store.lake.silver import silver_events

    queries = spark.createDataFrame([("whale", 0)], f"{ENTITY} STRING, {TIME} BIGINT")
    _, events, _ = with_spans(queries, silver_events(spark, settings, group), group, limit)
    return max(row["count"] for row in events.groupBy(ENTITY, SPAN).count().collect() if row[ENTITY] == "whale")
