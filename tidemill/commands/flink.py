"""``tidemill flink``: deploy, list and stop the jobs that Flink runs."""

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from tidemill.config import load_settings
from tidemill.tables import print_table, table

if TYPE_CHECKING:
    from stream_processing.flink.overview import JobOverview

COLUMNS = ("job", "state", "since", "checkpoint", "late", "job id", "description")
as_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group(name="flink")
def command() -> None:
    """Deploy, list and stop the jobs that Flink runs: sessions and patterns, found within seconds."""


@command.command()
@click.argument("job")
@click.option("--from", "start_from", metavar="URI", help="A savepoint or checkpoint to go on from, or `beginning`.")
@as_json_option
def deploy(job: str, start_from: str | None, as_json: bool) -> None:
    """Have JOB run as its file says, from now on and whatever is killed.

    One that runs is stopped with a savepoint, from which the changed one goes on; one that was stopped goes on where it
    was; a new one begins with the first message of its topics. If it does not run as it is now, what ran is put back.
    """
    from ingestion_layer.kafka.topics import create_topics
    from stream_processing.flink.deploying import deploy as deploy_job
    from stream_processing.flink.job import job as declared_job

    settings, declared = load_settings(), declared_job(job)
    create_topics(settings, [*(contract.topic for contract in declared.reads.values()), declared.writes.topic])
    deployed = deploy_job(settings, declared, start_from)
    restored = f", from {deployed.restored}" if deployed.restored else ""
    _print(
        asdict(deployed), as_json, f"{job}: {deployed.was}{restored}; it is {deployed.job_id} at {settings.flink.url}"
    )


@command.command(name="list")
@as_json_option
def list_(as_json: bool) -> None:
    """List every job that is declared, and what became of those that are deployed.

    `late` counts events that came too late to change a result, since the job was started last; they are in silver.
    """
    from stream_processing.flink.overview import overview

    jobs = overview(load_settings())
    if as_json:
        click.echo(json.dumps([asdict(job) for job in jobs], indent=2))
        return
    print_table(table(COLUMNS, map(_row, jobs)))


@command.command()
@click.argument("job")
@as_json_option
def stop(job: str, as_json: bool) -> None:
    """Stop JOB with a savepoint: a later deploy goes on from it."""
    from stream_processing.flink.deploying import stop as stop_job

    stopped = stop_job(load_settings(), job)
    _print({"job": job, "savepoint": stopped.restore}, as_json, f"{job} is stopped; its state: {stopped.restore}")


@command.command()
@click.argument("job")
@as_json_option
def savepoint(job: str, as_json: bool) -> None:
    """Make a savepoint of JOB, which goes on."""
    from stream_processing.flink.deploying import savepoint as make_savepoint

    made = make_savepoint(load_settings(), job)
    _print({"job": job, "savepoint": made}, as_json, made)


def _row(job: "JobOverview") -> list[str]:
    late = "" if job.late is None else f"{job.late:,}"
    return [job.job, job.state, job.since or "", job.checkpoint or "", late, job.job_id or "", job.description]


def _print(described: dict[str, Any], as_json: bool, sentence: str) -> None:
    click.echo(json.dumps(described, indent=2) if as_json else sentence)
