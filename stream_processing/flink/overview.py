"""Every job that is declared or deployed, and what the cluster says of it."""

from dataclasses import dataclass
from datetime import UTC, datetime

from stream_processing.flink.cluster import ENDED, Cluster, ClusterAwayError, RunningJob
from stream_processing.flink.deployments import Deployment, deployments
from stream_processing.flink.job import job as declared_job
from stream_processing.flink.job import jobs
from tidemill.config.settings import Settings


@dataclass(frozen=True)
class JobOverview:
    """``state`` is Flink's own word, or what it is not: deployed, or known to the cluster, which may be away; or
    that it was asked to stop and still runs.

    ``since`` and ``checkpoint`` are the times of its last start and its last checkpoint, in UTC; ``late`` counts events
    since then that came too late to change a result.
    """

    job: str
    description: str
    state: str
    job_id: str | None = None
    since: str | None = None
    checkpoint: str | None = None
    late: int | None = None


def overview(settings: Settings) -> list[JobOverview]:
    """Every job, by name."""
    declared = {name: declared_job(name).description for name in jobs()}
    recorded = {deployment.job: deployment for deployment in deployments(settings)}
    cluster = Cluster(settings)
    try:
        known: dict[str, RunningJob] | None = dict(cluster.jobs())
    except ClusterAwayError:
        known = None
    return [
        _job(cluster, known, name, declared.get(name, "declared no longer"), recorded.get(name))
        for name in sorted({*declared, *recorded})
    ]


def troubled(settings: Settings) -> list[str]:
    """A sentence for each job that is to run and does not.

    Raises:
        ClusterAwayError: the cluster does not answer.
    """
    cluster = Cluster(settings)
    wanted = {deployment.job: str(deployment.job_id) for deployment in deployments(settings) if deployment.is_wanted}
    known = cluster.jobs() if wanted else {}
    states = {job: known[job_id].state if job_id in known else "UNKNOWN" for job, job_id in wanted.items()}
    return [f"{job} is {state}" for job, state in states.items() if state not in {"RUNNING", "STARTING"}]


def _job(
    cluster: Cluster, known: dict[str, RunningJob] | None, name: str, description: str, deployment: Deployment | None
) -> JobOverview:
    if deployment is None:
        return JobOverview(name, description, "not deployed")
    if not deployment.is_wanted and not deployment.is_stopping:
        return JobOverview(name, description, "stopped")
    if known is None:
        return JobOverview(name, description, "cluster away", deployment.job_id)
    job = known.get(str(deployment.job_id))
    if deployment.is_stopping:
        has_ended = job is None or job.state in ENDED
        return JobOverview(name, description, "stopped" if has_ended else "stopping", deployment.job_id)
    if job is None:
        return JobOverview(name, description, "lost", deployment.job_id)
    return _known_job(cluster, name, description, job)


def _known_job(cluster: Cluster, name: str, description: str, job: RunningJob) -> JobOverview:
    if job.state == "INITIALIZING":  # the cluster knows no more of it yet, and logs a stack of Java for each question
        return JobOverview(name, description, job.state, job.job_id, _time(job.started))
    try:
        completed, late = cluster.last_checkpoint(job.job_id), cluster.late(job.job_id)
    except ClusterAwayError:  # it went away after it had told its jobs
        return JobOverview(name, description, "cluster away", job.job_id)
    checkpoint = None if completed is None else _time(completed)
    return JobOverview(name, description, job.state, job.job_id, _time(job.started), checkpoint, late)


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
