"""The client the demo uses, against the real API server."""

import pytest

from tidemill import airflow_api
from tidemill.airflow_api import AirflowApi, AirflowRefusedError, AirflowUnavailableError
from tidemill.airflow_client import AirflowClient
from tidemill.config.settings import Settings


def test_a_wrong_password_is_refused_and_never_shown(airflow: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDEMILL_SECRET_AIRFLOW_PASSWORD", "not-the-password")
    with (
        AirflowClient(airflow) as client,
        pytest.raises(AirflowRefusedError, match="/auth/token answered 401") as raised,
    ):
        client.unpause("retrain_churn")
    assert "not-the-password" not in str(raised.value)


def test_a_dag_that_never_shows_up_is_named(client: AirflowClient) -> None:
    with pytest.raises(AirflowUnavailableError, match="DAG absent did not show up in 1 s"):
        client.wait_for_dag("absent", timeout_s=1)


def test_an_unknown_run_is_refused_with_what_airflow_says(client: AirflowClient) -> None:
    with pytest.raises(AirflowRefusedError, match=r"answered 404: .*no_such_run"):
        client.look("retrain_churn", "no_such_run")


def test_a_server_that_is_away_is_waited_for_and_then_reported(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(airflow_api, "PATIENCE_S", 0.1)
    away = settings.model_copy(update={"airflow": settings.airflow.model_copy(update={"url": "http://127.0.0.1:9"})})
    api = AirflowApi(away)
    attempts: list[str] = []
    request = api.request
    monkeypatch.setattr(
        api, "request", lambda method, path, **kwargs: (attempts.append(path), request(method, path))[1]
    )
    with pytest.raises(AirflowUnavailableError, match=r"http://127\.0\.0\.1:9/.* is Airflow up\?"):
        api.get("/dags")
    api.close()
    assert len(attempts) > 1
