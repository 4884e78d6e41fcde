"""Materialisation and the online reader against a real Redis."""

import json
import random
import threading
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest
from pyspark.sql import SparkSession
from redis import Redis

from config import Settings
from data_lake.tables import table
from feature_store import repository
from feature_store.materialization import FeatureTableMissingError, Materialization, materialize
from feature_store.online import FeatureRow, OnlineReader, OnlineStoreUnavailableError
from feature_store.views import CUSTOMER_SNAPSHOT
from tests.cases.snapshots import COLUMNS, Snapshot, random_snapshot
from tests.integration.feature_store.conftest import WriteSnapshots
from tidemill.stack.running import running
from tidemill.stack.services import redis as redis_service
from use_cases.churn.features import FEATURES

OLD = datetime(2011, 11, 7, tzinfo=UTC)
NEW = datetime(2011, 11, 14, tzinfo=UTC)
CUSTOMERS = [f"c{n}" for n in range(25)]


def snapshots(seed: int, time: datetime, customers: Sequence[str] = CUSTOMERS) -> list[Snapshot]:
    rng = random.Random(seed)
    return [random_snapshot(rng, customer, time) for customer in customers]


def expected(given: Sequence[Snapshot]) -> list[FeatureRow | None]:
    named = [dict(zip(COLUMNS[3:], snapshot.features, strict=True)) for snapshot in given]
    times = [snapshot.time for snapshot in given]
    return [FeatureRow(tuple(row[n] for n in FEATURES), at) for row, at in zip(named, times, strict=True)]


def run(spark: SparkSession, home: Settings) -> Materialization:
    return materialize(spark, home, CUSTOMER_SNAPSHOT)


def client(home: Settings) -> "Redis[bytes]":
    return Redis(host=home.redis.host, port=home.redis.port)


def test_online_values_are_those_of_the_newest_snapshot(
    spark: SparkSession, redis_home: Settings, write: WriteSnapshots
) -> None:
    newest = snapshots(1, NEW)
    write([*snapshots(2, OLD), *newest])
    done = run(spark, redis_home)
    assert (done.rows, done.written, done.newer, done.resumed) == (25, 25, 0, 0)
    assert done.as_of == "2011-11-14T00:00:00+00:00"
    reader = OnlineReader(redis_home, "churn")
    assert reader.names == FEATURES
    assert reader.read([*CUSTOMERS, "stranger", "c0"]) == [*expected(newest), None, expected(newest)[0]]
    assert reader.read([]) == []

    again = run(spark, redis_home)
    assert (again.written, again.reason) == (0, "the online store holds this version already")

    repository.apply(redis_home)
    asked = [*CUSTOMERS, "stranger"]
    by_sdk = repository.store(redis_home).get_online_features(
        features=[f"customer_snapshot:{name}" for name in FEATURES],
        entity_rows=[{"customer_id": customer} for customer in asked],
    )
    columns = by_sdk.to_dict()
    by_reader = [row.values if row else (None,) * len(FEATURES) for row in reader.read(asked)]
    assert by_reader == list(zip(*(columns[name] for name in FEATURES), strict=True))


def test_values_recomputed_for_the_same_time_replace_the_old_ones(
    spark: SparkSession, redis_home: Settings, write: WriteSnapshots
) -> None:
    write(snapshots(1, NEW))
    run(spark, redis_home)
    recomputed = snapshots(3, NEW)
    write(recomputed)
    assert run(spark, redis_home).written == 25
    assert OnlineReader(redis_home, "churn").read(CUSTOMERS) == expected(recomputed)


def test_newer_values_in_the_store_stay(spark: SparkSession, redis_home: Settings, write: WriteSnapshots) -> None:
    write(snapshots(1, NEW, CUSTOMERS[:10]))
    run(spark, redis_home)
    write(snapshots(2, OLD))
    done = run(spark, redis_home)
    assert (done.rows, done.written, done.newer) == (25, 15, 10)
    kept = expected(snapshots(1, NEW, CUSTOMERS[:10])) + expected(snapshots(2, OLD))[10:]
    assert OnlineReader(redis_home, "churn").read(CUSTOMERS) == kept


