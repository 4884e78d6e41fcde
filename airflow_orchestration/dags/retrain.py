"""A DAG ``retrain_<use case>`` for each use case that has a ``model.yaml``: works its requests off, one by one."""

from datetime import timedelta
from typing import Any

from airflow.sdk import DAG, Label, task

from airflow_orchestration.defaults import DEFAULT_ARGS
from airflow_orchestration.plugins.links.mlflow_run import MlflowRunLink
from airflow_orchestration.plugins.operators.platform_command import PlatformCommandOperator
from airflow_orchestration.plugins.sensors.retrain_request import RetrainRequestSensor
from airflow_orchestration.processes import SPARK_POOL
from airflow_orchestration.schedules import schedule
from airflow_orchestration.trainings import Training, trainings

CLAIMED = "ti.xcom_pull(task_ids='claim')"
REQUEST, TOKEN = f"{{{{ {CLAIMED}['request_id'] }}}}", f"{{{{ {CLAIMED}['token'] }}}}"
WAIT = timedelta(minutes=9)
"""Less than the time between two runs of the schedule that is the default."""
DOC = """
### Work a request for a new model of {use_case} off

{description}

Every ten minutes a run waits for an open request (`tidemill retrain list {use_case} --open`); without one it is
skipped. It judges the tables that the model learns from (`tidemill quality show`); as long as one fails a critical
expectation, the request stays open. Then it claims the oldest, trains on a point-in-time frame by the request's policy,
evaluates, and puts the model before the gates of `use_cases/{use_case}/model.yaml`. If it passes, it becomes
`champion`, and the model server takes it over within seconds. If not, the run ends well, the champion stays, and
`keep_champion` says why.

To ask for a model: `tidemill retrain request {use_case} --reason "..."`, or the DAG `request_{use_case}`.

**When it fails**: the failing task's log has the reason, and so has `tidemill retrain show ID`. A failure that lasts
ends the request as failed. After any other the next run takes the request up where this one left it. Clearing a task at
any time is safe: what was done is found, and a run that another overtook stops. To take a promotion back:
`tidemill models rollback {use_case} --reason "..."`.
"""
TROUBLE = "**{trouble}**\n\nUntil that is mended, `train` fails with the reason."


def doc_of(training: Training) -> str:
    """What Airflow's page says of the DAG."""
    description = TROUBLE.format(trouble=training.trouble) if training.trouble else training.description
    return DOC.format(use_case=training.use_case, description=description)


def verdict_of(request: dict[str, Any]) -> dict[str, Any]:
    """What the gates said; of a request that ended before them, by a person's cancel, that it did."""
    never: dict[str, Any] = {"passed": False, "reasons": [f"the request is {request.get('state')}"]}
    verdict: dict[str, Any] = request.get("gated", never)
    return verdict


@task.branch(task_id="gate_passed", doc_md="Goes on to `promote` when every gate passed, else to `keep_champion`.")  # type: ignore[untyped-decorator]
def gate_passed(request: dict[str, Any]) -> str:
    return "promote" if verdict_of(request)["passed"] else "keep_champion"


@task(task_id="keep_champion", doc_md="Says why the new model was not good enough.")  # type: ignore[untyped-decorator]
def keep_champion(request: dict[str, Any]) -> list[str]:
    reasons: list[str] = verdict_of(request)["reasons"]
    print(f"The champion stays: {'; '.join(reasons)}")  # noqa: T201 - a task's stdout is its log
    return reasons


def retrain_dag(training: Training) -> DAG:
    """The DAG of one use case."""
    use_case = training.use_case

    def stage(name: str, doc: str, minutes: int, **kwargs: Any) -> PlatformCommandOperator:
        command = ["tidemill", "retrain", name, use_case, "--request", REQUEST, "--token", TOKEN, "--json"]
        limit = timedelta(minutes=minutes)
        return PlatformCommandOperator(task_id=name, command=command, doc_md=doc, execution_timeout=limit, **kwargs)

    with DAG(
        dag_id=f"retrain_{use_case}",
        description=f"Work requests for a new model of {use_case} off: train, evaluate, gate, promote",
        schedule=schedule("retrain"),
        catchup=False,
        max_active_runs=1,
        dagrun_timeout=timedelta(hours=6),
        default_args=DEFAULT_ARGS | {"owner": training.owner},
        tags=sorted({"models", use_case, "spark", *training.tags, *(["trouble"] if training.trouble else [])}),
        doc_md=doc_of(training),
    ) as dag:
        open_request = RetrainRequestSensor(
            task_id="open_request",
            use_case=use_case,
            poke_interval=60,
            timeout=WAIT.total_seconds(),
            doc_md="Waits, without a worker, for a request that nobody holds; skips the run when none comes.",
        )
        check_data = PlatformCommandOperator(
            task_id="check_data",
            command=["tidemill", "quality", "run", "--use-case", use_case],
            pool=SPARK_POOL,
            execution_timeout=timedelta(minutes=30),
            doc_md="Judges the tables that it learns from; while one fails a critical expectation, nothing is claimed.",
        )
        claim = PlatformCommandOperator(
            task_id="claim",
            command=["tidemill", "retrain", "claim", use_case, "--holder", "{{ dag.dag_id }} {{ run_id }}", "--json"],
            skip_without="request_id",
            doc_md="Claims the oldest request for this run; done again, it is the one that this run has already.",
        )
        train = stage(
            "train",
            "Reads the point-in-time frame with Spark, searches, and logs the best model to MLflow.",
            120,
            pool=SPARK_POOL,
            links=[MlflowRunLink()],
        )
        evaluate = stage(
            "evaluate", "Measures the model on the test period: intervals, calibration, baseline, explanation.", 60
        )
        gate = stage(
            "gate", "Holds it against the floors, the baseline and the champion; both verdicts are a success.", 30
        )
        promote = stage("promote", "Registers the model and begins its rollout.", 30)
        open_request >> check_data >> claim >> train >> evaluate >> gate
        decision = gate_passed(gate.output)
        decision >> Label("passed") >> promote
        decision >> Label("failed a gate") >> keep_champion(gate.output)
    return dag


for declared in trainings():
    globals()[f"retrain_{declared.use_case}"] = retrain_dag(declared)
