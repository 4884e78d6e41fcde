"""
### What was served, and what came true

Every hour, for all use cases: what came true is joined to the logged predictions, into `gold/prediction_outcomes`, and
the served models are measured by it, into `gold/model_performance`. Only what is new, due or changed is looked at;
running it again changes nothing.

`tidemill models outcomes --full` judges every prediction again.

**When it fails**, the log ends with the use cases whose outcomes could not be joined, each with its reason; those of
all others are joined. Mend the cause and clear the task.
"""

from datetime import timedelta

from airflow.sdk import DAG

from airflow_orchestration.defaults import DEFAULT_ARGS
from airflow_orchestration.plugins.operators.platform_command import PlatformCommandOperator
from airflow_orchestration.processes import SPARK_POOL
from airflow_orchestration.schedules import schedule

with DAG(
    dag_id="prediction_outcomes",
    description="Joins what came true to logged predictions",
    schedule=schedule("prediction_outcomes"),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=3),
    default_args=DEFAULT_ARGS,
    tags=["models", "quality", "spark"],
    doc_md=__doc__,
):
    PlatformCommandOperator(
        task_id="join_outcomes",
        command=["tidemill", "models", "outcomes", "--json"],
        pool=SPARK_POOL,
        execution_timeout=timedelta(hours=2),
        doc_md="Joins the outcomes of all use cases; the trouble of one does not stop the others.",
    )
