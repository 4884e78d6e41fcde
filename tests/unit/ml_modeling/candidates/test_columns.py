"""Roles of columns, selection, weights and early stopping: in the pipeline that is fitted, stored and served."""

from dataclasses import replace

import numpy as np
import pytest
import skops.io
import yaml

from feature_store.definitions import Task
from ml_modeling.candidates.pipelines import Recipe, build, fit_arguments
from ml_modeling.evaluation.explanation import explain
from ml_modeling.frames.examples import Examples
from ml_modeling.registry.served import METADATA_KEY, TRUSTED_TYPES, MulticlassServing, RegressionServing, read_model
from ml_modeling.specification import Columns, EarlyStopping
from ml_modeling.specification.parts import NATIVE
from ml_modeling.tasks.binary import BinaryTask
from ml_modeling.tasks.regression import RegressionTask
from ml_modeling.tasks.weights import class_weights
from ml_modeling.training.fitting import Fitting
from ml_modeling.use_case import load_use_case
from tests.unit.ml_modeling.registry.test_served import SPEC

FEATURES = ("spent", "shop", "is_weekend", "noise")
ROLES = Columns(categorical=("shop",), boolean=("is_weekend",))
SMALL = {"random_forest": {"n_estimators": 20}, "xgboost": {"n_estimators": 20}, "lightgbm": {"n_estimators": 20}}
SMALL |= {"mlp": {"hidden_layer_sizes": [8], "max_iter": 300}}
CHURN, SPEND = (load_use_case(name).spec for name in ("churn", "next_spend"))
EVERY = [(task, name) for task in Task for name in Recipe(task).candidates]


def rows(n=600, seed=0):
    """The shop decides, and no order of its numbers does: 3 and 11 are high, 7 and 40 low."""
    random = np.random.default_rng(seed)
    shop = random.choice([3.0, 7.0, 11.0, 40.0], n)
    x = np.column_stack([random.gamma(2, 10, n), shop, random.integers(0, 2, n), random.normal(size=n)])
    z = np.isin(shop, (3, 11)) * 4.0 + random.normal(0, 0.5, n)
    x[random.random(x.shape) < 0.05] = np.nan
    return x, z


def labels(task, z):
    if task is Task.REGRESSION:
        return z
    return (z > 2).astype(int) if task is Task.BINARY else np.digitize(z, (1, 4))


def fitted(task, candidate, columns=ROLES, **parameters):
    x, z = rows()
    recipe = Recipe(task, FEATURES, columns)
    told = {f"model__{name}": value for name, value in fit_arguments(candidate, recipe).items()}
    return build(candidate, {**SMALL.get(candidate, {}), **parameters}, 1, recipe).fit(x, labels(task, z), **told), x


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("task", "candidate"), EVERY, ids=str)
def test_every_candidate_of_every_task_answers_the_same_after_it_was_stored(tmp_path, task, candidate):
    pipeline, x = fitted(task, candidate)
    common = SPEC.model_dump(include={"use_case", "feature_service", "feature_fingerprint"}) | {"features": FEATURES}
    spec = {
        Task.BINARY: SPEC.model_copy(update={"features": FEATURES}),
        Task.MULTICLASS: MulticlassServing(**common, classes=("a", "b", "c"), cold_start_scores=(0.2, 0.3, 0.5)),
        Task.REGRESSION: RegressionServing(**common, cold_start_value=1.0),
    }[task]
    skops.io.dump(pipeline, tmp_path / "model.skops")
    stored = {
        "flavors": {"sklearn": {"pickled_model": "model.skops"}},
        "metadata": {METADATA_KEY: spec.model_dump(mode="json")},
    }
    (tmp_path / "MLmodel").write_text(yaml.safe_dump(stored), encoding="utf-8")
    read, loaded = read_model(tmp_path, "version 1")
    assert read == spec
    strange = x.copy()
    strange[:5, 1] = 99.0  # a shop that nobody has seen
    answer = "predict" if task is Task.REGRESSION else "predict_proba"
    assert getattr(loaded, answer)(strange) == pytest.approx(getattr(pipeline, answer)(strange), abs=1e-9)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("task", "candidate"), EVERY, ids=str)
def test_a_category_is_learnt_and_explained_as_the_one_feature_it_is(task, candidate):
    pipeline, x = fitted(task, candidate)
    explanation = explain(pipeline, x, x, FEATURES)
    assert set(explanation.importance) == set(FEATURES)
    assert next(iter(explanation.importance)) == "shop"


@pytest.mark.parametrize("candidate", NATIVE)
def test_a_category_that_was_given_as_one_is_split_by_membership(candidate):
    """One split of the categories decides; of the numbers it takes three: trees of one split cannot."""
    parameters = {"n_estimators": 1, "max_depth": 1} | ({"min_child_samples": 5} if candidate == "lightgbm" else {})
    pipeline, _ = fitted(Task.BINARY, candidate, **parameters)
    asked = np.array([[20.0, shop, 0.0, 0.0] for shop in (3, 7, 11, 40)])
    high_low = pipeline.predict_proba(asked)[:, 1]
    assert min(high_low[0], high_low[2]) > max(high_low[1], high_low[3])


