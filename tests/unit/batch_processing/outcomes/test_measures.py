"""The metrics of answers whose outcome is known, against scikit-learn's, for each task."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics

from batch_processing.outcomes.measures import Measure, measures
from feature_store.definitions import Classes
from ml_modeling.specification import MulticlassSpec, RegressionSpec
from ml_modeling.use_case import UseCase, load_use_case
from tests.cases.spend_classes import SPEND_CLASSES

CHURN, SPEND = load_use_case("churn"), load_use_case("next_spend")
CLASSES = SPEND_CLASSES.question.answer
N = 400


def found(use_case: UseCase, rows: pd.DataFrame) -> dict[str, Measure]:
    return {one.metric: one for one in measures(use_case, rows)}


def rows_of(y: Any, outputs: Any, **columns: Any) -> pd.DataFrame:
    entities = [f"c{number % 90}" for number in range(len(y))]
    common = {"label": y.astype(float), "outputs": list(outputs), "entity": entities, "decision": "none"}
    return pd.DataFrame({**common, "interval": None, **columns})


def yes_no(seed: int = 1) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    y = random.random(N) < 0.3
    scores = np.clip(0.3 * y + 0.7 * random.random(N), 0, 1)
    decisions = np.where(scores >= 0.61, "churns", "stays")
    return rows_of(y, scores[:, None], decision=decisions)


def test_yes_or_no_is_measured_by_scores_and_by_the_decisions_that_were_made() -> None:
    rows = yes_no()
    y, scores, decided = rows["label"], np.concatenate(rows["outputs"].to_list()), rows["decision"] == "churns"
    measured = found(CHURN, rows)
    expected = {
        "roc_auc": metrics.roc_auc_score(y, scores),
        "average_precision": metrics.average_precision_score(y, scores),
        "f1": metrics.f1_score(y, decided),
        "accuracy": metrics.accuracy_score(y, decided),
        "brier": metrics.brier_score_loss(y, scores),
    }
    assert {name: one.value for name, one in measured.items()} == pytest.approx(expected)


def test_an_interval_is_as_wide_as_whole_entities_drawn_again_make_it() -> None:
    rows = yes_no()
    measured = found(CHURN, rows)["accuracy"]
    right = ((rows["decision"] == "churns") == (rows["label"] == 1)).astype(float)
    by_entity = right.groupby(rows["entity"]).agg(["sum", "count"]).to_numpy()
    random = np.random.default_rng(5)
    drawn = by_entity[random.integers(0, len(by_entity), (4_000, len(by_entity)))].sum(axis=1)
    low, high = np.percentile(drawn[:, 0] / drawn[:, 1], [2.5, 97.5])
    assert (measured.low, measured.high) == pytest.approx((low, high), abs=0.01)


def test_classes_are_measured_by_the_most_likely_one() -> None:
    random = np.random.default_rng(2)
    assert isinstance(CLASSES, Classes)
    assert isinstance(SPEND_CLASSES.spec, MulticlassSpec)
    y = random.integers(0, 3, N)
    outputs = random.dirichlet((1, 1, 1), N) + 0.4 * np.eye(3)[y]
    outputs /= outputs.sum(axis=1, keepdims=True)
    measured = found(SPEND_CLASSES, rows_of(y, outputs))
    chosen = outputs.argmax(axis=1)
    expected = {
        "macro_f1": metrics.f1_score(y, chosen, average="macro"),
        "weighted_f1": metrics.f1_score(y, chosen, average="weighted"),
        "accuracy": metrics.accuracy_score(y, chosen),
        "log_loss": metrics.log_loss(y, outputs),
        "brier": metrics.brier_score_loss(y, outputs, scale_by_half=True),
    }
    assert {name: one.value for name, one in measured.items()} == pytest.approx(expected)
    assert all(one.low < one.value < one.high for one in measured.values())


def test_numbers_are_measured_with_the_intervals_that_were_answered() -> None:
    random = np.random.default_rng(3)
    assert isinstance(SPEND.spec, RegressionSpec)
    y = random.gamma(2, 20, N)
    values = y * random.lognormal(0, 0.4, N)
    width = random.uniform(5, 30, N)
    measured = found(SPEND, rows_of(y, values[:, None], interval=list(np.stack([values - width, values + width]).T)))
    expected = {
        "mae": metrics.mean_absolute_error(y, values),
        "rmse": metrics.root_mean_squared_error(y, values),
        "r2": metrics.r2_score(y, values),
        "mape": metrics.mean_absolute_percentage_error(y, values),
        "coverage": float(np.mean(np.abs(values - y) <= width)),
        "interval_width": float(np.mean(2 * width)),
    }
    assert {name: one.value for name, one in measured.items()} == pytest.approx(expected)


def test_without_an_interval_in_some_answer_nobody_tells_how_often_it_held() -> None:
    y = np.arange(10.0)
    bounds: list[Any] = [[0.0, 9.0]] * 9
    measured = found(SPEND, rows_of(y, y[:, None] + 1, interval=[*bounds, None]))
    assert "coverage" not in measured
    assert measured["mae"].value == pytest.approx(1.0)


@pytest.mark.parametrize("label", [0, 1])
def test_of_one_label_an_auc_has_no_value_and_the_accuracy_has(label: int) -> None:
    rows = yes_no()
    rows = rows[rows["label"] == label]
    measured = found(CHURN, rows)
    assert measured["roc_auc"] == Measure("roc_auc", None, None, None)
    share = float(((rows["decision"] == "churns") == label).mean())
    assert measured["accuracy"].value == pytest.approx(share)


def test_a_single_answer_is_measured() -> None:
    measured = found(SPEND, rows_of(np.array([4.0]), np.array([[6.0]])))
    assert measured["mae"] == Measure("mae", 2.0, 2.0, 2.0)
    assert measured["r2"].value is None


def test_another_seed_draws_other_replicates_of_the_same_value() -> None:
    rows = yes_no()
    rule = CHURN.spec.bootstrap.model_copy(update={"seed": 99})
    other = replace(CHURN, spec=CHURN.spec.model_copy(update={"bootstrap": rule}))
    first, second = found(CHURN, rows)["brier"], found(other, rows)["brier"]
    assert first.value == second.value
    assert first.low != second.low
