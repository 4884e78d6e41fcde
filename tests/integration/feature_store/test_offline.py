"""Point-in-time retrieval against a join that looks at every row."""

import os
import random
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

import pytest
from pyspark.sql import SparkSession

from config import Settings
from feature_store.offline import REGEX_NAMES, SpineError, training_frame
from feature_store.views import CUSTOMER_SNAPSHOT
from tests.cases.snapshots import COLUMNS, Snapshot, random_snapshot
from tests.integration.feature_store.conftest import WriteSnapshots
from use_cases.churn.features import FEATURES

START = datetime(2011, 1, 1, tzinfo=UTC)
TICK = timedelta(microseconds=1)
TTL = CUSTOMER_SNAPSHOT.ttl
SPINE = "customer_id STRING, event_timestamp TIMESTAMP, number BIGINT"

Question = tuple[str | None, datetime, int]


@pytest.fixture(params=["America/New_York", "Asia/Tokyo"])
def zone(request: pytest.FixtureRequest) -> Iterator[str]:
    """The time zone of this process, which no value may depend on."""
    before = os.environ.get("TZ")
    os.environ["TZ"] = request.param
    time.tzset()
    yield request.param
    if before is None:
        del os.environ["TZ"]
    else:
        os.environ["TZ"] = before
    time.tzset()


def brute_force(snapshots: Sequence[Snapshot], question: Question) -> tuple[float | None, ...]:
    customer, moment, _ = question
    known = [s for s in snapshots if s.customer_id == customer and moment - TTL <= s.time <= moment]
    newest = max(known, key=lambda s: s.time, default=None)
    if newest is None:
        return (None,) * len(FEATURES)
    values = dict(zip(COLUMNS[3:], newest.features, strict=True))
    return tuple(values[name] for name in FEATURES)


def questions(rng: random.Random, snapshots: Sequence[Snapshot]) -> list[Question]:
    moments = [s.time + offset for s in snapshots for offset in (-TICK, 0 * TICK, TICK, TTL - TICK, TTL, TTL + TICK)]
    customers = [*sorted({s.customer_id for s in snapshots}), "stranger", None]
    asked = [(rng.choice(customers), moment) for moment in rng.sample(moments, 80)]
    asked += [(s.customer_id, s.time + TTL) for s in snapshots]
    asked += asked[:5]
    return [(customer, moment, number) for number, (customer, moment) in enumerate(asked)]


def test_training_frame_equals_a_brute_force_join(spark: SparkSession, home: Settings, write: WriteSnapshots) -> None:
    rng = random.Random(7)
    times = [
        START + timedelta(days=rng.randrange(60), seconds=rng.choice([0, 0, rng.randrange(86_400)])) for _ in "x" * 12
    ]
    keys = sorted({(f"c{rng.randrange(5)}", rng.choice(times)) for _ in range(40)})
    snapshots = [random_snapshot(rng, customer, moment) for customer, moment in keys]
    write(snapshots)
    asked = questions(rng, snapshots)
    frame = training_frame(spark, home, spark.createDataFrame(asked, SPINE))
    assert frame.columns == ["customer_id", "event_timestamp", "number", *FEATURES]
    assert spark.conf.get(REGEX_NAMES, "false") == "false"
    rows = frame.selectExpr("*", "unix_micros(event_timestamp) AS us").collect()
    assert len(rows) == len(asked)
    found = {row["number"]: (row["customer_id"], row["us"], *(row[name] for name in FEATURES)) for row in rows}
    expected = {
        q[2]: (q[0], round((q[1] - datetime.fromtimestamp(0, UTC)) / TICK), *brute_force(snapshots, q)) for q in asked
    }
    assert found == expected
    with_features = [values for values in expected.values() if any(v is not None for v in values[2:])]
    assert 20 < len(with_features) < len(asked)


def test_the_time_zone_of_the_process_loses_no_row(
    spark: SparkSession, home: Settings, write: WriteSnapshots, zone: str
) -> None:
    rng = random.Random(8)
    youngest, oldest = random_snapshot(rng, "young", START + TTL), random_snapshot(rng, "old", START)
    write([youngest, oldest])
    asked: list[Question] = [("young", START + TTL, 0), ("old", START + TTL, 1)]
    rows = (
        training_frame(spark, home, spark.createDataFrame(asked, SPINE)).orderBy("number").select(*FEATURES).collect()
    )
    assert [tuple(row) for row in rows] == [brute_force([youngest, oldest], question) for question in asked]
    assert None not in [row["recency_days"] for row in rows]


def microseconds(moment: datetime) -> int:
    return (moment - datetime.fromtimestamp(0, UTC)) // TICK


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ("'c' AS customer_id", "lacks event_timestamp"),
        ("current_timestamp() AS event_timestamp", "lacks customer_id"),
        ("'c' AS customer_id, now() AS event_timestamp, 1 AS recency_days", "already has recency_days"),
        ("'c' AS customer_id, now() AS event_timestamp WHERE false", "has no row"),
    ],
    ids=["no time", "no customer", "a feature's name", "no row"],
)
def test_a_spine_that_cannot_be_joined_is_refused(
    spark: SparkSession, home: Settings, columns: str, message: str
) -> None:
    with pytest.raises(SpineError, match=message):
        training_frame(spark, home, spark.sql(f"SELECT {columns}"))
