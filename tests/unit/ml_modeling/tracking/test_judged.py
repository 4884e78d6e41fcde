"""Which run was judged last, asked of MLflow's own store in a SQLite file: no server runs here."""

from pathlib import Path

import pytest
from mlflow import MlflowClient

from ml_modeling.registry import tags
from ml_modeling.tracking import judged
from ml_modeling.tracking.judged import newest_judged
from tidemill.config import load_settings


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MlflowClient:
    client = MlflowClient(tracking_uri=f"sqlite:///{tmp_path}/mlflow.db")
    monkeypatch.setattr(judged, "connect", lambda _: client)
    return client


def test_it_is_the_newest_with_a_verdict_whichever_that_is(client: MlflowClient) -> None:
    settings = load_settings({})
    assert newest_judged(settings, "churn") is None
    experiment = client.create_experiment("churn", artifact_location="file:///nowhere")
    assert newest_judged(settings, "churn") is None

    def trained(day: int, verdict: str | None, use_case: str = "churn") -> str:
        own = {tags.USE_CASE: use_case} | ({tags.GATE: verdict} if verdict else {})
        run_id: str = client.create_run(experiment, start_time=day, tags=own).info.run_id
        return run_id

    refused = trained(3, tags.FAILED)
    trained(2, tags.PASSED)
    trained(4, None)
    trained(5, tags.PASSED, use_case="fraud")
    found = newest_judged(settings, "churn")
    assert found is not None
    assert found.info.run_id == refused
