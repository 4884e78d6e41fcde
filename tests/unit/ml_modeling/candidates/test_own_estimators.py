"""Estimators of a use case's own: found by its file, named in model.yaml, and read back as its installed code only."""

import sys
from types import ModuleType

import numpy as np
import pytest
import skops.io
import yaml
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.neighbors import KNeighborsClassifier

from feature_store.definitions import Task
from ml_modeling.candidates import own_estimators as own
from ml_modeling.candidates.own_estimators import EstimatorError
from ml_modeling.candidates.pipelines import Recipe, build
from ml_modeling.registry.served import METADATA_KEY, UnreadableModelError, read_model
from ml_modeling.specification import SpecificationError, read_specification
from tests.unit.ml_modeling.registry.test_served import SPEC, examples
from tidemill.config.project import current_project

MODULE = "use_cases.churn.estimators"


class Share(ClassifierMixin, BaseEstimator):
    """Answers the share of positives it was fitted on, raised to a power."""

    def __init__(self, power=1, random_state=None):
        self.power = power
        self.random_state = random_state

    def fit(self, x, y):
        if self.power < 0:
            raise ValueError("power is below zero")
        self.classes_ = np.array([0, 1])
        self.share_ = float(np.mean(y)) ** self.power
        return self

    def predict_proba(self, x):
        return np.tile([1 - self.share_, self.share_], (len(x), 1))

    def predict(self, x):
        return np.full(len(x), int(self.share_ > 0.5))


@pytest.fixture
def installed(monkeypatch):
    """A module as if the churn use case had an estimators.py with these names."""

    def install(**names):
        module = ModuleType(MODULE)
        vars(module).update(names)
        monkeypatch.setitem(sys.modules, MODULE, module)
        monkeypatch.setattr(own, "_module", lambda use_case: module if use_case == "churn" else None)
        return module

    return install


def test_a_use_case_without_the_file_has_none():
    assert own.own_estimators("churn") == {}
    assert own.own_estimators("no_such_use_case") == {}


def test_estimators_are_found_by_name_and_fitted_with_the_seed(installed):
    installed(ESTIMATORS={"share": Share, "nearest": KNeighborsClassifier})
    recipe = Recipe(own=own.own_estimators("churn"))
    x, y = examples()
    assert {"share", "nearest", "lightgbm"} <= set(recipe.candidates)
    assert build("share", {"power": 2}, 7, recipe)[-1].get_params() == {"power": 2, "random_state": 7}
    scores = (
        build("nearest", {"n_neighbors": 9}, 7, recipe).fit(x, y).predict_proba(x)[:, 1]
    )  # missing values are filled
    assert scores[y == 1].mean() > scores[y == 0].mean() + 0.2


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ({}, r"use_cases/churn/estimators\.py: ESTIMATORS is None; write ESTIMATORS = "),
        ({"ESTIMATORS": [Share]}, r"ESTIMATORS is \[.*\]; write"),
        ({"ESTIMATORS": {"dict": dict}}, "dict has no fit, predict, get_params, set_params: derive it from"),
    ],
)
def test_a_file_that_cannot_be_used_says_what_to_write(installed, names, message):
    installed(**names)
    with pytest.raises(EstimatorError, match=message):
        own.own_estimators("churn")


@pytest.mark.parametrize(
    ("candidates", "message"),
    [
        ({"share": {"power": 2}}, ""),
        ({"share": {"powr": 2}}, r"candidates\.share\.powr: share has no such parameter; did you mean power\?"),
        ({"share": {"power": -1}}, r"candidates\.share\.power: -1 is refused by the library: power is below zero"),
        ({"shares": {}}, r"candidates\.shares: no model of a binary label; known: .*share.*estimators\.py"),
    ],
)
def test_their_parameters_are_checked_like_the_others(tmp_path, candidates, message):
    content = yaml.safe_load((current_project().use_cases()["churn"] / "model.yaml").read_text(encoding="utf-8"))
    file = tmp_path / "model.yaml"
    file.write_text(yaml.safe_dump(content | {"candidates": candidates}), encoding="utf-8")
    if not message:
        assert list(read_specification(file, own={"share": Share}).candidates) == ["share"]
        return
    with pytest.raises(SpecificationError, match=message):
        read_specification(file, own={"share": Share})


def stored(folder, estimator):
    x, y = examples()
    pipeline = build("own", {}, 1, Recipe(Task.BINARY, own={"own": estimator})).fit(x, y)
    skops.io.dump(pipeline, folder / "model.skops")
    described = {
        "flavors": {"sklearn": {"pickled_model": "model.skops"}},
        "metadata": {METADATA_KEY: SPEC.model_dump(mode="json")},
    }
    (folder / "MLmodel").write_text(yaml.safe_dump(described), encoding="utf-8")
    return pipeline, x


def test_a_model_of_the_installed_use_cases_own_class_is_read(tmp_path, installed, monkeypatch):
    module = installed(Share=Share, ESTIMATORS={"own": Share})
    monkeypatch.setattr(Share, "__module__", module.__name__)
    pipeline, x = stored(tmp_path, Share)
    _, loaded = read_model(tmp_path, "version 1")
    assert (loaded.predict_proba(x) == pipeline.predict_proba(x)).all()


def test_a_class_that_the_use_case_does_not_name_is_refused(tmp_path, installed):
    installed(ESTIMATORS={"own": KNeighborsClassifier})
    stored(tmp_path, Share)
    with pytest.raises(UnreadableModelError, match="version 1 is none this project can serve"):
        read_model(tmp_path, "version 1")


@pytest.mark.parametrize(
    "error",
    [NameError("no name 'Shear'"), SyntaxError("invalid syntax"), RuntimeError("no CUDA")],
    ids=str,
)
def test_a_model_whose_own_estimators_cannot_be_imported_is_unreadable_and_says_why(tmp_path, monkeypatch, error):
    def fails(_):
        raise error

    stored(tmp_path, Share)
    monkeypatch.setattr(own, "_module", fails)
    with pytest.raises(UnreadableModelError, match=f"version 1 is none this project can serve: {error}"):
        read_model(tmp_path, "version 1")


def test_a_class_of_another_library_is_read_when_the_use_case_names_it(tmp_path, installed):
    installed(ESTIMATORS={"own": Share}, TRUSTED_TYPES=(f"{Share.__module__}.Share",))
    stored(tmp_path, Share)
    read_model(tmp_path, "version 1")
