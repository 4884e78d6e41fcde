"""An operator that ends a DAG's run by noting what it has handled."""

from collections.abc import Sequence
from typing import Any

from airflow.sdk import BaseOperator, Context

from airflow_orchestration.plugins.hooks.delta import from_json
from airflow_orchestration.plugins.hooks.handled_commits import record_handled


class RecordHandledOperator(BaseOperator):  # type: ignore[misc]
    """Notes that the commits found by the :class:`DeltaCommitSensor` called ``sensor`` are handled by this DAG."""

    ui_color = "#f1f1f1"

    def __init__(self, *, sensor: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.sensor = sensor

    def execute(self, context: Context) -> Any:
        commits = context["ti"].xcom_pull(task_ids=self.sensor)
        record = record_handled(self.dag_id, from_json(commits))
        shown: Sequence[str] = [f"{name} version {record[name].version}" for name in commits]
        self.log.info("handled: %s", ", ".join(shown))
        return commits
