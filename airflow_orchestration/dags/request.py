"""A DAG ``request_<use case>`` for each use case that has a ``model.yaml``, which says when it asks for a model."""

from datetime import timedelta

from airflow.sdk import DAG, Param

from airflow_orchestration.defaults import DEFAULT_ARGS
from airflow_orchestration.plugins.operators.platform_command import PlatformCommandOperator
from airflow_orchestration.schedules import at_times
from airflow_orchestration.trainings import Training, trainings

DOC = """
### Ask for a new model of {use_case}

{description}

{when}: writes a request into the control store, which `retrain_{use_case}` works off. While one of the schedule is open
it is counted again, and the limits of `model.yaml` (`retraining`) hold.

Triggered by hand, with `{{"reason": "prices changed on Monday"}}`, it asks as a person would by
`tidemill retrain request`: no limit holds.

**When it fails** the control store was away; the task's log has the reason. Clear the task.
"""
TROUBLE = "**{trouble}**\n\nUntil that is mended it has no schedule."
BY_HAND = "dag_run.run_type == 'manual'"


def doc_of(training: Training) -> str:
    """What Airflow's page says of the DAG."""
    when = f"At `{training.schedule}` (UTC), or when you trigger it" if training.schedule else "When you trigger it"
    description = TROUBLE.format(trouble=training.trouble) if training.trouble else training.description
    return DOC.format(use_case=training.use_case, description=description, when=when)


def request_dag(training: Training) -> DAG:
    """The DAG of one use case."""
    use_case = training.use_case
    with DAG(
        dag_id=f"request_{use_case}",
        description=f"Ask for a new model of {use_case}",
        schedule=at_times(training.schedule) if training.schedule else None,
        catchup=False,
        max_active_runs=1,
        dagrun_timeout=timedelta(hours=1),
        default_args=DEFAULT_ARGS | {"owner": training.owner},
        params={"reason": Param("asked for in Airflow", type="string", minLength=1, description="Why, by hand")},
        tags=sorted({"models", use_case, *training.tags, *(["trouble"] if training.trouble else [])}),
        doc_md=doc_of(training),
    ) as dag:
        PlatformCommandOperator(
            task_id="request",
            command=["tidemill", "retrain", "request", use_case, "--by", "{{ dag.dag_id }}", "--json"],
            options={
                "--source": f"{{{{ 'person' if {BY_HAND} else 'schedule' }}}}",
                "--reason": f"{{{{ params.reason if {BY_HAND} else 'its schedule: {training.schedule or ''}' }}}}",
            },
            doc_md="Writes the request; one that is open already is counted again.",
        )
    return dag


for declared in trainings():
    globals()[f"request_{declared.use_case}"] = request_dag(declared)
