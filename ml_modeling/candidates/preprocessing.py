"""From the matrix of features to what an estimator reads, by the roles that ``model.yaml`` gives columns.

It is the first part of the pipeline that is fitted, logged and served, so that serving cannot encode differently.
Columns leave it in one order: numeric, categorical, boolean.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from feature_store.definitions import Task
from ml_modeling.specification import Columns, Encoding

Steps = list[tuple[str, Any]]
SELECTING_TREES = 50
AS_IT_IS = "passthrough"
NUMERIC, CATEGORICAL, BOOLEAN = "numeric", "categorical", "boolean"


@dataclass(frozen=True)
class Needs:
    """What an estimator cannot do itself: take missing values and any scale; and how categories are given to it."""

    is_filled: bool
    encoding: Encoding


def steps(columns: Columns, features: Sequence[str], needs: Needs, task: Task, seed: int) -> Steps:
    """The steps before the estimator; none where it takes the matrix as it is."""
    numeric = _numeric(columns) if needs.is_filled else []
    prepared = [("columns", _by_role(columns, features, needs, numeric))] if columns.roles else numeric
    return [*prepared, *([("select", _selection(columns.select, task, seed))] if columns.select else [])]


def categorical_places(columns: Columns, features: Sequence[str]) -> list[int]:
    """Where the categorical columns are after the steps, if each stays one."""
    first = len(features) - len(columns.roles)
    return list(range(first, first + len(columns.categorical)))


def _numeric(columns: Columns) -> Steps:
    from sklearn.impute import SimpleImputer
    from sklearn.preprocessing import FunctionTransformer, RobustScaler, StandardScaler

    fill = {"strategy": "constant", "fill_value": 0.0} if columns.impute == "zero" else {"strategy": columns.impute}
    scale = {"standard": StandardScaler, "robust": RobustScaler}.get(columns.scale)
    return [
        *([("compress", FunctionTransformer(np.arcsinh, feature_names_out="one-to-one"))] if columns.compress else []),
        ("fill", SimpleImputer(**fill, add_indicator=True)),
        *([("standardise", scale())] if scale else []),
    ]


def _by_role(columns: Columns, features: Sequence[str], needs: Needs, numeric: Steps) -> Any:
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import Pipeline

    place = {name: number for number, name in enumerate(features)}
    others = [number for name, number in place.items() if name not in columns.roles]
    boolean = SimpleImputer(strategy="constant", fill_value=0.0, add_indicator=True) if needs.is_filled else AS_IT_IS
    parts = [
        (NUMERIC, Pipeline(numeric) if numeric else AS_IT_IS, others),
        (CATEGORICAL, _encoder(needs, columns), [place[name] for name in columns.categorical]),
        (BOOLEAN, boolean, [place[name] for name in columns.boolean]),
    ]
    return ColumnTransformer([part for part in parts if part[2]], verbose_feature_names_out=False, sparse_threshold=0)


def _encoder(needs: Needs, columns: Columns) -> Any:
    """A category that was not fitted is none of the known ones: zeros, or a missing value."""
    from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder

    if needs.encoding == "one_hot":
        return OneHotEncoder(
            handle_unknown="infrequent_if_exist", max_categories=columns.max_categories, sparse_output=False
        )
    unknown = -1.0 if needs.is_filled else np.nan
    return OrdinalEncoder(
        handle_unknown="use_encoded_value",
        unknown_value=unknown,
        encoded_missing_value=unknown,
        max_categories=columns.max_categories,
    )


def _selection(number: int, task: Task, seed: int) -> Any:
    """The columns that a small forest splits by most; it takes missing values too."""
    from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
    from sklearn.feature_selection import SelectFromModel

    forest = RandomForestRegressor if task is Task.REGRESSION else RandomForestClassifier
    grown = forest(n_estimators=SELECTING_TREES, max_depth=8, random_state=seed)
    return SelectFromModel(grown, threshold=-np.inf, max_features=number)
