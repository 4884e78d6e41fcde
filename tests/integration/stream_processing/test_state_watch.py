"""What happens to states while no event comes."""

import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from data_lake.delta_tables import ensure_table
from data_lake.tables import silver
from feature_store.online.reader import FeatureRow
from feature_store.tiles import Status
from stream_processing.spark_streaming import state_watch
from stream_processing.spark_streaming.features import FeatureQuery
from stream_processing.spark_streaming.state_watch import StateWatch
from tests.integration.stream_processing.shop import TOPIC, Shop, forget_all, recent_lines
from tests.integration.stream_processing.test_corrections import assert_as_silver_is
from use_cases.churn.features import SERVICE


@contextmanager
def watched(shop: Shop) -> Iterator[list[FeatureQuery]]:
    """The running queries, looked after."""
    queries, stop = [FeatureQuery(shop.spark, shop.settings, group) for group in SERVICE.groups], threading.Event()
    for query in queries:
        query().processAllAvailable()
    thread = threading.Thread(target=StateWatch(shop.settings, queries).run, args=(stop,))
    thread.start()
    try:
        yield queries
    finally:
        stop.set()
        thread.join()
        for query in queries:
            assert query.last is not None
            query.last.stop()


def eventually(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.2)


def is_right(row: FeatureRow) -> bool:
    return row.status["purchases"] is Status.OK and row.status["returns"] in (Status.OK, Status.NO_STATE)


def test_a_store_that_lost_all_and_a_table_that_was_made_again_are_noticed(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(state_watch, "LOOK_S", 0.2)
    for seed in (51, 52, 53):
        shop.arrive(recent_lines(seed, 30))
    with watched(shop) as queries:
        forget_all(shop.settings)
        eventually(lambda: all(map(is_right, shop.read(["c1", "c2"]))))
        assert_as_silver_is(shop)

        shutil.rmtree(silver(TOPIC).path(shop.settings))
        ensure_table(shop.spark, silver(TOPIC), shop.settings)
        shop.arrived = []
        eventually(lambda: not any(query.last is not None and query.last.isActive for query in queries))
        shop.arrive(recent_lines(54, 30))
        for query in queries:  # as who keeps them running does
            query().processAllAvailable()
        assert_as_silver_is(shop)
        shop.arrive(recent_lines(55, 30))
        for query in queries:
            assert query.last is not None
            query.last.processAllAvailable()
        assert_as_silver_is(shop)
