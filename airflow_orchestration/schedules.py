"""When DAGs run."""

from datetime import timedelta

from airflow.sdk import CronTriggerTimetable

from tidemill.config.settings import load_settings


def schedule(dag_id: str) -> CronTriggerTimetable:
    """At the times set for ``dag_id``."""
    return at_times(getattr(load_settings().airflow.schedules, dag_id))


def at_times(expression: str) -> CronTriggerTimetable:
    """At the times of a cron expression, in UTC; taking a DAG out of pause does not start a run for a time gone by."""
    return CronTriggerTimetable(expression, timezone="UTC", run_immediately=timedelta(0))
