"""When DAGs run."""

from datetime import timedelta

from airflow.sdk import CronTriggerTimetable


def cron(expression: str) -> CronTriggerTimetable:
    """At the times of ``expression``, in UTC; taking a DAG out of pause does not start a run for a time gone by."""
    return CronTriggerTimetable(expression, timezone="UTC", run_immediately=timedelta(0))
