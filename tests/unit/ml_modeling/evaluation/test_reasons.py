"""The reasons of one answer, against the SHAP library used by hand and against the definition."""

from itertools import permutations
from typing import Any

import numpy as np
import pytest
import shap
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.naive_bayes import GaussianNB
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from ml_modeling.candidates.pipelines import build
from ml_modeling.evaluation.columns import UnexplainableModelError
from ml_modeling.evaluation.reasons import Reasoner
from ml_modeling.registry.served import MulticlassServing, RegressionServing, Serving, ServingSpec

FEATURES = ("recency", "orders", "spent", "unused")
COMMON: dict[str, Any] = {
    "use_case": "spam",
    "feature_service": "spam",
    "feature_fingerprint": "0" * 32,
    "features": FEATURES,
}
BINARY = ServingSpec(**COMMON, threshold=0.5, decisions=("ham", "spam"), cold_start_score=0.3)
CLASSES = ("low", "middle", "high")
MULTICLASS = MulticlassServing(**COMMON, classes=CLASSES, cold_start_scores=(0.3, 0.3, 0.4))
REGRESSION = RegressionServing(**COMMON, cold_start_value=1.0)
TREES = ("random_forest", "xgboost", "lightgbm")
PARAMETERS: dict[str, dict[str, Any]] = {
    "logistic_regression": {"C": 0.5},
    "random_forest": {"n_estimators": 20, "max_depth": 6},
    "xgboost": {"n_estimators": 20},
    "lightgbm": {"n_estimators": 20},
}


def rows(number: int = 300, *, missing: bool = True) -> np.ndarray:
    random = np.random.default_rng(3)
    x = random.normal(size=(number, len(FEATURES)))
    if missing:
        x[random.random(x.shape) < 0.15] = np.nan
    return x


def signal(x: np.ndarray) -> np.ndarray:
    filled = np.nan_to_num(x)
    return np.asarray(2 * filled[:, 0] - filled[:, 1] + filled[:, 0] * filled[:, 2])


def binary(candidate: str) -> tuple[Any, np.ndarray]:
    x = rows()
    return build(candidate, PARAMETERS[candidate], seed=1).fit(x, (signal(x) > 0.5).astype(int)), x


def log_odds(probability: float) -> float:
    return float(np.log(probability / (1 - probability)))


@pytest.mark.parametrize("candidate", TREES)
def test_trees_give_the_values_of_the_library(candidate: str) -> None:
    pipeline, x = binary(candidate)
    explainer = shap.TreeExplainer(pipeline[-1])
    reasoner = Reasoner(BINARY, pipeline, x[:50])

    for row in x[:20]:
        found = reasoner.reasons(row)
        values = np.asarray(explainer.shap_values(row[np.newaxis, :]))[0]
        base = np.atleast_1d(explainer.expected_value)[-1]
        assert found.contributions == pytest.approx(values[:, 1] if values.ndim == 2 else values, abs=1e-5)
        assert found.base == pytest.approx(base, abs=1e-5)


@pytest.mark.parametrize("candidate", PARAMETERS)
def test_reasons_add_up_to_the_score_in_the_space_they_name(candidate: str) -> None:
    pipeline, x = binary(candidate)
    reasoner = Reasoner(BINARY, pipeline, x[:50])

    for row in [*x[:20], np.full(len(FEATURES), np.nan)]:
        found = reasoner.reasons(row)
        score = float(pipeline.predict_proba(row[np.newaxis, :])[0, 1])
        assert found.space == ("probability" if candidate == "random_forest" else "log_odds")
        assert found.explained == "spam"
        assert len(found.contributions) == len(FEATURES)
        expected = score if found.space == "probability" else log_odds(score)
        assert found.base + sum(found.contributions) == pytest.approx(expected, abs=1e-4)
        assert found.output == pytest.approx(found.base + sum(found.contributions))


@pytest.mark.parametrize("candidate", TREES)
@pytest.mark.parametrize("huge", [1e39, 1.7e308, -1.7e308])
def test_a_number_beyond_a_single_is_on_its_side_of_every_split(candidate: str, huge: float) -> None:
    pipeline, x = binary(candidate)
    reasoner = Reasoner(BINARY, pipeline, x[:50])
    large = 1e6 if huge > 0 else -1e6

    found, expected = (reasoner.reasons(np.array([value, *x[0, 1:]])) for value in (huge, large))
    assert found.contributions == pytest.approx(expected.contributions)