def test_a_run_that_died_is_taken_up(spark: SparkSession, redis_home: Settings, write: WriteSnapshots) -> None:
    newest = snapshots(1, NEW)
    write(newest)
    redis = client(redis_home)
    run(spark, redis_home)
    key = "tidemill:materialized:customer_snapshot"
    noted = redis.get(key)
    assert noted is not None
    buckets = -(-25 // 4)
    watermark = json.loads(noted)
    progress = f"{key}:{watermark['table_id']}:{watermark['version']}:{buckets}"
    assert not redis.exists(progress)
    redis.delete(key)
    redis.sadd(progress, *range(buckets - 2))
    done = run(spark, redis_home)
    assert done.rows == done.written + done.resumed == 25
    assert 0 < done.written < 25
    assert OnlineReader(redis_home, "churn").read(CUSTOMERS) == expected(newest)


def test_a_redis_that_lost_its_rows_gets_them_again(
    spark: SparkSession, redis_home: Settings, write: WriteSnapshots
) -> None:
    write(snapshots(1, NEW))
    run(spark, redis_home)
    client(redis_home).flushall()
    assert run(spark, redis_home).written == 25


def test_maintenance_of_the_table_writes_nothing(
    spark: SparkSession, redis_home: Settings, write: WriteSnapshots
) -> None:
    write(snapshots(1, NEW))
    run(spark, redis_home)
    path = table("gold/customer_snapshot").path(redis_home)
    spark.sql(f"OPTIMIZE delta.`{path}`")
    spark.sql(f"VACUUM delta.`{path}`")
    assert run(spark, redis_home).written == 0


def test_without_a_table_the_job_says_what_to_run(spark: SparkSession, redis_home: Settings) -> None:
    with pytest.raises(FeatureTableMissingError, match=r"gold/customer_snapshot at \S+ has no rows yet: run its job"):
        run(spark, redis_home)


def test_without_redis_materialisation_says_where_it_asked(
    spark: SparkSession, home: Settings, write: WriteSnapshots
) -> None:
    write(snapshots(1, NEW))
    with pytest.raises(OnlineStoreUnavailableError, match=f"Redis at 127.0.0.1:{home.redis.port} did not answer"):
        run(spark, home)


def test_a_redis_that_stops_is_an_error_and_one_that_returns_is_read_again(home: Settings) -> None:
    reader = OnlineReader(home, "churn")
    with running(redis_service.services(home)[0], home):
        assert reader.read(["c0"]) == [None]
    with pytest.raises(OnlineStoreUnavailableError, match=f"Redis at 127.0.0.1:{home.redis.port} did not answer"):
        reader.read(["c0"])
    with running(redis_service.services(home)[0], home):
        assert reader.read(["c0"]) == [None]


def test_a_redis_that_hangs_is_an_error(redis_home: Settings) -> None:
    impatient = redis_home.serving.model_copy(update={"feature_timeout_s": 0.5})
    reader = OnlineReader(redis_home.model_copy(update={"serving": impatient}), "churn")
    with client(redis_home) as redis:
        redis.execute_command("CLIENT", "PAUSE", 5_000)
        with pytest.raises(OnlineStoreUnavailableError, match="did not answer: Timeout"):
            reader.read(["c0"])


def test_one_reader_serves_many_threads(spark: SparkSession, redis_home: Settings, write: WriteSnapshots) -> None:
    newest = snapshots(1, NEW)
    write(newest)
    run(spark, redis_home)
    reader = OnlineReader(redis_home, "churn")
    wanted = dict(zip(CUSTOMERS, expected(newest), strict=True))
    wrong: list[str] = []

    def read_many(seed: int) -> None:
        rng = random.Random(seed)
        for _ in range(50):
            ids = rng.sample(CUSTOMERS, 5)
            if reader.read(ids) != [wanted[customer] for customer in ids]:
                wrong.extend(ids)

    threads = [threading.Thread(target=read_many, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
