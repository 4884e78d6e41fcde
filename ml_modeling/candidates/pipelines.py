"""The kinds of model that compete: each a scikit-learn pipeline from raw features to its answer."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sklearn.pipeline import Pipeline

from feature_store.definitions import Task
from ml_modeling.candidates.preprocessing import Needs, categorical_places, steps
from ml_modeling.specification import Columns, Encoding

THREADS = 2

Parameters = Mapping[str, Any]
Estimator = Callable[..., Any]


@dataclass(frozen=True)
class Recipe:
    """What all candidates of a use case have in common; ``own`` are its own estimators, by name."""

    task: Task = Task.BINARY
    features: tuple[str, ...] = ()
    columns: Columns = field(default_factory=Columns)
    own: Mapping[str, Estimator] = field(default_factory=dict)

    @property
    def candidates(self) -> tuple[str, ...]:
        """The names that ``model.yaml`` may give."""
        return (*_LINEAR[self.task], *TREES, MLP, *self.own)


def build(candidate: str, parameters: Parameters, seed: int, recipe: Recipe | None = None) -> Pipeline:
    """An unfitted pipeline; it takes a matrix with nan for missing values.

    The trees treat missing values themselves. The others get logarithm-like (inverse hyperbolic sine, defined for
    negative money too), filled, standardised columns and a column that marks what was filled, unless ``model.yaml``
    says otherwise.
    """
    made_by = recipe or Recipe()
    needs = _needs(candidate, made_by.columns)
    before = steps(made_by.columns, made_by.features, needs, made_by.task, seed)
    return Pipeline([*before, ("model", _model(candidate, parameters, seed, made_by, needs))])


def fixed_parameters(candidate: str, seed: int) -> Parameters:
    """What no ``model.yaml`` may give, because every model of the kind has it."""
    return {"random_state": seed, **_FIXED.get(candidate, {})}


def fit_arguments(candidate: str, recipe: Recipe) -> Parameters:
    """What the estimator's ``fit`` is told beside the examples."""
    is_native = _needs(candidate, recipe.columns).encoding == "native" and recipe.columns.categorical
    if candidate == "lightgbm" and is_native:
        return {"categorical_feature": categorical_places(recipe.columns, recipe.features)}
    return {}


def _model(candidate: str, parameters: Parameters, seed: int, recipe: Recipe, needs: Needs) -> Any:
    if candidate in recipe.own:
        model = recipe.own[candidate](**parameters)
        return model.set_params(random_state=seed) if "random_state" in model.get_params() else model
    native = {}
    if candidate == "xgboost" and needs.encoding == "native" and recipe.columns.categorical:
        places = set(categorical_places(recipe.columns, recipe.features))
        kinds = ["c" if place in places else "q" for place, _ in enumerate(recipe.features)]
        native = {"feature_types": kinds, "enable_categorical": True}
    return _LIBRARIES[candidate](recipe.task is Task.REGRESSION)(
        **{**parameters, **fixed_parameters(candidate, seed), **native}
    )


def _needs(candidate: str, columns: Columns) -> Needs:
    return Needs(candidate not in TREES, columns.encoding.get(candidate, _ENCODING.get(candidate, "one_hot")))


def _linear(is_number: bool) -> Estimator:
    from sklearn.linear_model import LogisticRegression, Ridge

    kinds: tuple[Estimator, Estimator] = (LogisticRegression, Ridge)
    return kinds[is_number]


def _random_forest(is_number: bool) -> Estimator:
    from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

    kinds: tuple[Estimator, Estimator] = (RandomForestClassifier, RandomForestRegressor)
    return kinds[is_number]


def _xgboost(is_number: bool) -> Estimator:
    from xgboost import XGBClassifier, XGBRegressor

    kinds: tuple[Estimator, Estimator] = (XGBClassifier, XGBRegressor)
    return kinds[is_number]


def _lightgbm(is_number: bool) -> Estimator:
    from lightgbm import LGBMClassifier, LGBMRegressor

    kinds: tuple[Estimator, Estimator] = (LGBMClassifier, LGBMRegressor)
    return kinds[is_number]


def _mlp(is_number: bool) -> Estimator:
    from sklearn.neural_network import MLPClassifier, MLPRegressor

    kinds: tuple[Estimator, Estimator] = (MLPClassifier, MLPRegressor)
    return kinds[is_number]


MLP = "mlp"
TREES = ("random_forest", "xgboost", "lightgbm")
_LINEAR: Mapping[Task, tuple[str, ...]] = {
    Task.BINARY: ("logistic_regression",),
    Task.MULTICLASS: ("logistic_regression",),
    Task.REGRESSION: ("ridge",),
}
_LIBRARIES: Mapping[str, Callable[[bool], Estimator]] = {
    "logistic_regression": _linear,
    "ridge": _linear,
    "random_forest": _random_forest,
    "xgboost": _xgboost,
    "lightgbm": _lightgbm,
    MLP: _mlp,
}
_ENCODING: Mapping[str, Encoding] = {"random_forest": "ordinal", "xgboost": "native", "lightgbm": "native"}
_FIXED: Mapping[str, Parameters] = {
    "logistic_regression": {"max_iter": 1000},
    "random_forest": {"n_jobs": THREADS},
    "xgboost": {"n_jobs": THREADS, "tree_method": "hist"},
    "lightgbm": {"n_jobs": THREADS, "deterministic": True, "force_row_wise": True, "verbose": -1},
}