def test_what_adds_no_finite_number_has_no_reasons() -> None:
    x = rows(missing=False)
    pipeline = make_pipeline(SimpleImputer(), Ridge(alpha=0.001)).fit(x, 1e100 * x[:, 0])
    reasoner = Reasoner(REGRESSION, pipeline, x[:50])

    with pytest.raises(UnexplainableModelError, match="no finite number"):
        reasoner.reasons(np.array([1e300, 0.0, 0.0, 0.0]))


def test_a_linear_model_gives_the_values_of_the_library_with_marks_of_missing_values_added_to_their_feature() -> None:
    pipeline, x = binary("logistic_regression")
    before, background = pipeline[:-1], x[:50]
    explainer = shap.LinearExplainer(pipeline[-1], before.transform(background))
    columns = before.get_feature_names_out(FEATURES)
    reasoner = Reasoner(BINARY, pipeline, background)

    for row in x[:20]:
        found = reasoner.reasons(row)
        by_column = dict(zip(columns, explainer.shap_values(before.transform(row[np.newaxis, :]))[0], strict=True))
        by_hand = [by_column[name] + by_column.get(f"missingindicator_{name}", 0.0) for name in FEATURES]
        assert found.contributions == pytest.approx(by_hand, abs=1e-9)
        assert found.base == pytest.approx(float(explainer.expected_value), abs=1e-9)


def shapley(predict: Any, row: np.ndarray, background: np.ndarray) -> np.ndarray:
    """By the definition: the mean over all orders of what a feature adds when it comes to be known."""
    found, orders = np.zeros(len(row)), list(permutations(range(len(row))))
    for order in orders:
        known = background.copy()
        before = predict(known).mean()
        for feature in order:
            known[:, feature] = row[feature]
            after = predict(known).mean()
            found[feature] += (after - before) / len(orders)
            before = after
    return found


@pytest.mark.parametrize("task", ["binary", "regression"])
def test_a_network_gives_the_values_of_the_definition(task: str) -> None:
    x = rows(missing=False)
    is_number = task == "regression"
    network: Any = MLPRegressor if is_number else MLPClassifier
    y = signal(x) if is_number else signal(x) > 0.5
    pipeline = make_pipeline(
        SimpleImputer(), StandardScaler(), network(hidden_layer_sizes=(8,), max_iter=400, random_state=1)
    ).fit(x, y)
    background = x[:30]
    predict = pipeline.predict if is_number else lambda matrix: pipeline.predict_proba(matrix)[:, 1]
    reasoner = Reasoner(REGRESSION if is_number else BINARY, pipeline, background)

    for row in x[100:103]:
        found = reasoner.reasons(row)
        exact = shapley(predict, row, background)
        assert found.space == ("value" if is_number else "probability")
        assert found.base == pytest.approx(predict(background).mean())
        assert found.output == pytest.approx(predict(row[np.newaxis, :])[0])
        assert np.abs(found.contributions - exact).max() < 0.15 * np.abs(exact).max()


def multiclass_models(x: np.ndarray, y: np.ndarray) -> list[tuple[Any, str]]:
    from lightgbm import LGBMClassifier
    from sklearn.ensemble import RandomForestClassifier
    from xgboost import XGBClassifier

    return [
        (XGBClassifier(n_estimators=10).fit(x, y), "logit"),
        (LGBMClassifier(n_estimators=10, verbose=-1).fit(x, y), "logit"),
        (RandomForestClassifier(20, max_depth=5, random_state=1).fit(x, y), "probability"),
        (make_pipeline(SimpleImputer(), StandardScaler(), LogisticRegression()).fit(x, y), "logit"),
        (
            make_pipeline(SimpleImputer(), StandardScaler(), MLPClassifier((8,), max_iter=50, random_state=1)).fit(
                x, y
            ),
            "probability",
        ),
    ]


