"""Metrics of classes and of numbers, against scikit-learn's with sample weights; rules, baselines and intervals."""

import numpy as np
import pytest
from sklearn import metrics

from feature_store.definitions import Classes
from ml_modeling.evaluation.evaluate import compare, evaluate
from ml_modeling.evaluation.report import MulticlassReport, RegressionReport
from ml_modeling.frames.examples import Examples
from ml_modeling.frames.leakage import LeakageError
from ml_modeling.registry.answers import answer
from ml_modeling.registry.served import STORED
from ml_modeling.specification.multiclass import MulticlassSpec
from ml_modeling.specification.regression import RegressionSpec
from ml_modeling.tasks import OneLabelError, Scoring
from ml_modeling.tasks.multiclass import MulticlassTask
from ml_modeling.tasks.regression import RegressionTask

COMMON = {
    "description": "A test.",
    "cutoffs": {"spacing_days": 7, "min_history_days": 0, "train": 1, "validation": 1, "test": 1},
    "max_rows": 1000,
    "bootstrap": {"replicates": 200, "confidence": 0.9, "seed": 3},
}
CLASSES = Classes(("none", "some", "much"), edges=(1.0, 10.0))
NUMBERS = RegressionSpec.model_validate(
    {
        **COMMON,
        "search": {"metric": "mae", "trials": 1, "timeout_s": 1, "seed": 0},
        "candidates": {"ridge": {}},
        "leakage": {"max_rank_correlation": 0.95},
        "baseline": {"feature": "before"},
        "minimum": 0,
        "interval": {"coverage": 0.8},
        "cold_start": {"value": "median"},
        "gates": {"baseline": {"metric": "mae", "gain": 0}, "champion": {"metric": "mae", "margin": 1}},
    }
)
NAMES = MulticlassSpec.model_validate(
    {
        **COMMON,
        "search": {"metric": "macro_f1", "trials": 1, "timeout_s": 1, "seed": 0},
        "candidates": {"logistic_regression": {}},
        "leakage": {"max_single_feature_auc": 0.97, "max_pure_share": 1},
        "baseline": {"feature": "before"},
        "cold_start": {"decision": "prior"},
        "gates": {"baseline": {"metric": "macro_f1", "gain": 0}, "champion": {"metric": "log_loss", "margin": 0.1}},
    }
)
FEATURES = ("before", "noise")
SERVED = {"use_case": "u", "feature_service": "u", "feature_fingerprint": "0", "features": FEATURES}


