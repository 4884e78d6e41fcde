import numpy as np
import pytest
import skops.io
import yaml
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer

from ml_modeling.candidates.pipelines import build
from ml_modeling.registry.answers import answer
from ml_modeling.registry.identity import ModelIdentity
from ml_modeling.registry.served import METADATA_KEY, ServingSpec, UnreadableModelError, read_model

SPEC = ServingSpec(
    use_case="churn",
    feature_service="churn",
    feature_fingerprint="0" * 32,
    features=("a", "b", "c"),
    threshold=0.4,
    decisions=("stays", "churns"),
    cold_start_score=0.3,
)
WHICH = ModelIdentity(run_id="run", model_id="m-1")
SMALL = {
    "logistic_regression": {"C": 0.5},
    "random_forest": {"n_estimators": 20, "max_depth": 6},
    "xgboost": {"n_estimators": 10},
    "lightgbm": {"n_estimators": 10},
}


def examples():
    random = np.random.default_rng(0)
    x = random.normal(size=(500, 3))
    x[random.random(x.shape) < 0.15] = np.nan
    return x, (np.nan_to_num(x[:, 0]) + random.normal(0, 0.5, 500) > 0).astype(int)


def write(folder, pipeline, spec=SPEC):
    skops.io.dump(pipeline, folder / "model.skops")
    description = {
        "flavors": {"sklearn": {"pickled_model": "model.skops"}},
        "metadata": {METADATA_KEY: spec.model_dump(mode="json")},
    }
    (folder / "MLmodel").write_text(yaml.safe_dump(description), encoding="utf-8")


def double(x):
    return x * 2


@pytest.mark.parametrize("candidate", SMALL)
@pytest.mark.parametrize("rows", [1, 200], ids=["one row", "many rows"])
def test_every_candidate_scores_the_same_after_it_was_stored(tmp_path, candidate, rows):
    x, y = examples()
    pipeline = build(candidate, SMALL[candidate], seed=1).fit(x, y)
    write(tmp_path, pipeline)
    spec, loaded = read_model(tmp_path, "version 3")
    found = answer(spec, loaded, x[:rows]).scores
    assert found == pytest.approx(pipeline.predict_proba(x[:rows])[:, 1], abs=1e-9)
    assert found.shape == (rows,)


def test_a_row_without_any_value_gets_a_probability():
    x, y = examples()
    for candidate, parameters in SMALL.items():
        fitted = build(candidate, parameters, seed=1).fit(x, y)
        assert 0 <= answer(SPEC, fitted, np.full((1, 3), np.nan)).scores[0] <= 1


def test_a_score_at_the_threshold_is_the_positive_decision():
    class Given:
        def predict_proba(self, x):
            return np.column_stack([1 - x[:, 0], x[:, 0]])

    assert answer(SPEC, Given(), np.array([[0.39], [0.4], [0.41]])).decisions == ("stays", "churns", "churns")


def test_a_model_that_brings_code_of_its_own_is_refused(tmp_path):
    x, y = examples()
    pipeline = build("lightgbm", SMALL["lightgbm"], seed=1)
    write(tmp_path, Pipeline([("code", FunctionTransformer(double)), *pipeline.steps]).fit(x, y))
    with pytest.raises(UnreadableModelError, match="version 3 is none this project can serve"):
        read_model(tmp_path, "version 3")


@pytest.mark.parametrize("file", ["MLmodel", "model.skops"])
@pytest.mark.parametrize("damage", ["missing", "cut", "garbage"])
def test_a_damaged_model_is_named_by_its_version_and_not_by_a_folder_that_will_be_gone(tmp_path, file, damage):
    x, y = examples()
    write(tmp_path, build("logistic_regression", SMALL["logistic_regression"], seed=1).fit(x, y))
    path = tmp_path / file
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:40] if damage == "cut" else b"\x00\xff: [")
    with pytest.raises(UnreadableModelError, match="version 3 is none this project can serve") as error:
        read_model(tmp_path, "version 3")
    assert str(tmp_path) not in str(error.value)


def test_a_model_that_was_logged_by_hand_is_told_from_a_damaged_one(tmp_path):
    x, y = examples()
    write(tmp_path, build("logistic_regression", SMALL["logistic_regression"], seed=1).fit(x, y))
    (tmp_path / "MLmodel").write_text("flavors: {sklearn: {pickled_model: model.skops}}", encoding="utf-8")
    with pytest.raises(UnreadableModelError, match="`tidemill models train` did not make it"):
        read_model(tmp_path, "version 3")


def test_a_model_is_read_from_its_own_folder_only(tmp_path):
    x, y = examples()
    (tmp_path / "own").mkdir()
    write(tmp_path, build("logistic_regression", SMALL["logistic_regression"], seed=1).fit(x, y))
    description = (tmp_path / "MLmodel").read_text(encoding="utf-8").replace("model.skops", "../model.skops")
    (tmp_path / "own" / "MLmodel").write_text(description, encoding="utf-8")
    with pytest.raises(UnreadableModelError, match=r"it has no file \.\./model\.skops"):
        read_model(tmp_path / "own", "version 3")


def test_a_model_of_before_there_were_tasks_is_yes_or_no(tmp_path):
    x, y = examples()
    write(tmp_path, build("lightgbm", SMALL["lightgbm"], seed=1).fit(x, y))
    description = yaml.safe_load((tmp_path / "MLmodel").read_text(encoding="utf-8"))
    for key in ("task", "entities", "inputs"):
        del description["metadata"][METADATA_KEY][key]
    (tmp_path / "MLmodel").write_text(yaml.safe_dump(description), encoding="utf-8")
    assert read_model(tmp_path, "version 1")[0] == SPEC
