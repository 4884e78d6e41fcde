"""
### Gold to the online store

When `lakehouse_gold` has written new customer snapshots: registers the feature definitions with Feast and writes the
newest values to the online store, from which the model server reads.

The asset event only makes it prompt. An event can get lost, so the DAG also looks once an hour: it compares the table's
version with the last it has recorded, and skips when there is nothing new. A run you trigger by hand always runs.

**When it fails**: predictions go on with the values of the last success, and say how old they are. Check that Redis
is up (`tidemill status`), then clear the failed task.
"""

from datetime import timedelta

from airflow.sdk import DAG, AssetOrTimeSchedule

from airflow_orchestration.assets import CUSTOMER_SNAPSHOT
from airflow_orchestration.defaults import DEFAULT_ARGS
from airflow_orchestration.plugins.operators.platform_command import PlatformCommandOperator
from airflow_orchestration.plugins.operators.record_handled import RecordHandledOperator
from airflow_orchestration.plugins.sensors.delta_commit import DeltaCommitSensor
from airflow_orchestration.processes import SPARK_POOL
from airflow_orchestration.schedules import schedule

with DAG(
    dag_id="feature_materialize",
    description="The newest customer features, from gold to the online store",
    schedule=AssetOrTimeSchedule(timetable=schedule("feature_materialize"), assets=[CUSTOMER_SNAPSHOT]),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=1),
    default_args=DEFAULT_ARGS,
    tags=["features", "feast", "spark"],
    doc_md=__doc__,
):
    new_snapshots = DeltaCommitSensor(
        task_id="new_snapshots",
        tables=["gold/customer_snapshot"],
        timeout=0,
        doc_md="Skips the run when `gold/customer_snapshot` has no commit that this DAG has not handled.",
    )
    apply_features = PlatformCommandOperator(
        task_id="apply_features",
        command=["tidemill", "features", "apply", "--json"],
        doc_md="Registers entities, feature views and services with Feast; changes nothing when they are registered.",
    )
    materialize = PlatformCommandOperator(
        task_id="materialize",
        command=["tidemill", "features", "materialize", "--json"],
        pool=SPARK_POOL,
        execution_timeout=timedelta(minutes=30),
        doc_md="Writes the newest value of each customer to the online store from Spark's partitions.",
    )
    record_handled = RecordHandledOperator(
        task_id="record_handled",
        sensor="new_snapshots",
        doc_md="Notes the snapshot version seen at the start of the run as handled.",
    )
    new_snapshots >> apply_features >> materialize >> record_handled
