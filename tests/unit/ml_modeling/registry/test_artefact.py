"""A stored model, asked through MLflow's own scoring server and through ours."""

import asyncio
import json

import httpx
import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow.pyfunc import scoring_server

from ml_modeling.candidates.pipelines import build
from ml_modeling.registry.answers import answer
from ml_modeling.registry.artefact import sklearn_options
from ml_modeling.registry.background import ROWS, read_background
from ml_modeling.registry.served import ServingSpec, read_model

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


def ours(folder, x):
    """What the model server answers."""
    found = answer(*read_model(folder, "version 1"), x)
    return found.scores.tolist(), list(found.decisions)


@pytest.mark.parametrize("columns", [FEATURES, FEATURES[::-1]], ids=["in order", "in another order"])
def test_mlflows_server_answers_the_scores_and_decisions_of_ours(folder, table, columns):
    response = invoke(folder, table[list(columns)])
    assert response.status_code == 200, response.text
    scores = [positive for _, positive in response.json()["predictions"]]
    declared = mlflow.models.get_model_info(str(folder)).metadata["tidemill"]
    expected, decisions = ours(folder, table.to_numpy())
    assert scores == pytest.approx(expected, abs=1e-9)
    decided = [declared["decisions"][score >= declared["threshold"]] for score in scores]
    assert decided == decisions
    assert set(decided) == {"stays", "churns"}


@pytest.mark.parametrize("lacking", FEATURES)
def test_a_table_without_a_column_is_refused_by_its_name(folder, table, lacking):
    response = invoke(folder, table.drop(columns=lacking))
    assert (response.status_code, f"['{lacking}']" in response.text) == (400, True), response.text


def test_columns_without_names_are_refused(folder, table):
    model = mlflow.pyfunc.load_model(str(folder))
    with pytest.raises(mlflow.MlflowException, match=r"missing inputs \['recency', 'orders', 'spent'\]"):
        model.predict(table.to_numpy())


def test_the_example_that_comes_with_a_model_can_be_sent_as_it_is(folder):
    model = mlflow.models.Model.load(str(folder))
    example = model.load_input_example(str(folder))
    assert list(example.columns) == list(FEATURES)
    assert mlflow.pyfunc.load_model(str(folder)).predict(example)[:, 1] == pytest.approx(
        ours(folder, example.to_numpy())[0], abs=1e-9
    )


def test_the_example_is_read_back_as_the_rows_that_reasons_are_compared_with(folder, table):
    x = table.to_numpy()
    found = read_background(folder, FEATURES[::-1])
    assert found.shape == (ROWS, 3)
    rows = {row.tobytes() for row in np.nan_to_num(x)}
    assert all(row[::-1].tobytes() in rows for row in np.nan_to_num(found))
