"""
### Are online features those of the lake?

Every day, for each use case that is served: the features that the model server answered with during the day before are
computed again from the lake, as far as the server's states had taken it in at that moment, and compared. The result is
in `gold/feature_consistency`, a row a feature, with the worst examples.

Configuration of a run: `{"begin": "2026-01-01T00:00:00", "end": "2026-01-02T00:00:00", "allowed": 0.0}`, UTC; without
times, the day before the run.

**When it fails** because values differ: the task names the feature that differs most. A model that is served features
other than it learnt from is wrong without looking wrong; `docs/features.md` says where to look. A new model is asked
for as well (`tidemill retrain list`, source `consistency`), within the limits of `model.yaml`.
"""

from datetime import timedelta

from airflow.sdk import DAG, Param

from airflow_orchestration.defaults import DEFAULT_ARGS
from airflow_orchestration.plugins.operators.platform_command import PlatformCommandOperator
from airflow_orchestration.processes import SPARK_POOL
from airflow_orchestration.schedules import schedule
from tidemill.config.settings import load_settings

with DAG(
    dag_id="feature_consistency",
    description="Compares the features of logged predictions with the lake's",
    schedule=schedule("feature_consistency"),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=2),
    default_args=DEFAULT_ARGS,
    params={
        "begin": Param(None, type=["null", "string"], description="Fetches from this time on, UTC"),
        "end": Param(None, type=["null", "string"], description="Fetches before this time, UTC"),
        "allowed": Param(0.0, type="number", minimum=0, maximum=1, description="Share of values that may differ"),
    },
    tags=["features", "quality", "spark"],
    doc_md=__doc__,
):
    for use_case in load_settings().serving.use_cases:
        PlatformCommandOperator(
            task_id=f"compare_{use_case}",
            command=["tidemill", "features", "consistency", use_case, "--at-least", "0", "--request", "--json"],
            options={
                "--from": "{{ params.begin or '' }}",
                "--to": "{{ params.end or '' }}",
                "--allowed": "{{ params.allowed }}",
            },
            pool=SPARK_POOL,
            execution_timeout=timedelta(hours=1),
            doc_md=f"Compares the features of {use_case}'s logged predictions with the lake's. Above `allowed` it asks "
            "for a new model, and fails.",
        )
