"""What came true of predictions, against the same joined one by one in plain Python, and kept up by increments."""

import random
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from delta.tables import DeltaTable
from pyspark.sql import SparkSession
from sklearn import metrics

from batch_processing.outcomes.join import join_outcomes
from batch_processing.outcomes.performance import measure_days
from batch_processing.outcomes.run import Done, OutcomesTerminalError, outcomes
from data_lake import commits
from data_lake.delta_rs import open_table
from data_lake.tables import table
from feature_store.judge.questions import naive_outcome
from tests.cases.logged_predictions import logged
from tests.cases.silver_rows import payment, verdict
from tests.cases.spend_classes import SPEND_CLASSES
from tests.cases.transactions import Line, silver_row
from tidemill.config import Settings
from use_cases.fraud.labels import LABEL as FRAUD

START = datetime(2026, 1, 1, tzinfo=UTC)
NAMES = ("churn", "fraud", "next_spend")
OUTCOMES, PERFORMANCE = "gold/prediction_outcomes", "gold/model_performance"
ACTIVE = {"churn": timedelta(days=90), "next_spend": timedelta(days=60)}
Append = Callable[[str, Sequence[Mapping[str, Any]]], None]
Row = dict[str, Any]


def read(lake: Settings, name: str) -> list[Row]:
    rows: list[Row] = open_table(table(name), lake).to_pyarrow_table().to_pylist()
    return rows


def by_event(rows: Sequence[Row]) -> dict[str, Row]:
    return {row["event_id"]: row for row in rows}


def run(spark: SparkSession, lake: Settings, now: datetime, names: Sequence[str] = NAMES, full: bool = False) -> Done:
    return outcomes(spark, lake, names, now, full)


def versions(lake: Settings) -> list[int]:
    return [commits.current_version(table(name), lake) for name in (OUTCOMES, PERFORMANCE)]


def order(rng: random.Random, at: datetime, number: int) -> Row:
    units, price = rng.randrange(1, 6), Decimal(rng.randrange(0, 90_000)).scaleb(-4)
    what = rng.choices(["purchase", "return"], [8, 2])[0]
    who = rng.choice([None, *(f"c{one}" for one in range(25))])
    return silver_row(Line(at, who, f"o{number}", "p", units, price, what))


def shop_predictions(rng: random.Random, orders: Sequence[Row], prefix: str, number: int) -> list[Row]:
    """At, just before and just after orders, a horizon away from them, and anywhere."""
    rows = []
    for index in range(number):
        use_case = rng.choice(("churn", "next_spend"))
        shift = rng.choice((timedelta(0), ACTIVE[use_case], -ACTIVE[use_case]))
        at = rng.choice(orders)["event_time"] + shift + timedelta(microseconds=rng.choice((-1, 0, 1)))
        if rng.random() < 0.4:
            at = START + timedelta(seconds=rng.randrange(120 * 86_400), microseconds=rng.randrange(1_000_000))
        entities = {"customer_id": f"c{rng.randrange(28)}"}
        score = round(rng.random(), 2)
        said = {"score": score, "decision": "churns" if score >= 0.4 else "stays"}
        if use_case == "next_spend":
            said = {"value": score * 50, "interval": [score * 50 - 10, score * 50 + 10]}
        degraded = rng.choices([(), ("cold_start",), ("stale_features",), ("cached_model",)], [7, 1, 1, 1])[0]
        row = logged(
            f"{prefix}{index}", use_case, at, entities, said, run_id=rng.choice(("r1", "r2")), degraded=degraded
        )
        rows.append(row)
    return rows


def naive_shop(prediction: Row, orders: Sequence[Row], until: datetime) -> tuple[str, float | None]:
    """State and label, from the sentences of docs/questions.md."""
    at, span = prediction["features_at"], ACTIVE[prediction["use_case"]]
    if at + span > until:
        return "pending", None
    who = dict(prediction["entities"])["customer_id"]
    mine = [one for one in orders if one["customer_id"] == who and one["kind"] == "purchase"]
    after = [one for one in mine if at <= one["event_time"] < at + span]
    if not any(at - span <= one["event_time"] < at for one in mine):
        return "not_asked", None
    if prediction["use_case"] == "churn":
        return "known", float(not after)
    return "known", sum(float(one["quantity"] * one["unit_price"]) for one in after)


