"""Logged answers given again: by the model that gave them, and by another, from the real registry and the lake."""

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import mlflow
import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from data_lake.delta_tables import create_table
from data_lake.tables import silver
from ml_modeling.registry.connection import connect
from ml_modeling.registry.served import METADATA_KEY, MulticlassServing, RegressionServing, Serving, ServingSpec
from ml_modeling.replay import replay
from ml_modeling.replay.run import NothingToReplayError
from tests.cases.answers_logged import logged
from tests.cases.lake import append_rows
from tidemill.config import Settings

pytestmark = pytest.mark.usefixtures("mlflow_server")

LOG = silver("serving.prediction.v1")
FEATURES = ("age", "spend", "visits")
BEGIN = datetime(2026, 3, 1, tzinfo=UTC)
END = BEGIN + timedelta(days=1)
MINUTE = timedelta(minutes=1)


def drawn(count: int, seed: int) -> NDArray[np.float64]:
    """Rows (count, 3), of values as far apart as ages and sums."""
    return np.random.default_rng(seed).normal(size=(count, len(FEATURES))) * (3, 50, 7)


X = drawn(400, seed=0)
SIGNAL = X[:, 0] + X[:, 1] / 20
COMMON = {"feature_service": "churn", "feature_fingerprint": "00ff", "features": FEATURES}
BINARY = {
    "threshold": 0.5,
    "decisions": ("stays", "churns"),
    "cold_start_score": 0.25,
}


@pytest.fixture
def lake(settings: Settings) -> Iterator[Settings]:
    create_table(LOG, settings)
    return settings


Register = Callable[..., tuple[str, dict[str, str]]]


@pytest.fixture
def register(settings: Settings, name: str) -> Register:
    """Registers a model, champion unless said otherwise; its version, and what the log says of whose answer it is."""

    def make(spec: Serving, model: Pipeline, is_champion: bool = True) -> tuple[str, dict[str, str]]:
        client = connect(settings)
        mlflow.set_experiment(name)
        with mlflow.start_run() as run:
            stored = mlflow.sklearn.log_model(
                model,
                name="model",
                serialization_format="skops",
                pip_requirements=["scikit-learn"],
                metadata={METADATA_KEY: spec.model_dump(mode="json")},
                registered_model_name=name,
            )
        version = str(stored.registered_model_version)
        if is_champion:
            client.set_registered_model_alias(name, "champion", version)
        return version, {"model_version": version, "model_run_id": run.info.run_id, "model_id": stored.model_id}

    return make


def binary(name: str, **changed: Any) -> ServingSpec:
    return ServingSpec(use_case=name, **{**COMMON, **BINARY, **changed})


def classifier(labels: NDArray[Any]) -> Pipeline:
    return Pipeline([("scale", StandardScaler()), ("model", LogisticRegression())]).fit(X, labels)


def say(name: str, number: int, row: NDArray[np.float64], who: Mapping[str, str], **answer: Any) -> dict[str, Any]:
    """An answer as the server logs it: the features by name, here in another order than the model reads them."""
    features = [*reversed([*zip(FEATURES, row.tolist(), strict=True)])]
    said = {"feature_fingerprint": "00ff", "features": features, **who, **answer}
    return logged(name, f"e{number}", BEGIN + number * MINUTE, {"customer_id": f"c{number}"}, **said)


def one_by_one(model: Pipeline, rows: NDArray[np.float64]) -> list[list[float]]:
    """Probabilities by a second way: weights, means and exponentials in plain Python, a row at a time."""
    scale, final = model[0], model[-1]
    found = []
    for row in rows:
        standard = (row - scale.mean_) / scale.scale_
        weighted = zip(final.coef_, final.intercept_, strict=True)
        margins = [float((standard * weights).sum() + bias) for weights, bias in weighted]
        if len(margins) == 1:
            found.append([1 / (1 + np.exp(-margins[0]))])
        else:
            powers = np.exp(np.array(margins) - max(margins))
            found.append((powers / powers.sum()).tolist())
    return found


def served(settings: Settings, name: str, version: str, rows: NDArray[np.float64]) -> Any:
    """The answers as the server gives them, from the stored files."""
    from ml_modeling.registry.answers import answer
    from ml_modeling.registry.served import download_model

    source = connect(settings).get_model_version(name, version).source
    spec, pipeline = download_model(settings, str(source), "it")
    return answer(spec, pipeline, rows)


def test_a_models_own_answers_are_the_same_to_the_last_bit_and_one_that_is_not_is_named(
    lake: Settings, name: str, register: Register
) -> None:
    version, who = register(binary(name), classifier((SIGNAL > 0).astype(int)))
    rows = drawn(120, seed=1)
    # Asked seven at a time, as requests come; the last one alone.
    scores = np.concatenate([served(lake, name, version, rows[at : at + 7]).scores for at in range(0, 120, 7)])
    np.testing.assert_allclose(scores, np.ravel(one_by_one(classifier((SIGNAL > 0).astype(int)), rows)), rtol=1e-12)
    words = ["churns" if score >= 0.5 else "stays" for score in scores]
    say_all = [
        say(name, number, row, who, score=float(score), decision=word)
        for number, (row, score, word) in enumerate(zip(rows, scores, words, strict=True))
    ]
    cold = [say(name, 200, rows[0], who, score=0.25, decision="none", degraded=["cold_start"])]
    stale = [say(name, 201, rows[1], who, score=float(scores[1]), decision=words[1], degraded=["stale_features"])]
    before = [say(name, -1, rows[0], who, score=0.9, decision="churns")]
    others = [say("another", 3, rows[0], who, score=0.9, decision="churns")]
    append_rows(lake, LOG, [*say_all, *cold, *stale, *before, *others])

    found = replay(lake, name, None, BEGIN, END)
    assert (found.version, found.answers, found.unscored, found.lacking) == (version, 122, 1, 0)
    assert found.proof is not None
    assert (found.proof.answers, found.proof.different, found.proof.why, found.holds) == (121, 0, "", True)
    assert found.differences is None

    wrong = float(np.nextafter(scores[5], 1))
    append_rows(lake, LOG, [say(name, 300, rows[5], who, score=wrong, decision=words[5])])
    found = replay(lake, name, version, BEGIN, END)
    assert found.proof is not None
    assert (found.proof.answers, found.proof.different, found.holds) == (122, 1, False)
    assert found.proof.why.startswith("log: ")
    assert [(one.request_id, one.logged) for one in found.proof.examples] == [("r-e300", (wrong,))]


