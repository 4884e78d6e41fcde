"""``tidemill dags``."""

import json
from collections.abc import Mapping, Sequence

import click

from tidemill.airflow_client import AirflowClient, DagRun
from tidemill.config import load_settings

TIMEOUT_S = 7200.0
KEEPING = "keep_champion"
"""The task of a retraining that has run when a gate refused the new model; it returns the reasons."""


@click.group(name="dags")
def command() -> None:
    """Run Airflow's DAGs and follow them."""


@command.command()
@click.argument("dag_id")
@click.option(
    "--conf", "pairs", multiple=True, metavar="KEY=VALUE", help="A parameter of the run, VALUE in JSON or a text."
)
@click.option(
    "--timeout", "timeout_s", type=click.FloatRange(min=0), default=TIMEOUT_S, show_default=True, help="In seconds."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def run(dag_id: str, pairs: tuple[str, ...], timeout_s: float, as_json: bool) -> None:
    """Start DAG_ID, such as retrain_churn, and wait for its end; a failure is told with the end of the task's log.

    The DAG is unpaused. Ctrl-C ends the waiting, not the run. A retraining whose model did not pass a gate has not
    failed: the reasons are printed, and the champion stays.
    """
    ended, refused = run_to_end(dag_id, _conf(pairs), timeout_s)
    if as_json:
        document = {"dag_id": dag_id, "run_id": ended.run_id, "state": ended.state, "tasks": dict(ended.tasks)}
        click.echo(json.dumps(document | {"url": ended.url, "refused": refused}, indent=2))
    else:
        for reason in refused:
            click.echo(f"not promoted: {reason}")
        click.echo(f"{dag_id} {ended.state}: {ended.url}")


def run_to_end(
    dag_id: str, conf: Mapping[str, object] | None = None, timeout_s: float = TIMEOUT_S
) -> tuple[DagRun, Sequence[str]]:
    """A new run of a DAG when it has ended well, and why a gate refused its model; what its tasks do goes to stderr.

    Raises:
        DagRunFailedError: it has failed.
    """
    shown: dict[str, str | None] = {}

    def show(run: DagRun) -> None:
        for task, state in run.tasks.items():
            if shown.get(task) != state:
                click.echo(f"{task}: {state}", err=True)
        shown.update(run.tasks)

    with AirflowClient(load_settings()) as airflow:
        ended = airflow.run(dag_id, dict(conf or {}), progress=show, timeout_s=timeout_s)
        ended.raise_for_failure()
        return ended, airflow.returned(ended, KEEPING) if ended.tasks.get(KEEPING) == "success" else []


def _conf(pairs: Sequence[str]) -> dict[str, object]:
    conf: dict[str, object] = {}
    for pair in pairs:
        key, given, value = pair.partition("=")
        if not (key and given):
            raise click.BadParameter(f"{pair!r} is not KEY=VALUE", param_hint="--conf")
        try:
            conf[key] = json.loads(value)
        except json.JSONDecodeError:
            conf[key] = value
    return conf