def check_shop(lake: Settings, predictions: Sequence[Row], orders: Sequence[Row], now: datetime) -> None:
    until = max(one["event_time"] for one in orders if one["event_time"] < now)
    found = by_event([row for row in read(lake, OUTCOMES) if row["use_case"] != "fraud"])
    assert found.keys() == {one["event_id"] for one in predictions}
    for prediction in predictions:
        state, label = naive_shop(prediction, orders, until)
        row = found[prediction["event_id"]]
        assert row["state"] == state, prediction
        assert row["label"] == (label if label is None else pytest.approx(label, rel=1e-9, abs=1e-9)), prediction


def naive_performance(lake: Settings) -> dict[tuple[Any, ...], float]:
    """The point values from scikit-learn over plain loops."""
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in read(lake, OUTCOMES):
        is_ours = row["is_scored"] and "stale_features" not in (row["degraded"] or [])
        if row["state"] == "known" and is_ours:
            key = (row["event_date"], row["use_case"], row["model_run_id"], row["arm"])
            groups.setdefault(key, []).append(row)
    found = {}
    for key, rows in groups.items():
        labels = [row["label"] for row in rows]
        if key[1] == "next_spend":
            values = [row["value"] for row in rows]
            found[*key, "mae"] = metrics.mean_absolute_error(labels, values)
            found[*key, "coverage"] = sum(abs(a - b) <= 10 for a, b in zip(labels, values, strict=True)) / len(rows)
        else:
            scores, positive = [row["score"] for row in rows], [row["decision"] in {"churns", "fraud"} for row in rows]
            found[*key, "accuracy"] = metrics.accuracy_score(labels, positive)
            found[*key, "brier"] = metrics.brier_score_loss(labels, scores, pos_label=1)
            if len(set(labels)) == 2:
                found[*key, "roc_auc"] = metrics.roc_auc_score(labels, scores)
    return found


def check_performance(lake: Settings) -> None:
    rows = read(lake, PERFORMANCE)
    keys = ("event_date", "use_case", "model_run_id", "arm", "metric")
    found = {tuple(row[name] for name in keys): row for row in rows}
    assert len(found) == len(rows)
    expected = naive_performance(lake)
    assert expected
    for key, value in expected.items():
        assert found[key]["value"] == pytest.approx(value, rel=1e-9, abs=1e-12), key
        assert found[key]["low"] <= found[key]["high"]
    of_days = {key[:4] for key in expected}
    assert {key[:4] for key in found} == of_days


@pytest.mark.matrix
def test_shop_outcomes_and_metrics_follow_every_change_of_the_lake(
    spark: SparkSession, lake: Settings, append: Append
) -> None:
    rng = random.Random(3)
    orders = [order(rng, START + timedelta(seconds=rng.randrange(150 * 86_400)), n) for n in range(220)]
    predictions = shop_predictions(rng, orders, "a", 120)
    append("silver/transactions", orders)
    append("silver/predictions", predictions)
    now = START + timedelta(days=120)
    run(spark, lake, now)
    check_shop(lake, predictions, orders, now)
    check_performance(lake)
    assert {row["state"] for row in read(lake, OUTCOMES)} == {"known", "pending", "not_asked"}

    before = versions(lake)
    done = run(spark, lake, now)
    assert versions(lake) == before
    assert all(not one.changed for one in done.joined)

    late = [order(rng, START + timedelta(seconds=rng.randrange(100 * 86_400)), n) for n in range(300, 330)]
    orders, predictions = [*orders, *late], [*predictions, *shop_predictions(rng, orders, "b", 40)]
    append("silver/transactions", late)
    append("silver/predictions", predictions[120:])
    now += timedelta(days=30)
    run(spark, lake, now)
    check_shop(lake, predictions, orders, now)

    lines = DeltaTable.forPath(spark, table("silver/transactions").path(lake))
    lines.delete("order_id IN ('o1', 'o2', 'o3', 'o301')")
    lines.update("customer_id = 'c3'", {"customer_id": "'c4'"})
    gone = {"o1", "o2", "o3", "o301"}
    orders = [
        {**one, "customer_id": "c4"} if one["customer_id"] == "c3" else one
        for one in orders
        if one["order_id"] not in gone
    ]
    DeltaTable.forPath(spark, table("silver/predictions").path(lake)).delete("event_id IN ('a1', 'a2')")
    predictions = [one for one in predictions if one["event_id"] not in {"a1", "a2"}]
    run(spark, lake, now)
    check_shop(lake, predictions, orders, now)
    check_performance(lake)

    kept_up = [sorted(map(repr, read(lake, name))) for name in (OUTCOMES, PERFORMANCE)]
    run(spark, lake, now, full=True)
    assert [sorted(map(repr, read(lake, name))) for name in (OUTCOMES, PERFORMANCE)] == kept_up


