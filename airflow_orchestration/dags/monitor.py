"""A DAG ``monitor_<use case>`` for each use case that has a ``model.yaml``: is its model still what it was?"""

from datetime import timedelta

from airflow.sdk import DAG

from airflow_orchestration.defaults import DEFAULT_ARGS
from airflow_orchestration.monitors import Monitor, monitors
from airflow_orchestration.plugins.operators.platform_command import PlatformCommandOperator
from airflow_orchestration.schedules import at_times

AT = "{{ dag_run.run_after.strftime('%Y-%m-%dT%H:%M:%SZ') }}"
"""The time of the run: a task that is tried again, or cleared, repeats its look instead of making another."""
DOC = """
### Is {use_case} still asked what its model learnt from?

At `{schedule}` (UTC): what the champion was asked in the window that `model.yaml` names under `monitor` is compared
with the profile of what it learnt from. Verdicts go to `gold/drift`, a page of pictures to the model's run in MLflow,
metrics to `metrics/` in the home folder. When its inputs or its answers drifted, a retraining is asked for, once
however often this is found: `tidemill retrain list {use_case}` shows the request. So it is, where `model.yaml` says
`retraining: {{new_rows: N}}`, when the tables have so many more rows than at the newest training that was judged.

`standing` judges the champion by what came true of its answers, which the DAG `prediction_outcomes` has joined: when it
is worse than at training, a retraining is asked for. It is skipped while no outcome is known, or where the champion's
run says nothing of its loss; its log has the reason (`why`).

Without a champion there is nothing to look at, and the run ends well.
{trouble}
**When it fails**: the task's log has the reason. A champion that was trained before there were profiles has none:
`tidemill drift reference {use_case}` makes one. Running or clearing it again is safe: a look is recorded once, and the
same look says the same.
"""
TROUBLE = "\n**{trouble}**\n"


def monitor_dag(monitor: Monitor) -> DAG:
    """The DAG of one use case."""
    trouble = TROUBLE.format(trouble=monitor.trouble) if monitor.trouble else ""
    with DAG(
        dag_id=f"monitor_{monitor.use_case}",
        description=f"Compare what {monitor.use_case} is asked with what its model learnt from",
        schedule=at_times(monitor.schedule),
        catchup=False,
        max_active_runs=1,
        dagrun_timeout=timedelta(hours=2),
        default_args=DEFAULT_ARGS | {"owner": monitor.owner},
        tags=sorted({"models", "monitoring", monitor.use_case, *(["trouble"] if monitor.trouble else [])}),
        doc_md=DOC.format(use_case=monitor.use_case, schedule=monitor.schedule, trouble=trouble),
    ) as dag:
        PlatformCommandOperator(
            task_id="look",
            command=["tidemill", "drift", "look", monitor.use_case, "--request", "--at", AT],
            execution_timeout=timedelta(minutes=30),
            doc_md="Compares the champion's answers with what it learnt from, and asks for a retraining on drift.",
        )
        PlatformCommandOperator(
            task_id="new_data",
            command=["tidemill", "retrain", "new-data", monitor.use_case, "--by", "new data monitor", "--json"],
            execution_timeout=timedelta(minutes=10),
            doc_md="Asks for a retraining when there are `retraining.new_rows` more rows than at the newest training.",
        )
        PlatformCommandOperator(
            task_id="standing",
            command=["tidemill", "models", "standing", monitor.use_case, "--request", "--json"],
            skip_without="verdict",
            execution_timeout=timedelta(minutes=30),
            doc_md="Asks for a retraining when what came true says that the champion is worse than at training.",
        )
    return dag


for declared in monitors():
    globals()[f"monitor_{declared.use_case}"] = monitor_dag(declared)
