"""A button on a training task that opens its MLflow run."""

from typing import Any

from airflow.sdk import BaseOperatorLink, BaseXCom

from tidemill.config.settings import load_settings


class MlflowRunLink(BaseOperatorLink):  # type: ignore[misc]
    """Opens the MLflow run whose ``run_id`` and ``experiment_id`` the task returned; MLflow itself without them."""

    name = "MLflow run"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        base = load_settings().mlflow.tracking_uri.rstrip("/")
        result = BaseXCom.get_value(key="return_value", ti_key=ti_key)
        if not isinstance(result, dict) or "experiment_id" not in result:
            return base
        return f"{base}/#/experiments/{result['experiment_id']}/runs/{result['run_id']}"
