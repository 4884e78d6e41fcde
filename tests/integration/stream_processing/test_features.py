"""The states that the stream keeps: each event once, equal to the judge, and to what Feast's own client answers."""

from datetime import UTC, datetime, timedelta

import feast
import pandas as pd
import pytest
from pyspark.sql import functions as F  # noqa: N812

from data_lake import tables
from feature_store.catalog import REQUEST_TIME, state_feature_name, state_view_name
from feature_store.feast import repository
from feature_store.lake.silver import event_columns
from feature_store.offline.training import SpineError, training_frame
from feature_store.states import StateStore
from feature_store.stream.bootstrap import bootstrap
from feature_store.stream.keeping import BootstrapRunningError
from feature_store.tiles import Status
from tests.cases.states import replace_state
from tests.integration.stream_processing.shop import TOPIC, Shop, forget_all, micros, recent_lines
from use_cases.churn.features import PURCHASES, SERVICE


def assert_as_judged(shop: Shop) -> None:
    rows = shop.read(shop.customers)
    for customer, row in zip(shop.customers, rows, strict=True):
        found = dict(zip(SERVICE.names, row.values, strict=True))
        for group in SERVICE.groups:
            expected = dict(
                zip((one.name for one in group.features), shop.judged(group, customer, row.time), strict=True)
            )
            assert {name: found[name] for name in expected} == pytest.approx(expected, rel=1e-9), customer
    assert {row.status["purchases"] for row in rows} == {Status.OK}


def test_events_before_and_after_the_bootstrap_are_in_the_states_once(shop: Shop) -> None:
    lines = recent_lines(1, 300)
    shop.arrive(lines[:150])
    shop.run_stream()
    assert_as_judged(shop)
    for first in range(150, 300, 50):
        shop.arrive(lines[first : first + 50])
    shop.run_stream()
    assert_as_judged(shop)


def test_feasts_own_client_answers_the_same(shop: Shop) -> None:
    shop.arrive(recent_lines(2, 120))
    shop.run_stream()
    repository.apply(shop.settings)
    customers = [*shop.customers, "nobody"]
    rows = shop.read(customers)
    store = feast.FeatureStore(config=repository.repo_config(shop.settings))
    asked = [{"customer_id": one, REQUEST_TIME: rows[0].time} for one in customers]
    answer = store.get_online_features(features=store.get_feature_service("churn"), entity_rows=asked).to_dict()
    found = [tuple(answer[name][number] for name in SERVICE.names) for number in range(len(customers))]
    assert found == [row.values for row in rows]
    assert rows[-1].is_unknown
    assert not rows[0].is_unknown


def test_feasts_own_client_makes_the_training_rows(shop: Shop) -> None:
    shop.arrive(recent_lines(2, 120))
    repository.apply(shop.settings)
    at = datetime.now(UTC) - timedelta(days=3)
    asked = pd.DataFrame({"customer_id": [*shop.customers, "nobody"], "event_timestamp": at, "own": 7})
    asked[REQUEST_TIME] = asked["event_timestamp"].astype("datetime64[us, UTC]").astype("int64")
    store = repository.store(shop.settings)
    job = store.get_historical_features(entity_df=asked, features=store.get_feature_service("churn"))
    found = job.to_df().set_index("customer_id")

    spine = shop.spark.createDataFrame(asked.drop(columns=REQUEST_TIME))
    expected = training_frame(spine, SERVICE, shop.settings).toPandas().set_index("customer_id")
    pd.testing.assert_frame_equal(found.loc[expected.index, [*expected.columns]], expected)
    judged = shop.judged(PURCHASES, "c1", micros(at))
    assert found.loc["c1", [one.name for one in PURCHASES.features]].tolist() == pytest.approx(judged, rel=1e-9)

    asked[REQUEST_TIME] -= 1
    with pytest.raises(Exception, match="is not its event_timestamp"):
        store.get_historical_features(entity_df=asked, features=store.get_feature_service("churn")).to_df()
    state = f"{state_view_name(PURCHASES)}:{state_feature_name(PURCHASES)}"
    with pytest.raises(SpineError, match="a packed state has no history; ask for a feature service"):
        store.get_historical_features(entity_df=asked, features=[state])


def test_a_batch_that_is_tried_again_applies_nothing_twice(shop: Shop) -> None:
    shop.arrive(recent_lines(3, 60))
    shop.run_stream()
    shop.arrive(recent_lines(4, 60))
    feed = shop.spark.read.format("delta").options(readChangeFeed="true", startingVersion="1")
    changes = feed.load(tables.silver(TOPIC).path(shop.settings))
    for group in SERVICE.groups:
        for attempt in range(3):
            shop.applier(group)(changes, attempt)
    assert_as_judged(shop)


def test_states_that_are_gone_are_made_anew(shop: Shop) -> None:
    shop.arrive(recent_lines(5, 60))
    queries = shop.stream()
    forget_all(shop.settings)
    assert {row.status["purchases"] for row in shop.read(["c1", "nobody"])} == {Status.LOST}
    shop.arrive(recent_lines(6, 60))
    for query in queries:
        query.processAllAvailable()
        query.stop()
    assert_as_judged(shop)


def test_a_state_that_cannot_be_read_is_told_and_replaced_with_the_next_event(shop: Shop) -> None:
    shop.arrive(recent_lines(7, 80))
    shop.run_stream()
    (state,) = StateStore(shop.settings, PURCHASES).read(["c1"])
    assert state is not None
    replace_state(shop.settings, PURCHASES, "c1", state[:-1] + bytes([state[-1] ^ 1]))
    assert [row.status["purchases"] for row in shop.read(["c1", "c2"])] == [Status.UNREADABLE, Status.OK]

    shop.arrive(recent_lines(8, 80))
    shop.run_stream()
    assert_as_judged(shop)


def test_a_bootstrap_beside_another_is_refused_and_a_second_one_does_nothing(shop: Shop) -> None:
    shop.arrive(recent_lines(9, 40))
    lock = StateStore(shop.settings, PURCHASES).lock(60)
    assert lock.acquire()
    with pytest.raises(BootstrapRunningError, match="another process makes the states of purchases"):
        bootstrap(shop.spark, shop.settings, PURCHASES)
    lock.release()
    first = bootstrap(shop.spark, shop.settings, PURCHASES)
    assert (first.events, first.removed) == (len([line for line in shop.arrived if line.customer_id]), 0)
    assert 0 < first.mean_bytes <= first.largest_bytes
    again = bootstrap(shop.spark, shop.settings, PURCHASES)
    assert (again.entities, again.version) == (0, first.version)
    assert "its states are there" in again.reason


def test_guests_have_no_state(shop: Shop) -> None:
    shop.arrive(recent_lines(10, 60))
    rows = shop.spark.read.format("delta").load(tables.silver(TOPIC).path(shop.settings))
    guests = rows.where(F.col("customer_id").isNull()).count()
    assert guests > 0
    assert event_columns(rows, PURCHASES).count() == rows.count() - guests
