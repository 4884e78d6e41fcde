"""
### Upkeep of the lake

Every day, for each table: rows past their retention are deleted, small files are merged, and files that no version of
the last week has are removed. The stream and all other DAGs go on meanwhile: of two commits to a table that do not go
together, the later one is made again, and a merge waits for the next run.

Running it again changes nothing. What a run that was ended has done is done; the next one does the rest.

**When it fails**, the log ends with the tables that could not be kept up, each with its reason; all others were. Mend
the cause and clear the task.
"""

from datetime import timedelta

from airflow.sdk import DAG

from airflow_orchestration.defaults import DEFAULT_ARGS
from airflow_orchestration.plugins.operators.platform_command import PlatformCommandOperator
from airflow_orchestration.schedules import schedule

with DAG(
    dag_id="lakehouse_maintenance",
    description="Merges small files and removes what no longer counts",
    schedule=schedule("lakehouse_maintenance"),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=3),
    default_args=DEFAULT_ARGS,
    tags=["lakehouse", "operations"],
    doc_md=__doc__,
):
    PlatformCommandOperator(
        task_id="maintain",
        command=["tidemill", "lake", "maintain"],
        execution_timeout=timedelta(hours=2),
        doc_md="Keeps up all tables; the trouble of one does not stop the others. It starts no Spark.",
    )
