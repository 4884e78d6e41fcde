"""Writing a bucket of feature rows to the online store, on Spark's executors."""

from collections.abc import Callable, Iterator
from datetime import datetime
from functools import cache

import pyarrow as pa
from feast.infra.online_stores.redis import RedisOnlineStore
from feast.protos.feast.types.EntityKey_pb2 import EntityKey
from feast.protos.feast.types.Value_pb2 import Value
from redis import Redis

from config.settings import Settings
from feature_store import repository
from feature_store.online_store import connect, connection_string
from feature_store.views import View

BUCKET = "bucket"
COUNTS = ("written", "newer", "resumed")
COUNTS_DDL = ", ".join(f"{name} BIGINT" for name in COUNTS)
PROGRESS_EXPIRES_S = 86_400
TIMEOUT_S = 10.0
TRIES = 5

EntityRow = tuple[EntityKey, dict[str, Value], datetime, None]


def bucket_writer(settings: Settings, view: View, progress: str) -> Callable[[pa.Table], pa.Table]:
    """A function that writes the rows of one bucket and counts them, for ``applyInArrow``.

    A bucket that the Redis set ``progress`` has is not written again. A row older than the stored one is left out.
    """

    def write(bucket: pa.Table) -> pa.Table:
        number = bucket.column(BUCKET)[0].as_py()
        store, redis = _connection(connection_string(settings, TIMEOUT_S))
        if redis.sismember(progress, number):
            return _counted(resumed=bucket.num_rows)
        written = write_rows(store, settings, view, list(entity_rows(bucket, view)))
        redis.sadd(progress, number)
        redis.expire(progress, PROGRESS_EXPIRES_S)
        return _counted(written=written, newer=bucket.num_rows - written)

    return write


def write_rows(store: RedisOnlineStore, settings: Settings, view: View, rows: list[EntityRow]) -> int:
    """Write the rows the store has no newer ones of; returns how many.

    A row of the same time is written: it may have been recomputed. Feast's own comparison would skip it.
    """
    config = repository.repo_config(settings, skip_dedup=True)
    feast_view = repository.feature_view(view, settings)
    stored = store.online_read(config, feast_view, [row[0] for row in rows], [view.features[0]])
    current = [row for row, (as_of, _) in zip(rows, stored, strict=True) if as_of is None or as_of <= row[2]]
    if current:
        store.online_write_batch(config, feast_view, current, progress=None)
    return len(current)


def entity_rows(table: pa.Table, view: View) -> Iterator[EntityRow]:
    """Rows in Feast's form; a null feature is an empty value."""
    ids = table.column(view.join_key).to_pylist()
    times = table.column(view.timestamp).to_pylist()
    columns = [table.column(name).to_pylist() for name in view.features]
    for entity_id, time, *numbers in zip(ids, times, *columns, strict=True):
        key = EntityKey(join_keys=[view.join_key], entity_values=[Value(string_val=entity_id)])
        values = {
            name: Value() if number is None else Value(double_val=number)
            for name, number in zip(view.features, numbers, strict=True)
        }
        yield key, values, time, None


@cache
def _connection(address: str) -> tuple[RedisOnlineStore, Redis]:
    """One connection a Python worker, kept while it lives."""
    return connect(address, TRIES)


def _counted(**counts: int) -> pa.Table:
    return pa.table({name: pa.array([counts.get(name, 0)], pa.int64()) for name in COUNTS})
