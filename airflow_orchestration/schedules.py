"""When DAGs run."""

from datetime import timedelta

from airflow.sdk import CronTriggerTimetable

from tidemill.config.settings import load_settings


def schedule(dag_id: str) -> CronTriggerTimetable:
    """At the times set for ``dag_id``; taking a DAG out of pause does not start a run for a time gone by."""
    expression = getattr(load_settings().airflow.schedules, dag_id)
    return CronTriggerTimetable(expression, timezone="UTC", run_immediately=timedelta(0))