def test_a_challenger_shows_what_would_change_and_behind_what(lake: Settings, name: str, register: Register) -> None:
    _, champion = register(binary(name), classifier((SIGNAL > 0).astype(int)))
    other = classifier((X[:, 2] > 0).astype(int))
    challenger, _ = register(binary(name), other, is_champion=False)
    rows = drawn(300, seed=1)
    append_rows(
        lake, LOG, [say(name, number, row, champion, score=0.5, decision="churns") for number, row in enumerate(rows)]
    )
    found = replay(lake, name, challenger, BEGIN, END)
    now = np.ravel(one_by_one(other, rows))
    assert found.proof is None
    assert found.differences is not None
    assert found.differences.answers == 300
    assert found.differences.mean == pytest.approx(float((now - 0.5).mean()))
    assert found.differences.largest == pytest.approx(float(np.abs(now - 0.5).max()))
    assert found.differences.decisions == {"churns -> stays": int((now < 0.5).sum())}
    assert found.differences.behind[0].feature == "visits"
    assert found.differences.behind[0].share > 0.5


def test_classes_and_numbers_are_replayed_too(lake: Settings, name: str, register: Register) -> None:
    rows = drawn(40, seed=1)
    spec = MulticlassServing(use_case=name, **COMMON, classes=("low", "mid", "high"), cold_start_scores=(0.2, 0.3, 0.5))
    labels = np.digitize(SIGNAL, (-1.0, 1.0))
    version, who = register(spec, classifier(labels))
    found = served(lake, name, version, rows)
    say_all = [
        say(name, number, row, who, scores=[*zip(spec.classes, scores.tolist(), strict=True)], decision=word)
        for number, (row, scores, word) in enumerate(zip(rows, found.scores, found.decisions, strict=True))
    ]
    append_rows(lake, LOG, say_all)
    proof = replay(lake, name, None, BEGIN, END).proof
    assert proof is not None
    assert (proof.answers, proof.different) == (40, 0)
    np.testing.assert_allclose(found.scores, one_by_one(classifier(labels), rows), rtol=1e-11)

    spending = RegressionServing(use_case=name, **COMMON, minimum=0.0, cold_start_value=1.0)
    regression = Pipeline([("scale", StandardScaler()), ("model", Ridge())]).fit(X, SIGNAL * 9)
    version, who = register(spending, regression)
    values = served(lake, name, version, rows).values
    later = [
        say(name, 100 + number, row, who, value=float(value))
        for number, (row, value) in enumerate(zip(rows, values, strict=True))
    ]
    append_rows(lake, LOG, later)
    again = replay(lake, name, version, BEGIN + 100 * MINUTE, END)
    assert again.proof is not None
    assert (again.proof.answers, again.proof.different) == (40, 0)


def test_features_of_another_meaning_or_name_are_no_basis(lake: Settings, name: str, register: Register) -> None:
    version, who = register(binary(name), classifier((SIGNAL > 0).astype(int)))
    with pytest.raises(NothingToReplayError, match=f"no answer of {name} is logged"):
        replay(lake, name, version, BEGIN, END)
    said = [say(name, 0, X[0], who, score=0.5, decision="churns", feature_fingerprint="another")]
    said += [say(name, 1, X[0], who, score=0.5, decision="churns", features=[("age", 1.0), ("spend", 2.0)])]
    append_rows(lake, LOG, said)
    with pytest.raises(NothingToReplayError, match=r"definition: version .* 2 were made from features of other names"):
        replay(lake, name, version, BEGIN, END)


def test_the_command_tells_it_and_fails_where_the_model_says_otherwise(
    lake: Settings, name: str, register: Register, models_command: Callable[..., str]
) -> None:
    version, who = register(binary(name), classifier((SIGNAL > 0).astype(int)))
    score = float(served(lake, name, version, X[:1]).scores[0])
    word = "churns" if score >= 0.5 else "stays"
    append_rows(lake, LOG, [say(name, 0, X[0], who, score=score, decision=word)])
    window = ("--from", "2026-03-01", "--to", "2026-03-02")
    assert "1, of which 1 are the same to the last bit" in models_command("replay", name, *window)
    append_rows(lake, LOG, [say(name, 1, X[1], who, score=0.123, decision=word)])
    with pytest.raises(AssertionError, match="says 1 of its 2 logged answers otherwise now; log: "):
        models_command("replay", name, *window, "--json")
    found = json.loads(models_command("replay", name, "--from", "2026-03-01", "--to", "2026-03-01T00:00:30", "--json"))
    assert (found["version"], found["proof"]["different"]) == (version, 0)