def test_what_concerns_no_prediction_is_noted_once(spark: SparkSession, lake: Settings, append: Append) -> None:
    rng = random.Random(4)
    append("silver/transactions", [order(rng, START + timedelta(days=n), n) for n in range(120)])
    at = START + timedelta(days=100)
    said = {"score": 0.5, "decision": "churns"}
    append("silver/predictions", [logged("a", "churn", at, {"customer_id": "c1"}, said)])
    now = START + timedelta(days=130)
    assert [one.judged for one in run(spark, lake, now, ["churn"]).joined] == [1]
    append("silver/transactions", [silver_row(Line(at, "stranger", "o", "p", 1, Decimal(1)))])
    assert [one.judged for one in run(spark, lake, now, ["churn"]).joined] == [0]
    before = versions(lake)
    (joined,) = run(spark, lake, now, ["churn"]).joined
    assert joined.reason == "nothing new"
    assert versions(lake) == before


@pytest.mark.matrix
def test_nobody_is_absent_while_nothing_arrives(spark: SparkSession, lake: Settings, append: Append) -> None:
    append("silver/transactions", [silver_row(Line(START, "c1", "o", "p", 1, Decimal(1)))])
    said = {"score": 0.5, "decision": "churns"}
    append("silver/predictions", [logged("a", "churn", START + timedelta(days=1), {"customer_id": "c1"}, said)])
    run(spark, lake, START + timedelta(days=300), ["churn"])
    assert [row["state"] for row in read(lake, OUTCOMES)] == ["pending"]
    append("silver/transactions", [silver_row(Line(START + timedelta(days=92), "c2", "o", "p", 1, Decimal(1)))])
    run(spark, lake, START + timedelta(days=300), ["churn"])
    assert [(row["state"], row["label"]) for row in read(lake, OUTCOMES)] == [("known", 1.0)]


def test_the_trouble_of_one_use_case_keeps_nobody_else_from_theirs(
    spark: SparkSession, lake: Settings, append: Append
) -> None:
    append(
        "silver/transactions",
        [silver_row(Line(START + timedelta(days=n), "c1", "o", "p", 1, Decimal(1))) for n in (0, 99)],
    )
    said = {"score": 0.5, "decision": "churns"}
    append("silver/predictions", [logged("a", "churn", START + timedelta(days=1), {"customer_id": "c1"}, said)])
    with pytest.raises(OutcomesTerminalError, match="no_such: no use case 'no_such'"):
        run(spark, lake, START + timedelta(days=100), ["no_such", "churn"])
    assert [(row["state"], row["label"]) for row in read(lake, OUTCOMES)] == [("known", 1.0)]
    assert {row["use_case"] for row in read(lake, PERFORMANCE)} == {"churn"}


def test_classes_are_measured_by_their_probabilities(spark: SparkSession, lake: Settings, append: Append) -> None:
    rng = random.Random(6)
    orders = [order(rng, START + timedelta(seconds=rng.randrange(150 * 86_400)), n) for n in range(300)]
    names, predictions = ("none", "some", "much"), []
    for number in range(80):
        shares = [rng.random() for _ in names]
        scores = {name: share / sum(shares) for name, share in zip(names, shares, strict=True)}
        said = {"scores": list(scores.items()), "decision": max(names, key=lambda name: scores[name])}
        at = START + timedelta(days=60 + number % 3, seconds=number)
        predictions.append(logged(f"a{number}", "spend_class", at, {"customer_id": f"c{number % 25}"}, said))
    append("silver/transactions", orders)
    append("silver/predictions", predictions)
    join_outcomes(spark, lake, SPEND_CLASSES, START + timedelta(days=150), full=False)
    measure_days(spark, lake, [SPEND_CLASSES], full=False)
    known = [row for row in read(lake, OUTCOMES) if row["state"] == "known"]
    measured = {(row["event_date"], row["metric"]): row for row in read(lake, PERFORMANCE)}
    assert len(known) > 40
    for day in {row["event_date"] for row in known}:
        rows = [row for row in known if row["event_date"] == day]
        spent = [float(row["label"]) for row in rows]
        of_orders = [naive_class(row, orders) for row in rows]
        assert spent == of_orders
        chances = [[dict(row["scores"])[name] for name in names] for row in rows]
        assert measured[day, "log_loss"]["value"] == pytest.approx(metrics.log_loss(spent, chances, labels=[0, 1, 2]))
        decided = [names.index(row["decision"]) for row in rows]
        assert measured[day, "accuracy"]["value"] == pytest.approx(metrics.accuracy_score(spent, decided))