def test_of_several_classes_the_decided_one_is_explained() -> None:
    x = rows()
    y = np.digitize(signal(x), [-0.5, 0.8])
    for model, space in multiclass_models(x, y):
        reasoner = Reasoner(MULTICLASS, model, x[:30])
        for row in x[:10]:
            found = reasoner.reasons(row)
            probabilities = model.predict_proba(row[np.newaxis, :])[0]
            decided = int(probabilities.argmax())
            assert (found.space, found.explained) == (space, CLASSES[decided])
            if space == "probability":
                assert found.output == pytest.approx(probabilities[decided], abs=1e-6)


def regression_models() -> list[tuple[Any, str]]:
    from lightgbm import LGBMRegressor
    from xgboost import XGBRegressor

    return [
        (XGBRegressor(n_estimators=10), "value"),
        (XGBRegressor(n_estimators=10, objective="count:poisson"), "log_value"),
        (LGBMRegressor(n_estimators=10, verbose=-1), "value"),
        (LGBMRegressor(n_estimators=10, verbose=-1, objective="tweedie"), "log_value"),
        (RandomForestRegressor(20, max_depth=5, random_state=1), "value"),
        (make_pipeline(SimpleImputer(), StandardScaler(), Ridge()), "value"),
    ]


@pytest.mark.parametrize(("model", "space"), regression_models())
def test_reasons_of_a_number_add_up_to_it(model: Any, space: str) -> None:
    x = rows(missing=False)
    model.fit(x, np.exp(signal(x) / 4))
    reasoner = Reasoner(REGRESSION, model, x[:30])

    for row in x[:10]:
        found = reasoner.reasons(row)
        predicted = float(model.predict(row[np.newaxis, :])[0])
        assert (found.space, found.explained) == (space, None)
        assert found.output == pytest.approx(np.log(predicted) if space == "log_value" else predicted, abs=1e-3)


def test_what_was_made_of_a_category_is_added_to_its_feature() -> None:
    x = rows(missing=False)
    x[:, 1] = np.round(x[:, 1]).clip(-1, 1)
    by_role = ColumnTransformer(
        [
            ("numeric", make_pipeline(SimpleImputer(), StandardScaler()), [0, 2, 3]),
            ("categorical", OneHotEncoder(sparse_output=False, handle_unknown="ignore"), [1]),
        ],
        verbose_feature_names_out=False,
    )
    pipeline = make_pipeline(by_role, LogisticRegression()).fit(x, signal(x) > 0.5)
    background = x[:50]
    reasoner = Reasoner(BINARY, pipeline, background)
    weights, columns = pipeline[-1].coef_[0], pipeline[0].get_feature_names_out(FEATURES)
    mean = pipeline[0].transform(background).mean(axis=0)

    for row in x[:10]:
        added = weights * (pipeline[0].transform(row[np.newaxis, :])[0] - mean)
        by_hand = [sum(added[n] for n, column in enumerate(columns) if column.startswith(name)) for name in FEATURES]
        assert reasoner.reasons(row).contributions == pytest.approx(by_hand)


@pytest.mark.parametrize(
    ("pipeline", "background", "complaint"),
    [
        pytest.param(GaussianNB(), rows(missing=False), "no reasons for a GaussianNB", id="an estimator of one's own"),
        pytest.param(make_pipeline(StandardScaler(), LogisticRegression()), None, "train it again", id="no rows kept"),
    ],
)
def test_a_model_without_reasons_says_why(pipeline: Any, background: Any, complaint: str) -> None:
    x = rows(missing=False)
    with pytest.raises(UnexplainableModelError, match=complaint):
        Reasoner(BINARY, pipeline.fit(x, signal(x) > 0.5), background)


def test_reasons_that_are_not_those_of_the_answers_are_none() -> None:
    class Doubled(Pipeline):
        def predict_proba(self, matrix: np.ndarray) -> np.ndarray:
            probability = super().predict_proba(matrix)[:, 1] / 2
            return np.column_stack([1 - probability, probability])

    x = rows(missing=False)
    made = Doubled([("fill", SimpleImputer()), ("scale", StandardScaler()), ("model", LogisticRegression())]).fit(
        x, signal(x) > 0.5
    )
    spec: Serving = BINARY
    with pytest.raises(UnexplainableModelError, match="its reasons add up to"):
        Reasoner(spec, made, x[:30])
