"""The kinds of model that compete: each a scikit-learn pipeline from raw features to a probability."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline

THREADS = 2

Parameters = Mapping[str, Any]


def build(candidate: str, parameters: Parameters, seed: int) -> Pipeline:
    """An unfitted pipeline; it takes a matrix with nan for missing values.

    The trees treat missing values themselves. The linear model gets logarithm-like (inverse hyperbolic sine, defined
    for negative money too), filled, standardised columns and a column that marks what was filled.
    """
    return _BUILDERS[candidate]({**parameters, **fixed_parameters(candidate, seed)})


def fixed_parameters(candidate: str, seed: int) -> Parameters:
    """What no ``model.yaml`` may give, because every model of the kind has it."""
    return {"random_state": seed, **_FIXED[candidate]}


def _logistic_regression(parameters: Parameters) -> Pipeline:
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import FunctionTransformer, StandardScaler

    return Pipeline(
        [
            ("compress", FunctionTransformer(np.arcsinh, feature_names_out="one-to-one")),
            ("fill", SimpleImputer(strategy="median", add_indicator=True)),
            ("standardise", StandardScaler()),
            ("model", LogisticRegression(**parameters)),
        ]
    )


def _random_forest(parameters: Parameters) -> Pipeline:
    from sklearn.ensemble import RandomForestClassifier

    return Pipeline([("model", RandomForestClassifier(**parameters))])


def _xgboost(parameters: Parameters) -> Pipeline:
    from xgboost import XGBClassifier

    return Pipeline([("model", XGBClassifier(**parameters))])


def _lightgbm(parameters: Parameters) -> Pipeline:
    from lightgbm import LGBMClassifier

    return Pipeline([("model", LGBMClassifier(**parameters))])


_FIXED: Mapping[str, Parameters] = {
    "logistic_regression": {"max_iter": 1000},
    "random_forest": {"n_jobs": THREADS},
    "xgboost": {"n_jobs": THREADS, "tree_method": "hist"},
    "lightgbm": {"n_jobs": THREADS, "deterministic": True, "force_row_wise": True, "verbose": -1},
}
_BUILDERS: Mapping[str, Callable[[Parameters], Pipeline]] = {
    "logistic_regression": _logistic_regression,
    "random_forest": _random_forest,
    "xgboost": _xgboost,
    "lightgbm": _lightgbm,
}