def naive_class(row: Row, orders: Sequence[Row]) -> float:
    end = row["asked_at"] + timedelta(days=60)
    mine = [one for one in orders if one["customer_id"] == row["entity"] and one["kind"] == "purchase"]
    spent = sum(
        float(one["quantity"] * one["unit_price"]) for one in mine if row["asked_at"] <= one["event_time"] < end
    )
    return float((spent >= 0.01) + (spent >= 20))


def parties(rng: random.Random, number: int) -> dict[str, str]:
    return {
        "transaction_id": f"P{number}",
        "customer_id": f"C{rng.randrange(9)}",
        "terminal_id": f"T{rng.randrange(4)}",
    }


def answered(rng: random.Random, paid: Row, name: str, *, is_named: bool = False) -> Row:
    """The answer that was asked for while a payment was made."""
    at = paid["event_time"] + timedelta(seconds=rng.randrange(-60, 60), days=3 * is_named)
    score = round(rng.random(), 3)
    said = {"score": score, "decision": "fraud" if score >= 0.5 else "genuine"}
    entities = {key: paid[key] for key in ("customer_id", "terminal_id")}
    inputs, request = {"amount": float(paid["amount"])}, paid["transaction_id"] if is_named else ""
    return logged(name, "fraud", at, entities, said, inputs=inputs, request_id=request)


def test_a_verdict_counts_when_it_comes_late_or_is_corrected(
    spark: SparkSession, lake: Settings, append: Append
) -> None:
    rng = random.Random(8)
    payments = [
        payment(f"e{n}", START + timedelta(hours=n), parties(rng, n), Decimal(1_000 + n).scaleb(-2)) for n in range(150)
    ]
    verdicts = [
        verdict(
            f"v{n}",
            paid["event_time"] + timedelta(days=rng.choice((3, 7, 20))),
            {key: paid[key] for key in ("transaction_id", "customer_id", "terminal_id")},
            rng.random() < 0.3,
        )
        for n, paid in enumerate(payments)
    ]
    predictions = [answered(rng, paid, f"a{n}", is_named=n % 5 == 0) for n, paid in enumerate(payments)]
    stranger = {**payments[0], "amount": Decimal("999.99")}
    predictions.append(answered(rng, stranger, "of nothing that was paid"))
    append("silver/card_transactions", payments)
    append("silver/card_verdicts", verdicts[:100])
    append("silver/predictions", predictions)

    def check(now: datetime, said: Sequence[Row]) -> None:
        truth = naive_outcome(FRAUD, payments, said)
        found = by_event(read(lake, OUTCOMES))
        assert len(found) == len(predictions)
        for number, paid in enumerate(payments):
            expected = truth.get(paid["transaction_id"])
            is_known = expected is not None and expected.matured <= now
            row = found[f"a{number}"]
            assert row["event_key"] == paid["transaction_id"]
            assert (row["state"], row["label"]) == (("known", expected.label) if is_known else ("pending", None))
        assert found["of nothing that was paid"]["event_key"] is None
        assert found["of nothing that was paid"]["state"] == "pending"

    now = START + timedelta(days=8)
    run(spark, lake, now, ["fraud"])
    check(now, verdicts[:100])
    now += timedelta(days=30)
    append("silver/card_verdicts", verdicts[100:])
    run(spark, lake, now, ["fraud"])
    check(now, verdicts)
    check_performance(lake)

    said = DeltaTable.forPath(spark, table("silver/card_verdicts").path(lake))
    said.update("transaction_id IN ('P1', 'P2', 'P3')", {"is_fraud": "NOT is_fraud"})
    said.delete("transaction_id = 'P4'")
    turned = {"P1", "P2", "P3"}
    verdicts = [
        {**one, "is_fraud": not one["is_fraud"]} if one["transaction_id"] in turned else one
        for one in verdicts
        if one["transaction_id"] != "P4"
    ]
    done = run(spark, lake, now, ["fraud"])
    assert (done.joined[0].judged, done.joined[0].changed) == (4, 4)
    check(now, verdicts)
    check_performance(lake)
