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
    return _BUILDERS[candidate](parameters, seed)


def _logistic_regression(parameters: Parameters, seed: int) -> Pipeline:
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import FunctionTransformer, StandardScaler

    return Pipeline(
        [
            ("compress", FunctionTransformer(np.arcsinh, feature_names_out="one-to-one")),
            ("fill", SimpleImputer(strategy="median", add_indicator=True)),
            ("standardise", StandardScaler()),
            ("model", LogisticRegression(max_iter=1000, random_state=seed, **parameters)),
        ]
    )


def _random_forest(parameters: Parameters, seed: int) -> Pipeline:
    from sklearn.ensemble import RandomForestClassifier

    return Pipeline([("model", RandomForestClassifier(n_jobs=THREADS, random_state=seed, **parameters))])


def _xgboost(parameters: Parameters, seed: int) -> Pipeline:
    from xgboost import XGBClassifier

    return Pipeline([("model", XGBClassifier(n_jobs=THREADS, random_state=seed, tree_method="hist", **parameters))])


def _lightgbm(parameters: Parameters, seed: int) -> Pipeline:
    from lightgbm import LGBMClassifier

    fixed = {"n_jobs": THREADS, "random_state": seed, "deterministic": True, "force_row_wise": True, "verbose": -1}
    return Pipeline([("model", LGBMClassifier(**fixed, **parameters))])


_BUILDERS: Mapping[str, Callable[[Parameters, int], Pipeline]] = {
    "logistic_regression": _logistic_regression,
    "random_forest": _random_forest,
    "xgboost": _xgboost,
    "lightgbm": _lightgbm,
}
