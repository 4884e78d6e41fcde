"""Loading the champion from the real MLflow server, and from the local copy when the server is away."""

import socket
from collections.abc import Iterator
from pathlib import Path

import mlflow
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline

from config import Settings
from config.settings import Mlflow
from ml_modeling.registry import (
    MlflowUnavailableError,
    NoModelError,
    ServingSpec,
    UnreadableModelError,
    champion_version,
    load_alias,
)
from ml_modeling.registry.connection import connect
from ml_modeling.registry.served import METADATA_KEY

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


def without_mlflow(settings: Settings) -> Settings:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        uri = f"http://127.0.0.1:{free.getsockname()[1]}"
    return settings.model_copy(update={"mlflow": Mlflow(tracking_uri=uri, timeout_s=1)})


@pytest.fixture
def silent(settings: Settings) -> Iterator[Settings]:
    """The settings of a server that takes connections and never answers."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        uri = f"http://127.0.0.1:{listener.getsockname()[1]}"
        yield settings.model_copy(update={"mlflow": Mlflow(tracking_uri=uri, timeout_s=1)})


def sigmoid(x: float) -> float:
    return float(1 / (1 + np.exp(-x)))


def test_the_champion_scores_and_carries_what_a_decision_needs(settings, name, champion, tmp_path):
    version = champion(2.0)
    model = load_alias(settings, name, cache=tmp_path)
    assert (model.name, model.version, model.alias, model.is_fallback) == (name, version, "champion", False)
    assert (model.features, model.threshold, model.cold_start_score) == (("recency_days",), 0.5, 0.25)
    assert (model.feature_service, model.decide(0.7)) == ("churn", "churns")
    assert model.score(np.array([[1.5], [-1.0]])) == pytest.approx([sigmoid(3.0), sigmoid(-2.0)])


def test_a_new_champion_is_noticed_and_loaded(settings, name, champion, tmp_path):
    first = champion(1.0)
    assert champion_version(settings, name) == first
    load_alias(settings, name, cache=tmp_path)
    second = champion(3.0)
    assert champion_version(settings, name) == second
    assert load_alias(settings, name, cache=tmp_path).score(np.array([[1.0]])) == pytest.approx([sigmoid(3.0)])


def test_without_mlflow_the_last_champion_is_loaded_and_says_so(settings, name, champion, tmp_path, caplog):
    version = champion(2.0)
    load_alias(settings, name, cache=tmp_path)
    model = load_alias(without_mlflow(settings), name, cache=tmp_path)
    assert (model.version, model.is_fallback) == (version, True)
    assert model.score(np.array([[1.0]])) == pytest.approx([sigmoid(2.0)])
    assert f"using the cached champion of {name}, version {version}" in caplog.text


def test_without_mlflow_and_without_a_copy_it_is_worth_trying_again(settings, name, tmp_path):
    with pytest.raises(MlflowUnavailableError, match="does not answer") as error:
        load_alias(without_mlflow(settings), name, cache=tmp_path)
    assert error.value.exit_status == 75


def test_a_server_that_never_answers_is_given_up_on(silent, name):
    with pytest.raises(MlflowUnavailableError, match="does not answer"):
        champion_version(silent, name)


def test_a_model_that_does_not_exist_is_not_mistaken_for_an_outage(settings, name, tmp_path):
    assert champion_version(settings, name) is None
    with pytest.raises(NoModelError, match=f"model '{name}' has no champion"):
        load_alias(settings, name, cache=tmp_path)


def test_a_damaged_copy_is_refused_and_downloaded_again(settings, name, champion, tmp_path):
    champion(2.0)
    load_alias(settings, name, cache=tmp_path)
    (stored,) = Path(tmp_path).glob("*/*/model.skops")
    stored.write_bytes(stored.read_bytes()[:100])
    with pytest.raises(UnreadableModelError):
        load_alias(settings, name, cache=tmp_path)
    assert load_alias(settings, name, cache=tmp_path).score(np.array([[1.0]])) == pytest.approx([sigmoid(2.0)])


def test_old_copies_are_removed_but_never_the_one_in_use(settings, name, champion, tmp_path):
    for slope in range(1, 6):
        champion(float(slope))
        load_alias(settings, name, cache=tmp_path)
    copies = sorted(path.name.split("-")[0] for path in (tmp_path / name).iterdir() if path.is_dir())
    assert copies == ["3", "4", "5"]
