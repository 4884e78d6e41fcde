"""A DAG ``rollout_<use case>`` for each use case that has a ``model.yaml``: a step of its rollout at a time."""

from datetime import timedelta

from airflow.sdk import DAG

from airflow_orchestration.defaults import DEFAULT_ARGS
from airflow_orchestration.plugins.operators.platform_command import PlatformCommandOperator
from airflow_orchestration.schedules import schedule
from airflow_orchestration.trainings import Training, trainings

DOC = """
### Bring a new model of {use_case} to its traffic, step by step

{description}

Every five minutes a step of the rollout that runs: what both models did is counted from the prediction log, and by that
the challenger waits, gets a larger share, becomes the champion, or is taken back (`rollout` in
`use_cases/{use_case}/model.yaml`). Without one, the oldest request that waits for its rollout is begun; without that,
the run is skipped.

Where it is: `tidemill models history {use_case}`. To end it: `tidemill rollout stop {use_case} --reason "..."`. Under
the policy `manual` it waits for `tidemill models approve {use_case} --reason "..."`.

**When it fails** the log of `step` has the reason; the traffic stays as it is, and the guards look again with the next
run. Clearing the task at any time is safe: a step finds what was done.
"""
TROUBLE = "**{trouble}**\n\nUntil that is mended, `step` fails with the reason."


def rollout_dag(training: Training) -> DAG:
    """The DAG of one use case."""
    use_case = training.use_case
    description = TROUBLE.format(trouble=training.trouble) if training.trouble else training.description
    with DAG(
        dag_id=f"rollout_{use_case}",
        description=f"Bring a new model of {use_case} to its traffic step by step, or take it back",
        schedule=schedule("rollout"),
        catchup=False,
        max_active_runs=1,
        dagrun_timeout=timedelta(hours=1),
        default_args=DEFAULT_ARGS | {"owner": training.owner},
        tags=sorted({"models", use_case, *training.tags, *(["trouble"] if training.trouble else [])}),
        doc_md=DOC.format(use_case=use_case, description=description),
    ) as dag:
        PlatformCommandOperator(
            task_id="step",
            command=["tidemill", "rollout", "step", use_case, "--by", "{{ dag.dag_id }}", "--json"],
            skip_without="action",
            # A rollout begins with a replay of the last day.
            execution_timeout=timedelta(minutes=30),
            doc_md="Does what is next of the rollout; skipped where nothing is being rolled out.",
        )
    return dag


for declared in trainings():
    globals()[f"rollout_{declared.use_case}"] = rollout_dag(declared)