def numbers(n=400, seed=0):
    """What was before says something about what comes; a third are zero."""
    random = np.random.default_rng(seed)
    before = random.gamma(2, 10, n)
    y = np.maximum(before * random.lognormal(0, 0.5, n) - 8, 0)
    before[::11] = np.nan
    return Examples(np.column_stack([before, random.normal(size=n)]), y, random.integers(0, n // 3, n))


def classes(n=400, seed=0):
    some = numbers(n, seed)
    y = np.digitize(some.y, CLASSES.edges)
    scores = np.eye(3)[y] + np.random.default_rng(seed).gamma(1, 0.5, (n, 3))
    return Examples(some.x, y, some.entities), Scoring(scores / scores.sum(axis=1, keepdims=True))


def test_weighted_metrics_of_numbers_are_those_of_scikit_learn():
    task, examples = RegressionTask(NUMBERS), numbers()
    scoring = task.scoring(examples.y + np.random.default_rng(1).normal(0, 5, 400), {"below": -6.0, "above": 7.0})
    weights = np.random.default_rng(2).integers(0, 4, (15, 400)).astype(float)
    found = task.weighted(weights, examples, scoring)
    y, values = examples.y, scoring.scores
    some = y != 0
    for number, weight in enumerate(weights):
        covered = (scoring.low <= y) & (y <= scoring.high)
        expected = {
            "mae": metrics.mean_absolute_error(y, values, sample_weight=weight),
            "rmse": metrics.root_mean_squared_error(y, values, sample_weight=weight),
            "r2": metrics.r2_score(y, values, sample_weight=weight),
            "mape": metrics.mean_absolute_percentage_error(y[some], values[some], sample_weight=weight[some]),
            "coverage": np.average(covered, weights=weight),
            "interval_width": np.average(scoring.high - scoring.low, weights=weight),
        }
        assert {name: values[number] for name, values in found.items()} == pytest.approx(expected)
    ones = task.weighted(np.ones((1, 400)), examples, scoring)
    assert task.measure(examples, scoring) == pytest.approx({name: values[0] for name, values in ones.items()})


def test_weighted_metrics_of_classes_are_those_of_scikit_learn():
    task = MulticlassTask(NAMES, CLASSES)
    examples, scoring = classes()
    y, chosen = examples.y, scoring.scores.argmax(axis=1)
    weights = np.random.default_rng(2).integers(0, 4, (15, 400)).astype(float)
    found = task.weighted(weights, examples, scoring)
    for number, weight in enumerate(weights):
        expected = {
            "macro_f1": metrics.f1_score(y, chosen, average="macro", sample_weight=weight),
            "weighted_f1": metrics.f1_score(y, chosen, average="weighted", sample_weight=weight),
            "accuracy": metrics.accuracy_score(y, chosen, sample_weight=weight),
            "log_loss": metrics.log_loss(y, scoring.scores, sample_weight=weight),
            "brier": metrics.brier_score_loss(y, scoring.scores, sample_weight=weight, scale_by_half=True),
        }
        assert {name: values[number] for name, values in found.items()} == pytest.approx(expected)
    ones = task.weighted(np.ones((1, 400)), examples, scoring)
    assert task.measure(examples, scoring) == pytest.approx({name: values[0] for name, values in ones.items()})


@pytest.mark.filterwarnings("error")
def test_probabilities_of_32_bits_are_measured_like_others_without_a_warning():
    """XGBoost's probabilities sum to one within 1e-7."""
    test, scoring = classes()
    narrow = Scoring(scoring.scores.astype(np.float32).astype(np.float64))
    assert np.abs(narrow.scores.sum(axis=1) - 1).max() > 1e-8
    task = MulticlassTask(NAMES, CLASSES)
    assert task.measure(test, narrow) == pytest.approx(task.measure(test, scoring), rel=1e-6)


def test_an_interval_holds_as_many_new_values_as_it_promises():
    task = RegressionTask(NUMBERS)
    seen, new = numbers(2_000, seed=1), numbers(2_000, seed=2)
    guess = lambda examples: np.nan_to_num(examples.x[:, 0], nan=15.0)  # noqa: E731
    scoring = task.scoring(guess(new), task.rule(seen, guess(seen)))
    assert task.measure(new, scoring)["coverage"] == pytest.approx(0.8, abs=0.03)
    assert (scoring.low >= 0).all()


def test_the_ends_of_an_interval_are_the_errors_of_the_published_ranks():
    """19 errors and a coverage of 0.8: of 20 ranks, two lie beyond each end."""
    task = RegressionTask(NUMBERS)
    seen = Examples(np.zeros((19, 2)), np.arange(19.0), np.arange(19))
    assert task.rule(seen, np.full(19, 9.0)) == {"below": 1.0 - 9.0, "above": 17.0 - 9.0}


def test_a_baseline_of_numbers_is_the_feature_and_the_median_where_it_is_missing():
    task, examples = RegressionTask(NUMBERS), numbers()
    rule = task.baseline_rule(examples, examples, FEATURES)
    found = task.baseline(examples.x, FEATURES, rule).scores
    missing = np.isnan(examples.x[:, 0])
    assert (found[~missing] == examples.x[~missing, 0]).all()
    assert set(found[missing]) == {np.median(examples.y)}


def test_a_baseline_of_classes_is_the_class_that_the_feature_lies_in():
    task = MulticlassTask(NAMES, CLASSES)
    x = np.array([[0.5, 0], [1.0, 0], [9.9, 0], [10.0, 0], [np.nan, 0]])
    assert task.baseline(x, FEATURES, {}).scores.argmax(axis=1).tolist() == [0, 1, 1, 2, 0]


def test_the_report_of_numbers_tells_gain_as_model_minus_baseline():
    task, test = RegressionTask(NUMBERS), numbers()
    scoring = task.scoring(test.y + 1, task.rule(test, test.y + 1))
    report = evaluate(task, test, scoring, task.baseline(test.x, FEATURES, {"missing": 0.0}), NUMBERS.bootstrap)
    assert isinstance(report, RegressionReport)
    assert report.metrics["mae"].value == pytest.approx(1)
    assert report.gain["mae"].high < 0 < report.gain["r2"].low
    assert "mape" in report.baseline and "coverage" not in report.baseline


def test_the_report_of_classes_counts_what_was_decided():
    task = MulticlassTask(NAMES, CLASSES)
    test, scoring = classes()
    report = evaluate(task, test, scoring, task.baseline(test.x, FEATURES, {}), NAMES.bootstrap)
    assert isinstance(report, MulticlassReport)
    assert [sum(row) for row in report.confusion] == np.bincount(test.y).tolist()
    assert report.metrics["accuracy"].value == pytest.approx(np.trace(report.confusion) / 400)
    assert "none" in report.labels
    assert compare(task, test, scoring, scoring, "log_loss", NAMES.bootstrap).value == 0


@pytest.mark.parametrize(
    ("task", "y", "message"),
    [
        (RegressionTask(NUMBERS), np.zeros(5), r"the train part has only label 0\.0 \(5 examples\)"),
        (RegressionTask(NUMBERS), np.zeros(0), "the train part has no example"),
        (MulticlassTask(NAMES, CLASSES), np.array([0, 2, 2]), "the train part has no example of class some"),
    ],
)
def test_a_part_that_cannot_be_learned_from_is_named(task, y, message):
    with pytest.raises(OneLabelError, match=message):
        task.check_part("train", Examples(np.zeros((len(y), 2)), y, np.arange(len(y))))


def test_a_feature_that_ranks_the_numbers_is_caught_also_by_where_it_is_missing():
    examples = numbers()
    RegressionTask(NUMBERS).check_leakage(examples, FEATURES)
    known = np.where(examples.y == 0, np.nan, np.log1p(examples.y))
    leaked = Examples(np.column_stack([examples.x[:, 0], known]), examples.y, examples.entities)
    with pytest.raises(LeakageError, match="feature noise alone ranks the labels"):
        RegressionTask(NUMBERS).check_leakage(leaked, FEATURES)


def test_a_feature_that_is_one_of_the_classes_is_caught():
    test, _ = classes()
    leaked = Examples(np.column_stack([test.x[:, 0], test.y == 1]), test.y, test.entities)
    task = MulticlassTask(NAMES, CLASSES)
    with pytest.raises(LeakageError, match="feature noise alone separates the labels"):
        task.check_leakage(leaked, FEATURES)


class Constant:
    """Answers the same for everybody."""

    def predict(self, x):
        return np.full(len(x), -3.0)

    def predict_proba(self, x):
        return np.tile([0.2, 0.5, 0.3], (len(x), 1))


def test_what_is_stored_with_a_model_of_numbers_answers_what_was_tested():
    task, fitted = RegressionTask(NUMBERS), numbers()
    rule = {"below": -2.0, "above": 5.0}
    serving = STORED.validate_python(task.serving(SERVED, rule, fitted).model_dump(mode="json"))
    found = answer(serving, Constant(), fitted.x[:2])
    assert (found.values.tolist(), found.low.tolist(), found.high.tolist()) == ([0, 0], [0, 0], [5, 5])
    assert task.rule_of(serving) == rule
    assert serving.cold_start_value == np.median(fitted.y)


def test_what_is_stored_with_a_model_of_classes_names_them():
    task = MulticlassTask(NAMES, CLASSES)
    fitted, _ = classes()
    serving = STORED.validate_python(task.serving(SERVED, {}, fitted).model_dump(mode="json"))
    found = answer(serving, Constant(), fitted.x[:1])
    assert (found.classes, found.decisions) == (("none", "some", "much"), ("some",))
    assert serving.cold_start_scores == pytest.approx(np.bincount(fitted.y) / 400)
    with pytest.raises(ValueError, match="its classes are none, some, much"):
        MulticlassTask(NAMES, Classes(("a", "b", "c"), edges=(1, 2))).rule_of(serving)
