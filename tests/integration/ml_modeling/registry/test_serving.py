"""Loading the champion from the real MLflow server, and from the local copy."""

import socket
from collections.abc import Iterator
from pathlib import Path

import mlflow
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline

from ml_modeling.registry import (
    CHAMPION,
    MlflowUnavailableError,
    ModelCache,
    ServedModel,
    ServingSpec,
    alias_version,
    champion_version,
)
from ml_modeling.registry.answers import answer
from ml_modeling.registry.connection import connect
from ml_modeling.registry.served import METADATA_KEY
from tidemill.config import Settings
from tidemill.config.sections import Mlflow

pytestmark = pytest.mark.usefixtures("mlflow_server")

X = np.array([[0.0], [1.0], [2.0], [3.0]])


@pytest.fixture
def champion(settings: Settings, name: str):
    """Registers a model whose log-odds are ``slope`` times its only feature and makes it the champion."""

    def make(slope: float) -> str:
        client = connect(settings)
        model = Pipeline([("model", LogisticRegression())]).fit(X, [0, 0, 1, 1])
        model[-1].coef_, model[-1].intercept_ = np.array([[slope]]), np.array([0.0])
        spec = ServingSpec(
            use_case=name,
            feature_service="churn",
            feature_fingerprint="00ff",
            features=("recency_days",),
            threshold=0.5,
            decisions=("stays", "churns"),
            cold_start_score=0.25,
        )
        mlflow.set_experiment(name)
        with mlflow.start_run():
            logged = mlflow.sklearn.log_model(
                model,
                name="model",
                serialization_format="skops",
                pip_requirements=["scikit-learn"],
                metadata={METADATA_KEY: spec.model_dump(mode="json")},
                registered_model_name=name,
            )
        version = str(logged.registered_model_version)
        client.set_registered_model_alias(name, "champion", version)
        return version

    return make


@pytest.fixture
def silent(settings: Settings) -> Iterator[Settings]:
    """The settings of a server that takes connections and never answers."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        uri = f"http://127.0.0.1:{listener.getsockname()[1]}"
        yield settings.model_copy(update={"mlflow": Mlflow(tracking_uri=uri, timeout_s=1)})


def load(settings: Settings, name: str, cache: Path) -> ServedModel:
    """The champion as the server loads it; it serves, and is noted."""
    model = ModelCache(cache).load(settings, alias_version(settings, name, CHAMPION))
    ModelCache(cache).note(model)
    return model


def score_of_one(model: ServedModel) -> float:
    return float(answer(model.spec, model.pipeline, np.array([[1.0]])).scores[0])


def sigmoid(x: float) -> float:
    return float(1 / (1 + np.exp(-x)))


def test_the_champion_scores_and_carries_what_a_decision_needs(settings, name, champion, tmp_path):
    version = champion(2.0)
    model = load(settings, name, tmp_path)
    assert (model.name, model.version, model.alias) == (name, version, "champion")
    assert (model.features, model.feature_service) == (("recency_days",), "churn")
    assert (model.spec.threshold, model.spec.cold_start_score) == (0.5, 0.25)
    answered = answer(model.spec, model.pipeline, np.array([[1.5], [-1.0]]))
    assert answered.scores == pytest.approx([sigmoid(3.0), sigmoid(-2.0)])
    assert answered.decisions == ("churns", "stays")


def test_a_new_champion_is_noticed_and_loaded(settings, name, champion, tmp_path):
    first = champion(1.0)
    assert champion_version(settings, name) == first
    load(settings, name, tmp_path)
    second = champion(3.0)
    assert champion_version(settings, name) == second
    assert score_of_one(load(settings, name, tmp_path)) == pytest.approx(sigmoid(3.0))


def test_a_server_that_never_answers_is_given_up_on(silent, name):
    with pytest.raises(MlflowUnavailableError, match="does not answer"):
        champion_version(silent, name)


def test_a_model_that_does_not_exist_is_not_mistaken_for_an_outage(settings, name):
    assert champion_version(settings, name) is None


def test_a_model_made_anew_under_the_same_number_is_loaded_anew(settings, name, champion, tmp_path):
    first = champion(1.0)
    load(settings, name, tmp_path)
    connect(settings).delete_registered_model(name)
    assert champion(3.0) == first
    assert score_of_one(load(settings, name, tmp_path)) == pytest.approx(sigmoid(3.0))
