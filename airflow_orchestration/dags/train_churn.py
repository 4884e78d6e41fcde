"""
### Train, gate and promote the churn model

Every Sunday, or when you trigger it: trains the candidates of `use_cases/churn/model.yaml` on a point-in-time frame,
evaluates the best, and puts it before the gates. If it passes, it is registered as `challenger` and promoted to
`champion`; the model server takes it over within seconds. If not, the run ends well, the champion stays, and
`keep_champion` says why.

Configuration of a run: `{"trials": 5, "timeout_s": 60}`, the budget of the search instead of that of `model.yaml`.

**When it fails**: `train` needs gold and MLflow; the failing task's log has the reason. The champion is untouched until
`promote`, which moves the alias in one step. To take a promotion back: `tidemill models rollback churn --reason "..."`.
"""

from datetime import timedelta
from typing import Any

from airflow.sdk import DAG, Label, Param, task

from airflow_orchestration.defaults import DEFAULT_ARGS
from airflow_orchestration.plugins.links.mlflow_run import MlflowRunLink
from airflow_orchestration.plugins.operators.platform_command import PlatformCommandOperator
from airflow_orchestration.processes import SPARK_POOL
from airflow_orchestration.schedules import schedule
from tidemill.config.project import current_project

USE_CASE = "churn"
RUN = "{{ ti.xcom_pull(task_ids='train')['run_id'] }}"
VERSION = "{{ ti.xcom_pull(task_ids='register')['version'] }}"


def models(action: str, *arguments: str, doc: str, **kwargs: Any) -> PlatformCommandOperator:
    """The task that runs ``tidemill models <action>`` for this use case."""
    command = ["tidemill", "models", action, USE_CASE, *arguments]
    return PlatformCommandOperator(task_id=action, command=command, doc_md=doc, **kwargs)


@task.branch(task_id="gate_passed", doc_md="Goes on to `register` when every gate passed, else to `keep_champion`.")  # type: ignore[untyped-decorator]
def gate_passed(verdict: dict[str, Any]) -> str:
    return "register" if verdict["passed"] else "keep_champion"


@task(task_id="keep_champion", doc_md="Says why the new model was not good enough.")  # type: ignore[untyped-decorator]
def keep_champion(verdict: dict[str, Any]) -> list[str]:
    reasons: list[str] = verdict["reasons"]
    print(f"The champion stays: {'; '.join(reasons)}")  # noqa: T201 - a task's stdout is its log
    return reasons


if current_project().builtin:
    with DAG(
        dag_id="train_churn",
        description="Train, evaluate, gate, register and promote the churn model",
        schedule=schedule("train_churn"),
        catchup=False,
        max_active_runs=1,
        dagrun_timeout=timedelta(hours=6),
        default_args=DEFAULT_ARGS,
        params={
            "trials": Param(
                None, type=["null", "integer"], minimum=1, description="Trials of the search; else as in model.yaml"
            ),
            "timeout_s": Param(
                None, type=["null", "integer"], minimum=1, description="Seconds it may take; else as in model.yaml"
            ),
        },
        tags=["models", "churn", "spark"],
        doc_md=__doc__,
    ):
        train = models(
            "train",
            "--json",
            doc="Reads the point-in-time frame with Spark, searches, and logs the best model to MLflow.",
            options={"--trials": "{{ params.trials or '' }}", "--timeout": "{{ params.timeout_s or '' }}"},
            pool=SPARK_POOL,
            execution_timeout=timedelta(hours=2),
            links=[MlflowRunLink()],
        )
        evaluate = models(
            "evaluate",
            *("--run", RUN, "--json"),
            doc="Measures the model on the test period: intervals, calibration, baseline, explanation.",
            execution_timeout=timedelta(hours=1),
        )
        gate = models(
            "gate",
            *("--run", RUN, "--json"),
            doc="Holds the evaluation against the floors, the baseline and the champion; both verdicts are a success.",
            execution_timeout=timedelta(minutes=30),
        )
        register = models(
            "register",
            *("--run", RUN, "--json"),
            doc="Registers the model in MLflow with the alias `challenger`.",
        )
        promote = models(
            "promote",
            *(VERSION, "--by", "airflow", "--reason", "passed every gate in {{ dag.dag_id }} {{ run_id }}", "--json"),
            doc="Moves the alias `champion` to the new version in one call and writes the audit record.",
        )
        verdict = gate.output
        train >> evaluate >> gate
        decision = gate_passed(verdict)
        decision >> Label("passed") >> register >> promote
        decision >> Label("failed a gate") >> keep_champion(verdict)
