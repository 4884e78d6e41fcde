"""
### Silver to gold

Every 15 minutes: when silver has commits that no earlier run has handled, the batch jobs recompute the gold tables'
dates that those commits touched, late events included. Without new commits the run is skipped.

A run you trigger by hand goes on at once. Running it again changes nothing: each job remembers in its own last commit
which silver version it has read.

**When a task fails**: read its log, mend the cause, and clear the task; the next run would also do the same work.
"""

from datetime import timedelta

from airflow.sdk import DAG

from airflow_orchestration.defaults import DEFAULT_ARGS
from airflow_orchestration.plugins.operators.platform_command import PlatformCommandOperator
from airflow_orchestration.plugins.operators.record_handled import RecordHandledOperator
from airflow_orchestration.plugins.sensors.delta_commit import DeltaCommitSensor
from airflow_orchestration.processes import SPARK_POOL
from airflow_orchestration.schedules import schedule
from tidemill.config.project import current_project


def spark_job(name: str, doc: str) -> PlatformCommandOperator:
    """The task that runs ``batch_processing/<name>.py`` with spark-submit."""
    return PlatformCommandOperator(
        task_id=name,
        command=["tidemill", "submit", f"batch_processing/{name}.py"],
        pool=SPARK_POOL,
        execution_timeout=timedelta(minutes=30),
        doc_md=doc,
    )


if current_project().builtin:
    with DAG(
        dag_id="lakehouse_gold",
        description="New silver commits become gold tables",
        schedule=schedule("lakehouse_gold"),
        catchup=False,
        max_active_runs=1,
        dagrun_timeout=timedelta(hours=2),
        default_args=DEFAULT_ARGS,
        tags=["lakehouse", "spark"],
        doc_md=__doc__,
    ):
        new_silver_commits = DeltaCommitSensor(
            task_id="new_silver_commits",
            tables=["silver/transactions"],
            poke_interval=5,
            timeout=60,
            doc_md="Waits a minute for a commit of `silver/transactions` that this DAG has not handled, else skips.",
        )
        daily_product_sales = spark_job(
            "daily_product_sales", "What each product sold and got back a day: `gold/daily_product_sales`."
        )
        customer_daily = spark_job(
            "customer_daily", "What each known customer bought and returned a day: `gold/customer_daily`."
        )
        record_handled = RecordHandledOperator(
            task_id="record_handled",
            sensor="new_silver_commits",
            doc_md="Notes the silver versions seen at the start of the run as handled, as all jobs have succeeded.",
        )
        new_silver_commits >> [daily_product_sales, customer_daily] >> record_handled
