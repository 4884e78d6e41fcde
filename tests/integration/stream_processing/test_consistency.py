"""Answers logged while events keep arriving are those of the lake, and one that is not is found."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import orjson
import pytest

from data_lake.delta_rs import open_table
from data_lake.delta_tables import ensure_table
from data_lake.tables import silver, table
from feature_store.consistency.check import CommitsGoneError, Consistency, measure
from feature_store.online.reader import FeatureRow
from feature_store.states import StateStore
from feature_store.states.applied import ALL_BUCKETS
from model_serving.prediction_events import prediction_events
from model_serving.schemas import Arm, DegradedReason
from model_serving.scoring import Answer, By, Scored
from tests.cases.lake import forget_commits
from tests.integration.stream_processing.shop import TOPIC, Shop, recent_lines
from tests.unit.model_serving.answers import ASKED, champion, served_model
from tidemill.contracts import contract
from use_cases.churn.features import SERVICE

PREDICTIONS = "serving.prediction.v1"


def log(
    shop: Shop,
    customers: list[str],
    rows: Iterable[FeatureRow],
    features: tuple[str, ...] = SERVICE.names,
    reasons: tuple[DegradedReason, ...] = (),
) -> None:
    """What the model server logs, as the stream puts it in silver."""
    model = served_model()
    model = replace(
        model,
        spec=model.spec.model_copy(update={"features": features, "feature_fingerprint": SERVICE.fingerprint}),
    )
    kept = (replace(row, values=row.values[: len(features)]) for row in rows)
    fields = {"score": 0.5, "decision": "stays"}
    scored = tuple(Scored({"customer_id": one}, fields, row, reasons) for one, row in zip(customers, kept, strict=True))
    now = datetime.now(UTC)
    by = (By(Arm.CHAMPION, champion(None, model), 1.0),) * len(scored)
    events = list(prediction_events(Answer(f"r-{now.timestamp()}", ASKED, now, None, scored, by)))
    target = silver(PREDICTIONS)
    ensure_table(shop.spark, target, shop.settings)
    path = target.path(shop.settings)
    schema = shop.spark.read.format("delta").load(path).schema
    lines = shop.spark.createDataFrame(
        [(orjson.dumps(_silver_row(event)).decode(),) for event in events], "value STRING"
    )
    parsed = lines.selectExpr(f"inline(array(from_json(value, '{schema.simpleString()}')))")
    parsed.coalesce(1).write.format("delta").mode("append").save(path)


def _silver_row(event: dict[str, object]) -> dict[str, object]:
    data = event["data"]
    assert isinstance(data, dict)
    time = str(event["time"])
    lineage = {"_generation": 1, "_digest": 0, "_partition": 0, "_offset": 0}
    lineage |= {"broker_time": time, "ingested_at": time, "event_month": time[:7]}
    envelope = {"event_id": event["id"], "event_time": time, "event_date": time[:10], "source": "test"}
    known = set(contract(PREDICTIONS).schema["properties"])
    return {**envelope, **{name: value for name, value in data.items() if name in known}, **lineage}


def measured(shop: Shop) -> Consistency:
    now = datetime.now(UTC)
    return measure(shop.settings, SERVICE, now - timedelta(hours=1), now + timedelta(hours=1))


def test_answers_are_the_lakes_also_while_the_stream_is_behind(shop: Shop) -> None:
    lines = recent_lines(11, 200)
    shop.arrive(lines[:80])
    shop.run_stream()
    asked = [*shop.customers, "nobody"]
    log(shop, asked, shop.read(asked))
    shop.arrive(lines[80:140])  # the lake has them, the states have not
    log(shop, asked, shop.read(asked))
    shop.run_stream()
    shop.arrive(lines[140:])
    log(shop, asked, shop.read(asked))

    found = measured(shop)

    assert found.fetches == 3 * len(asked)
    assert found.rate == 0
    assert all(one.matched == found.fetches for one in found.features)
    since = [{line.customer_id for line in part if line.customer_id} for part in (lines[80:140], lines[140:])]
    assert found.behind == sum(len(customers & set(asked)) for customers in since)
    assert found.lag_s["max"] >= found.lag_s["median"] > 0
    stored = shop.spark.read.format("delta").load(table("gold/feature_consistency").path(shop.settings))
    assert {row.feature: row.matched for row in stored.collect()} == dict.fromkeys(SERVICE.names, found.fetches)
    assert measured(replace(shop)).fetches == found.fetches


def test_values_that_are_not_the_lakes_are_found(shop: Shop) -> None:
    shop.arrive(recent_lines(12, 60))
    shop.run_stream()
    asked = [*shop.customers, "nobody"]
    rows = shop.read(asked)
    wrong = {
        (0, "purchases__amount_sum_90d"): lambda value: value + 0.01,
        (1, "purchases__amount_sum_90d"): lambda value: value + 0.5,
        (2, "returns__count_90d"): lambda _: None,
        (len(asked) - 1, "basket_mean_365d"): lambda _: 1.0,
    }
    for (row, name), change in wrong.items():
        values = list(rows[row].values)
        values[SERVICE.names.index(name)] = change(values[SERVICE.names.index(name)])
        rows[row] = replace(rows[row], values=tuple(values))
    log(shop, asked, rows)

    found = measured(shop)

    by_name = {one.feature: one for one in found.features}
    spent = by_name.pop("purchases__amount_sum_90d")
    assert (spent.mismatched, spent.matched) == (2, found.fetches - 2)
    assert [one["customer_id"] for one in spent.worst] == [asked[1], asked[0]]
    assert by_name.pop("returns__count_90d").missing == 1
    assert by_name.pop("basket_mean_365d").extra == 1
    assert all(one.matched == found.fetches for one in by_name.values())
    assert found.rate == pytest.approx(len(wrong) / (found.fetches * len(SERVICE.names)))


def test_an_event_that_the_states_lost_is_found(shop: Shop) -> None:
    lines = recent_lines(13, 60)
    shop.arrive(lines)
    shop.run_stream()
    shop.arrive([line for line in recent_lines(14, 40) if line.customer_id])
    rows = shop.read(shop.customers)
    version = max(rows[0].applied.values()) + 1
    claimed = [replace(row, applied=dict.fromkeys(row.applied, version)) for row in rows]
    log(shop, shop.customers, claimed)

    assert measured(shop).rate > 0


@pytest.mark.matrix
def test_a_state_that_counted_a_restored_file_twice_is_found(shop: Shop) -> None:
    """What a reader of inserts makes of a delete and a restore: everybody in the restored file doubles."""
    lines = [line for line in recent_lines(18, 60) if line.customer_id]
    shop.arrive(lines)
    shop.run_stream()
    right = open_table(silver(TOPIC), shop.settings).version()
    open_table(silver(TOPIC), shop.settings).delete("customer_id = 'c1'")
    open_table(silver(TOPIC), shop.settings).restore(right)
    version = open_table(silver(TOPIC), shop.settings).version()
    shop.run_stream()
    rows = shop.read(shop.customers)
    assert {max(row.applied.values()) for row in rows} == {version}
    log(shop, shop.customers, rows)
    assert measured(shop).rate == 0

    doubled = [replace(row, values=tuple(value and value * 2 for value in row.values)) for row in rows]
    log(shop, shop.customers, doubled)
    spent = next(one for one in measured(shop).features if one.feature == "purchases__amount_sum_365d")
    assert spent.mismatched == len(shop.customers)


@pytest.mark.matrix
def test_a_deleted_customer_who_still_answers_is_found(shop: Shop) -> None:
    shop.arrive(line for line in recent_lines(19, 80))
    shop.run_stream()
    rows = shop.read(["c1"])
    open_table(silver(TOPIC), shop.settings).delete("customer_id = 'c1'")
    version = open_table(silver(TOPIC), shop.settings).version()
    log(shop, ["c1"], [replace(row, applied=dict.fromkeys(row.applied, version)) for row in rows])
    assert measured(shop).rate > 0.5


def test_silver_is_judged_as_it_was_whatever_became_of_it(shop: Shop) -> None:
    shop.arrive(recent_lines(20, 60))
    shop.run_stream()
    log(shop, shop.customers, shop.read(shop.customers))
    open_table(silver(TOPIC), shop.settings).update({"quantity": "7"}, predicate="customer_id < 'c5'")
    shop.run_stream()
    log(shop, shop.customers, shop.read(shop.customers))
    open_table(silver(TOPIC), shop.settings).optimize.compact()
    shop.arrive(recent_lines(21, 40))
    shop.run_stream()
    log(shop, shop.customers, shop.read(shop.customers))
    found = measured(shop)
    assert (found.rate, found.behind) == (0, 0)
    assert found.fetches > len(shop.customers) * 2


def test_answers_that_said_that_states_were_being_made_anew_claim_nothing(shop: Shop) -> None:
    shop.arrive(recent_lines(22, 60))
    shop.run_stream()
    for group in SERVICE.groups:
        store = StateStore(shop.settings, group)
        applied = store.applied()
        assert applied is not None
        fence = store.take(applied.epoch, store.run_id())
        store.note(fence, applied, replace(applied, rebuilding=ALL_BUCKETS))
    log(shop, shop.customers, shop.read(shop.customers), reasons=(DegradedReason.STATES_REBUILDING,))
    assert measured(shop).fetches == 0


def test_a_model_that_reads_some_features_only_is_compared_by_those(shop: Shop) -> None:
    shop.arrive(recent_lines(15, 40))
    shop.run_stream()
    log(shop, shop.customers, shop.read(shop.customers), features=SERVICE.names[:3])

    found = measured(shop)

    assert [one.feature for one in found.features] == list(SERVICE.names[:3])
    assert (found.rate, found.features[0].matched) == (0, len(shop.customers))


def test_commits_that_are_gone_are_said_to_be(shop: Shop) -> None:
    shop.arrive(recent_lines(16, 40))
    shop.run_stream()
    log(shop, shop.customers, shop.read(shop.customers))
    for day in range(12):
        shop.arrive(recent_lines(17 + day, 5))
    forget_commits(shop.settings, silver(TOPIC), 8)
    shop.spark._jvm.org.apache.spark.sql.delta.DeltaLog.clearCache()  # type: ignore[union-attr]
    with pytest.raises(CommitsGoneError, match="silver no longer has all commits"):
        measured(shop)


def test_without_predictions_nothing_is_compared(shop: Shop) -> None:
    ensure_table(shop.spark, silver(PREDICTIONS), shop.settings)
    assert (measured(shop).fetches, measured(shop).rate) == (0, 0)
