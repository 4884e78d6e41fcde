import numpy as np
import pytest

from ml_modeling.candidates.pipelines import build
from ml_modeling.evaluation.explanation import explain

FEATURES = ("empty", "age", "noise", "income")


def examples():
    """``income`` decides, more so where it is missing; ``empty`` has no value at all."""
    random = np.random.default_rng(4)
    x = random.normal(0, 1, (800, 4))
    x[:, 0] = np.nan
    x[::4, 3] = np.nan
    label = np.where(np.isnan(x[:, 3]), 1, x[:, 3] > 0.3).astype(int)
    return x, label


@pytest.mark.parametrize(
    ("candidate", "parameters"),
    [("logistic_regression", {}), ("random_forest", {"n_estimators": 20, "max_depth": 4})],
)
def test_a_shap_value_goes_to_the_feature_of_its_column_also_beside_an_empty_one(candidate, parameters):
    x, y = examples()
    explanation = explain(build(candidate, parameters, seed=1).fit(x, y), x, x, FEATURES)
    assert next(iter(explanation.importance)) == "income"
    assert explanation.importance["empty"] == 0
    assert explanation.values.shape == (400, 4)


def test_the_linear_models_values_are_those_of_the_formula():
    """Coefficient times distance from the mean (Lundberg, Lee 2017, corollary 1), summed over a feature's columns."""
    x, y = examples()
    x[:, 0] = np.random.default_rng(5).normal(0, 1, len(x))
    pipeline = build("logistic_regression", {}, seed=1).fit(x, y)
    rows = x[:400]
    columns = pipeline[:-1].transform(rows)
    by_column = pipeline[-1].coef_[0] * (columns - columns[:100].mean(axis=0))  # the first hundred are the background
    expected = by_column[:, :4].copy()
    expected[:, 3] += by_column[:, 4]  # the one column that marks missing values is income's
    explanation = explain(pipeline, rows, x[:100], FEATURES)
    assert explanation.values == pytest.approx(expected)
