"""States made anew: all of them, whatever is noted, and by the stream itself where silver's history is gone."""

import shutil
from pathlib import Path

import pytest
from pyspark.sql.streaming.query import StreamingQuery

from data_lake import commits
from data_lake.delta_rs import open_table
from data_lake.delta_tables import ensure_table
from data_lake.tables import silver
from feature_store.states import StateStore
from feature_store.stream import bootstrap as bootstrapping
from feature_store.stream.bootstrap import bootstrap
from feature_store.tiles import Status
from stream_processing.spark_streaming.features import FeatureQuery
from tests.cases.lake import forget_commits
from tests.cases.states import replace_state
from tests.integration.stream_processing.shop import TOPIC, Shop, recent_lines
from tests.integration.stream_processing.test_corrections import assert_as_silver_is, stores
from use_cases.churn.features import PURCHASES, SERVICE


def test_anew_replaces_what_is_noted_as_right_and_removes_what_has_left(shop: Shop) -> None:
    shop.arrive(recent_lines(31, 120))
    shop.run_stream()
    for group in SERVICE.groups:
        store = StateStore(shop.settings, group)
        (state,) = store.read(["c1"])
        assert state is not None
        for entity in ("c2", "c3", "left"):
            replace_state(shop.settings, group, entity, state)  # another's, as at the same version

    made = [bootstrap(shop.spark, shop.settings, group, anew=True) for group in SERVICE.groups]

    assert [one.removed for one in made] == [1, 1]
    assert [store.read(["left"]) for store in stores(shop)] == [[None]] * 2
    assert_as_silver_is(shop)
    shop.arrive(recent_lines(32, 40))
    shop.run_stream()
    assert_as_silver_is(shop)


def test_until_they_are_made_only_new_states_are_believed(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.arrive(recent_lines(33, 60))
    shop.run_stream()
    seen: list[tuple[set[Status], bool]] = []

    def looked_at(*arguments: object, **options: object) -> object:
        rows = shop.read(["c1", "nobody"])
        seen.append(({row.status["purchases"] for row in rows}, any(any(row.values[:5]) for row in rows)))
        return made_anew(*arguments, **options)  # type: ignore[arg-type]

    made_anew = bootstrapping.make_anew
    monkeypatch.setattr(bootstrapping, "make_anew", looked_at)
    bootstrap(shop.spark, shop.settings, PURCHASES, anew=True)
    assert seen == [({Status.REBUILDING}, False)]
    assert [row.status["purchases"] for row in shop.read(["c1", "nobody"])] == [Status.OK, Status.NO_STATE]


@pytest.mark.matrix
def test_a_bootstrap_that_was_interrupted_is_done_again(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.arrive(recent_lines(34, 60))
    shop.run_stream()
    with monkeypatch.context() as patched, pytest.raises(RuntimeError, match="killed"):
        patched.setattr(bootstrapping, "make_anew", lambda *_: (_ for _ in ()).throw(RuntimeError("killed")))
        bootstrap(shop.spark, shop.settings, PURCHASES, anew=True)
    assert shop.read(["c1"])[0].status["purchases"] is Status.REBUILDING
    assert not bootstrap(shop.spark, shop.settings, PURCHASES).reason
    assert_as_silver_is(shop)


@pytest.mark.parametrize("lost", ["files", "log"])
def test_a_query_whose_next_version_is_gone_makes_its_states_anew(shop: Shop, lost: str) -> None:
    shop.arrive(recent_lines(35, 80))
    queries = [FeatureQuery(shop.spark, shop.settings, group) for group in SERVICE.groups]
    stop([query() for query in queries])
    for seed in range(36, 42):
        shop.arrive(recent_lines(seed, 10))
    if lost == "files":
        open_table(silver(TOPIC), shop.settings).optimize.compact()
        open_table(silver(TOPIC), shop.settings).vacuum(0, dry_run=False, enforce_retention_duration=False)
    else:
        forget_commits(shop.settings, silver(TOPIC), 5)
        shop.spark._jvm.org.apache.spark.sql.delta.DeltaLog.clearCache()  # type: ignore[union-attr]

    for query in queries:
        with pytest.raises(Exception) as failed:
            query().processAllAvailable()
        assert commits.gone(failed.value), failed.value

    stop([query() for query in queries])
    assert_as_silver_is(shop)
    shop.arrive(recent_lines(43, 20))
    stop([query() for query in queries])
    assert_as_silver_is(shop)


def stop(queries: list[StreamingQuery]) -> None:
    for query in queries:
        query.processAllAvailable()
        query.stop()


def test_a_table_that_was_made_again_has_states_of_its_own(shop: Shop) -> None:
    shop.arrive(recent_lines(44, 60))
    shop.run_stream()
    shutil.rmtree(silver(TOPIC).path(shop.settings))
    ensure_table(shop.spark, silver(TOPIC), shop.settings)
    shop.arrived = []
    for seed in range(45, 49):
        shop.arrive(line for line in recent_lines(seed, 20) if line.customer_id != "c1")
    shop.run_stream()
    assert_as_silver_is(shop)


@pytest.mark.matrix
def test_a_table_that_went_back_takes_its_states_along(shop: Shop, tmp_path: Path) -> None:
    lake = Path(silver(TOPIC).path(shop.settings))
    shop.arrive(recent_lines(49, 60))
    shop.run_stream()
    shutil.copytree(lake, tmp_path / "backup")
    before = list(shop.arrived)
    shop.arrive(recent_lines(50, 60))
    shop.run_stream()
    shutil.rmtree(lake)
    shutil.copytree(tmp_path / "backup", lake)
    shop.spark._jvm.org.apache.spark.sql.delta.DeltaLog.clearCache()  # type: ignore[union-attr]
    shop.arrived = before
    shop.run_stream()
    assert_as_silver_is(shop)