def test_a_category_encoded_differently_at_serving_would_be_seen():
    """The encoder is a step of the stored pipeline: shops in another order are other columns."""
    pipeline, x = fitted(Task.BINARY, "logistic_regression")
    encoder = pipeline[0].named_transformers_["categorical"]
    right = pipeline.predict_proba(x)[:, 1]
    encoder.categories_[0][:] = encoder.categories_[0][[1, 0, 2, 3, 4]]
    assert not np.allclose(pipeline.predict_proba(x)[:, 1], right, atol=0.1)


def test_without_roles_a_pipeline_is_what_it_was():
    assert [name for name, _ in build("lightgbm", {}, 1).steps] == ["model"]
    steps = build("logistic_regression", {}, 1).steps
    assert [name for name, _ in steps] == ["compress", "fill", "standardise", "model"]


@pytest.mark.parametrize("candidate", ["logistic_regression", "lightgbm"])
def test_a_selection_keeps_so_many_columns_and_those_that_decide(candidate):
    pipeline, _ = fitted(Task.BINARY, candidate, ROLES.model_copy(update={"select": 2, "encoding": {}}))
    kept = pipeline[:-1].get_feature_names_out(FEATURES)
    assert len(kept) == 2
    assert any(name.startswith("shop") for name in kept)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"categorical": ("shop",), "boolean": ("shop",)}, "shop has two roles"),
        ({"encoding": {"mlp": "native"}}, "mlp takes no categories as they are: one_hot or ordinal"),
        ({"encoding": {"mlp": "hash"}}, "Input should be 'one_hot', 'ordinal' or 'native'"),
        ({"impute": "mode"}, "Input should be 'median', 'mean' or 'zero'"),
    ],
)
def test_roles_that_mean_nothing_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        Columns(**changes)


def examples(seed):
    x, z = rows(800, seed)
    return Examples(x, (z + np.random.default_rng(seed).normal(0, 2, 800) > 2).astype(int), np.arange(800))


def fitting(**changes):
    return Fitting(BinaryTask(CHURN.model_copy(update=changes)), Recipe(Task.BINARY, FEATURES, ROLES))


@pytest.mark.parametrize("candidate", ["xgboost", "lightgbm"])
def test_boosting_stops_where_validation_gains_no_more_and_the_final_fit_has_as_many_trees(candidate):
    early = fitting(early_stopping=EarlyStopping(rounds=5))
    parameters = {"n_estimators": 400, "learning_rate": 0.3}
    found = early.fit_validated(candidate, parameters, examples(1), examples(2))
    assert 1 <= found.parameters["n_estimators"] < 200
    again = early.fit(candidate, found.parameters, examples(1))
    x = examples(3).x
    assert again.predict_proba(x) == pytest.approx(found.pipeline.predict_proba(x), abs=1e-6)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("task", [Task.BINARY, Task.REGRESSION])
def test_a_network_stops_where_validation_gains_no_more(task):
    """The label is noise: what is learnt after the first passes is learnt by heart."""
    random = np.random.default_rng(3)
    train, later = (Examples(rows(200, seed)[0], random.integers(0, 2, 200), np.arange(200)) for seed in (1, 2))
    kind = BinaryTask(CHURN) if task is Task.BINARY else RegressionTask(SPEND)
    stopping = {"early_stopping": EarlyStopping(rounds=5)}
    early = Fitting(replace(kind, spec=kind.spec.model_copy(update=stopping)), Recipe(task, FEATURES, ROLES))
    parameters = {"hidden_layer_sizes": [32], "learning_rate_init": 0.01, "max_iter": 200}
    found = early.fit_validated("mlp", parameters, train, later)
    assert 1 <= found.parameters["max_iter"] < 150
    assert found.pipeline[-1].n_iter_ <= found.parameters["max_iter"]


def test_what_is_not_boosted_does_not_stop_early():
    early = fitting(early_stopping=EarlyStopping(rounds=5))
    found = early.fit_validated("random_forest", {"n_estimators": 10}, examples(1), examples(2))
    assert found.parameters == {"n_estimators": 10}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("candidate", Recipe().candidates)
def test_a_label_with_more_weight_is_found_more_often(candidate):
    train, asked = examples(1), examples(2).x
    plain, heavy = (
        fitting(class_weights=weights).fit(candidate, SMALL.get(candidate, {}), train).predict_proba(asked)
        for weights in (None, {"stays": 1.0, "churns": 10.0})
    )
    assert heavy[:, 1].mean() > plain[:, 1].mean() + 0.1


def test_balanced_weights_add_up_to_the_same_for_each_label():
    y = np.array([0, 0, 0, 1, 2, 2])
    weights = class_weights(y, "balanced", ("a", "b", "c"))
    assert [weights[y == label].sum() for label in range(3)] == pytest.approx([2, 2, 2])
    assert class_weights(y, {"a": 1.0, "b": 5.0, "c": 2.0}, ("a", "b", "c")).tolist() == [1, 1, 1, 5, 2, 2]
    assert class_weights(y, None, ("a", "b", "c")) is None


def test_only_types_that_are_known_are_built_of_a_network():
    pipeline, _ = fitted(Task.BINARY, "mlp")
    assert set(skops.io.get_untrusted_types(data=skops.io.dumps(pipeline))) <= set(TRUSTED_TYPES)
