"""
### Keep the stream alive

Every 5 minutes: asks the streaming application what its queries do. It is unhealthy when, for a minute, it does not
answer or a query is *stuck*: no task of its batch has ended for `stream.stuck_after_s`. Then the stack restarts it, and
the run waits until it is healthy. A restart loses and repeats nothing: the checkpoint says where to go on.

A query that *failed* waits for a person, and no restart helps it: the run fails with its sentence, and the application,
which does everything else, is left alone.

A process that has died is restarted by the stack's supervisor within seconds; this DAG is for one that lives and does
not work, and to say so.

Configuration of a run: `{"patience_s": 60, "restart_patience_s": 180}`.

**When `check_stream` fails**, do what the sentence at the end of its log says; the query goes on within a minute.
**When `confirm_stream` fails**, the restart did not help: `tidemill logs stream` shows why the application
does not start.
"""

from datetime import timedelta

from airflow.sdk import DAG, Param, task

from airflow_orchestration.defaults import DEFAULT_ARGS
from airflow_orchestration.plugins.operators.platform_command import PlatformCommandOperator
from airflow_orchestration.schedules import schedule


@task(  # type: ignore[untyped-decorator]
    retries=0, doc_md="Returns why the stream is to be restarted, or nothing; fails when a query needs a person."
)
def check_stream(patience_s: str) -> str | None:
    from airflow.sdk.exceptions import AirflowFailException

    from airflow_orchestration.stream_health import QueryFailedError, StreamUnhealthyError, wait_until_healthy
    from tidemill.config.settings import load_settings

    try:
        health = wait_until_healthy(load_settings(), float(patience_s))
        health.raise_for_failed()
    except StreamUnhealthyError as error:
        return str(error)
    except QueryFailedError as error:
        raise AirflowFailException(str(error)) from None
    print(f"working: {', '.join(health.working)}")  # noqa: T201 - a task's stdout is its log
    return None


@task.short_circuit(doc_md="Goes on only when the stream is unhealthy, and says why.")  # type: ignore[untyped-decorator]
def is_unhealthy(problem: str | None) -> bool:
    print(f"restarting the stream: {problem}" if problem else "the stream makes progress")  # noqa: T201
    return problem is not None


@task(retries=0, doc_md="Waits until the restarted stream is healthy; fails when it does not become so.")  # type: ignore[untyped-decorator]
def confirm_stream(patience_s: str) -> list[str]:
    from airflow.sdk.exceptions import AirflowFailException

    from airflow_orchestration.stream_health import StreamUnhealthyError, wait_until_healthy
    from tidemill.config.settings import load_settings

    try:
        return list(wait_until_healthy(load_settings(), float(patience_s)).working)
    except StreamUnhealthyError as error:
        raise AirflowFailException(
            f"the stream was restarted and is not healthy after {patience_s} s: {error}"
        ) from None


with DAG(
    dag_id="stream_keepalive",
    description="Restarts the streaming application when it makes no progress",
    schedule=schedule("stream_keepalive"),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(minutes=15),
    default_args=DEFAULT_ARGS,
    params={
        "patience_s": Param(60, type="integer", minimum=0, description="Seconds unhealthy before a restart"),
        "restart_patience_s": Param(180, type="integer", minimum=0, description="Seconds a restart may take"),
    },
    tags=["stream", "operations"],
    doc_md=__doc__,
):
    stop_stream = PlatformCommandOperator(
        task_id="stop_stream",
        command=["tidemill", "down", "stream"],
        doc_md="Has the local stack's supervisor stop the streaming application, should it still run.",
    )
    start_stream = PlatformCommandOperator(
        task_id="start_stream",
        command=["tidemill", "up", "stream"],
        doc_md="Has the local stack's supervisor start the streaming application.",
    )
    restart_needed = is_unhealthy(check_stream("{{ params.patience_s }}"))
    restart_needed >> stop_stream >> start_stream >> confirm_stream("{{ params.restart_patience_s }}")
