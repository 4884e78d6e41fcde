"""A DAG ``score_<use case>`` for each use case that has a ``model.yaml``, whose part ``scoring`` says when it runs."""

from datetime import timedelta
from typing import Any

from airflow.sdk import DAG, Param

from airflow_orchestration.defaults import DEFAULT_ARGS
from airflow_orchestration.plugins.operators.platform_command import PlatformCommandOperator
from airflow_orchestration.processes import SPARK_POOL
from airflow_orchestration.schedules import at_times
from airflow_orchestration.scorings import ScoringRun, scoring_runs

# The run's own time, which stays what it is when its task is cleared: so the task finds what it did before.
AT = "{{ params.at or dag_run.run_after.strftime('%Y-%m-%dT%H:%M:%S.%fZ') }}"
BEGIN = "{{ params.begin or (dag_run.run_after - macros.timedelta(days=1)).strftime('%Y-%m-%dT%H:%M:%S.%fZ') }}"
END = "{{ params.end or dag_run.run_after.strftime('%Y-%m-%dT%H:%M:%S.%fZ') }}"
DOC = """
### What the champion says of {whom}

{when}: scores {whom} with the champion of `{use_case}` into `gold/scores`: what the model server would answer about
each at the same time. What is there already, of the same time, model and tables, is not done again.

Configuration of a run: {configuration}; `"version": "7"` scores with that one instead of the champion.

**When it fails**: the task's log ends with the sentence that says why: there is no champion, its features have changed,
silver is not there yet. Nothing is written by half; mend the cause and clear the task.
"""
ENTITIES = '`{"at": "2026-01-01T00:00:00"}`, UTC; without it, as of the time of the run'
EVENTS = '`{"begin": "2026-01-01T00:00:00", "end": "2026-01-02T00:00:00"}`, UTC; without them, the day before the run'
TIME = {"type": ["null", "string"]}


def doc_of(run: ScoringRun) -> str:
    """What Airflow's page says of the DAG."""
    when = f"At `{run.schedule}` (UTC), or when you trigger it" if run.schedule else "When you trigger it"
    if run.trouble:
        when = f"**{run.trouble}**\n\nUntil that is mended it has no schedule. {when}"
    whom = "every event of a range, at its own time" if run.is_of_events else "all entities, as of one time"
    configuration = EVENTS if run.is_of_events else ENTITIES
    return DOC.format(use_case=run.use_case, when=when, whom=whom, configuration=configuration)


def params_of(run: ScoringRun) -> dict[str, Param]:
    """What a run may be told."""
    version = Param(None, type=["null", "string"], description="The version that scores; else the champion")
    if not run.is_of_events:
        return {"at": Param(None, **TIME, description="Entities as of this time, UTC"), "version": version}
    begin = Param(None, **TIME, description="Events from this time on, UTC")
    return {"begin": begin, "end": Param(None, **TIME, description="Events before this time, UTC"), "version": version}


def score_dag(run: ScoringRun) -> DAG:
    """The DAG of one use case."""
    times: dict[str, Any] = {"--from": BEGIN, "--to": END} if run.is_of_events else {"--at": AT}
    with DAG(
        dag_id=f"score_{run.use_case}",
        description=f"Score everybody of {run.use_case} with its champion",
        schedule=at_times(run.schedule) if run.schedule else None,
        catchup=False,
        max_active_runs=1,
        dagrun_timeout=timedelta(hours=6),
        default_args=DEFAULT_ARGS | {"owner": run.owner},
        params=params_of(run),
        tags=sorted({"models", run.use_case, "spark", *run.tags, *(["trouble"] if run.trouble else [])}),
        doc_md=doc_of(run),
    ) as dag:
        PlatformCommandOperator(
            task_id="score",
            command=["tidemill", "models", "score", run.use_case, "--json"],
            options=times | {"--version": "{{ params.version or '' }}"},
            pool=SPARK_POOL,
            execution_timeout=timedelta(hours=2),
            doc_md="Reads the features from silver with Spark, asks the model in its partitions, writes `gold/scores`.",
        )
    return dag


for scoring in scoring_runs():
    globals()[f"score_{scoring.use_case}"] = score_dag(scoring)
