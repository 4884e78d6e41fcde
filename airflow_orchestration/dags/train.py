"""A DAG ``train_<use case>`` for each use case that has a ``model.yaml``, which says when it runs and whose it is."""

from datetime import timedelta
from typing import Any

from airflow.sdk import DAG, Label, Param, task

from airflow_orchestration.defaults import DEFAULT_ARGS
from airflow_orchestration.plugins.links.mlflow_run import MlflowRunLink
from airflow_orchestration.plugins.operators.platform_command import PlatformCommandOperator
from airflow_orchestration.processes import SPARK_POOL
from airflow_orchestration.schedules import at_times
from airflow_orchestration.trainings import Training, trainings

RUN = "{{ ti.xcom_pull(task_ids='train')['run_id'] }}"
VERSION = "{{ ti.xcom_pull(task_ids='register')['version'] }}"
DOC = """
### Train, gate and promote the model of {use_case}

{description}

{when}: trains the candidates of `use_cases/{use_case}/model.yaml` on a point-in-time frame, evaluates the best, and
puts it before the gates. If it passes, it is registered as `challenger` and promoted to `champion`; the model server
takes it over within seconds. If not, the run ends well, the champion stays, and `keep_champion` says why.

Configuration of a run: `{{"trials": 5, "timeout_s": 60}}`, the budget of the search instead of that of `model.yaml`.

**When it fails**: `train` needs silver and MLflow; the failing task's log has the reason. The champion is untouched
until `promote`, which moves the alias in one step. To take a promotion back:
`tidemill models rollback {use_case} --reason "..."`.
"""
TROUBLE = "**{trouble}**\n\nUntil that is mended it has no schedule, and `train` fails with the reason."


def doc_of(training: Training) -> str:
    """What Airflow's page says of the DAG."""
    when = f"At `{training.schedule}` (UTC), or when you trigger it" if training.schedule else "When you trigger it"
    description = TROUBLE.format(trouble=training.trouble) if training.trouble else training.description
    return DOC.format(use_case=training.use_case, description=description, when=when)


@task.branch(task_id="gate_passed", doc_md="Goes on to `register` when every gate passed, else to `keep_champion`.")  # type: ignore[untyped-decorator]
def gate_passed(verdict: dict[str, Any]) -> str:
    return "register" if verdict["passed"] else "keep_champion"


@task(task_id="keep_champion", doc_md="Says why the new model was not good enough.")  # type: ignore[untyped-decorator]
def keep_champion(verdict: dict[str, Any]) -> list[str]:
    reasons: list[str] = verdict["reasons"]
    print(f"The champion stays: {'; '.join(reasons)}")  # noqa: T201 - a task's stdout is its log
    return reasons


def train_dag(training: Training) -> DAG:
    """The DAG of one use case."""
    use_case = training.use_case

    def models(action: str, *arguments: str, doc: str, **kwargs: Any) -> PlatformCommandOperator:
        command = ["tidemill", "models", action, use_case, *arguments]
        return PlatformCommandOperator(task_id=action, command=command, doc_md=doc, **kwargs)

    with DAG(
        dag_id=f"train_{use_case}",
        description=f"Train, evaluate, gate, register and promote the model of {use_case}",
        schedule=at_times(training.schedule) if training.schedule else None,
        catchup=False,
        max_active_runs=1,
        dagrun_timeout=timedelta(hours=6),
        default_args=DEFAULT_ARGS | {"owner": training.owner},
        params={
            "trials": Param(
                None, type=["null", "integer"], minimum=1, description="Trials of the search; else as in model.yaml"
            ),
            "timeout_s": Param(
                None, type=["null", "integer"], minimum=1, description="Seconds it may take; else as in model.yaml"
            ),
        },
        tags=sorted({"models", use_case, "spark", *training.tags, *(["trouble"] if training.trouble else [])}),
        doc_md=doc_of(training),
    ) as dag:
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
    return dag


for one in trainings():
    globals()[f"train_{one.use_case}"] = train_dag(one)
