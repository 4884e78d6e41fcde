"""A stored model, asked through MLflow's own scoring server and through ours."""

import asyncio
import json

import httpx
import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow.pyfunc import scoring_server

from ml_modeling.candidates import build
from ml_modeling.registry.artefact import sklearn_options
from ml_modeling.registry.identity import ModelIdentity
from ml_modeling.registry.served import ServedModel, ServingSpec, read_model

FEATURES = ("recency", "orders", "spent")
SPEC = ServingSpec(
    use_case="churn",
    feature_service="churn",
    feature_fingerprint="0" * 32,
    features=FEATURES,
    threshold=0.207,
    decisions=("stays", "churns"),
    cold_start_score=0.239,
)
CANDIDATES = {
    "logistic_regression": {"C": 0.5},
    "random_forest": {"n_estimators": 20, "max_depth": 6},
    "xgboost": {"n_estimators": 10},
    "lightgbm": {"n_estimators": 10},
}


@pytest.fixture(scope="module")
def table():
    """620 rows with missing values, among them all of the first one's."""
    random = np.random.default_rng(3)
    x = random.normal(size=(620, 3))
    x[random.random(x.shape) < 0.15] = np.nan
    x[0] = np.nan
    return pd.DataFrame(x, columns=FEATURES)


@pytest.fixture(scope="module", params=CANDIDATES)
def folder(request, table, tmp_path_factory):
    x = table.to_numpy()
    y = (np.nan_to_num(x[:, 0]) + np.random.default_rng(4).normal(0, 0.5, len(x)) > 0.8).astype(int)
    pipeline = build(request.param, CANDIDATES[request.param], seed=1).fit(x, y)
    folder = tmp_path_factory.mktemp("artefact") / request.param
    mlflow.sklearn.save_model(pipeline, folder, **sklearn_options(pipeline, SPEC, x))
    return folder


def invoke(folder, table):
    """What MLflow's scoring server answers, in this process."""
    app = scoring_server.init(mlflow.pyfunc.load_model(str(folder)))
    body = {"dataframe_split": json.loads(table.to_json(orient="split", double_precision=15))}

    async def post():
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://mlflow") as client:
            return await client.post("/invocations", json=body)

    return asyncio.run(post())


def ours(folder):
    spec, pipeline = read_model(folder, "version 1")
    return ServedModel("churn", "1", "champion", ModelIdentity(run_id="run", model_id="m-1"), spec, pipeline)


@pytest.mark.parametrize("columns", [FEATURES, FEATURES[::-1]], ids=["in order", "in another order"])
def test_mlflows_server_answers_the_scores_and_decisions_of_ours(folder, table, columns):
    answer = invoke(folder, table[list(columns)])
    assert answer.status_code == 200, answer.text
    scores = [positive for _, positive in answer.json()["predictions"]]
    model, declared = ours(folder), mlflow.models.get_model_info(str(folder)).metadata["tidemill"]
    expected = model.score(table.to_numpy()).tolist()
    assert scores == pytest.approx(expected, abs=1e-9)
    decided = [declared["decisions"][score >= declared["threshold"]] for score in scores]
    assert decided == [model.decide(score) for score in expected]
    assert set(decided) == {"stays", "churns"}


@pytest.mark.parametrize("lacking", FEATURES)
def test_a_table_without_a_column_is_refused_by_its_name(folder, table, lacking):
    answer = invoke(folder, table.drop(columns=lacking))
    assert (answer.status_code, f"['{lacking}']" in answer.text) == (400, True), answer.text


def test_columns_without_names_are_refused(folder, table):
    model = mlflow.pyfunc.load_model(str(folder))
    with pytest.raises(mlflow.MlflowException, match=r"missing inputs \['recency', 'orders', 'spent'\]"):
        model.predict(table.to_numpy())


def test_the_example_that_comes_with_a_model_can_be_sent_as_it_is(folder):
    model = mlflow.models.Model.load(str(folder))
    example = model.load_input_example(str(folder))
    assert list(example.columns) == list(FEATURES)
    assert mlflow.pyfunc.load_model(str(folder)).predict(example)[:, 1] == pytest.approx(
        ours(folder).score(example.to_numpy()), abs=1e-9
    )
