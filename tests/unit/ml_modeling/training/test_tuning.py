import numpy as np
import pytest

from ml_modeling.candidates.pipelines import Recipe
from ml_modeling.frames.examples import Examples
from ml_modeling.tasks.binary import BinaryTask
from ml_modeling.training.fitting import Fitting
from ml_modeling.training.tuning import SearchError, best, search
from ml_modeling.use_case import load_use_case


@pytest.fixture
def parts():
    random = np.random.default_rng(5)
    x = random.normal(size=(400, 3))
    x[random.random(x.shape) < 0.1] = np.nan
    y = (np.nan_to_num(x[:, 0]) + random.normal(0, 1, 400) > 0).astype(int)
    entities = np.arange(400)
    return Examples(x[:250], y[:250], entities[:250]), Examples(x[250:], y[250:], entities[250:])


def fitting(trials=6, timeout_s=1_000.0, candidates=None):
    churn = load_use_case("churn").with_budget(trials, timeout_s).spec
    small = {"logistic_regression": churn.candidates["logistic_regression"], "lightgbm": {"n_estimators": 5}}
    return Fitting(BinaryTask(churn.model_copy(update={"candidates": candidates or small})), Recipe())


def quiet(*_):
    return None


def test_candidates_take_turns_and_the_best_score_wins(parts):
    trials = search(*parts, fitting(), quiet)
    assert [trial.candidate for trial in trials] == ["logistic_regression", "lightgbm"] * 3
    assert best(trials).score == max(trial.score for trial in trials)


def test_the_same_seed_searches_the_same_parameters(parts):
    first, second = (search(*parts, fitting(), quiet) for _ in range(2))
    assert [(trial.parameters, trial.score) for trial in first] == [(trial.parameters, trial.score) for trial in second]


def test_a_spent_time_budget_still_tries_every_candidate_once(parts):
    trials = search(*parts, fitting(trials=50, timeout_s=1e-9), quiet)
    assert [trial.candidate for trial in trials] == ["logistic_regression", "lightgbm"]


def test_progress_is_told_after_each_trial(parts):
    told = []
    trials = search(*parts, fitting(), lambda *step: told.append(step))
    assert [(number, wanted) for number, wanted, _, _ in told] == [(number, 6) for number in range(1, 7)]
    assert told[-1][3] == best(trials)


@pytest.mark.parametrize("parameters", [{"depth": 3}, {"C": -1.0}], ids=["unknown parameter", "impossible value"])
def test_a_parameter_the_candidate_does_not_take_is_named(parts, parameters):
    with pytest.raises(SearchError, match="candidate logistic_regression cannot be trained with"):
        search(*parts, fitting(candidates={"logistic_regression": parameters}), quiet)
