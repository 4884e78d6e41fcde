"""Ending what the cluster runs of a job: with a savepoint what was submitted last, and anything else where it is."""

import time
from collections.abc import Iterable
from dataclasses import replace

from stream_processing.flink.cluster import ENDED, POLL_S, Cluster, SavepointError
from stream_processing.flink.configuration import attempt_savepoints
from stream_processing.flink.deployments import Deployment, record
from stream_processing.flink.restoring import newest_state
from tidemill.config.settings import Settings

SAVEPOINT_S = 300.0
ENDED_S = 300.0


def alive(cluster: Cluster, current: Deployment) -> set[str]:
    """The ids of all that the cluster runs under the job's name, or that is on record as an attempt at it.

    There can be another than the newest: one that was handed in although who did it was killed.
    """
    return {
        job.job_id
        for job in cluster.jobs().values()
        if job.state not in ENDED and (job.name == current.job or job.job_id in current.attempts)
    }


def end(cluster: Cluster, job_ids: Iterable[str]) -> None:
    """End each job where it is, and wait until it has: its last checkpoint stays.

    Raises:
        ClusterAwayError, SavepointError
    """
    for job_id in job_ids:
        cluster.cancel(job_id)
        _wait_ended(cluster, job_id)


def end_with_savepoint(settings: Settings, cluster: Cluster, current: Deployment) -> Deployment:
    """The record of the job once all that ran of it has ended; it is on record.

    It goes on from a savepoint; one of which not all tasks ran, from its newest checkpoint.

    Raises:
        ClusterAwayError, SavepointError
    """
    job_id, state = current.job_id, None
    if job_id is not None and cluster.state(job_id) == "RUNNING":
        state = _stopped(settings, cluster, current.job, job_id)
    end(cluster, alive(cluster, current))
    ended = replace(current, restore=state or newest_state(settings, current), attempts=())
    record(settings, ended)
    return ended


def _stopped(settings: Settings, cluster: Cluster, job: str, job_id: str) -> str | None:
    """The URI of the savepoint that the job ended with; None of one that somebody else had asked for before."""
    try:
        state = cluster.savepoint(job_id, attempt_savepoints(settings, job, job_id), SAVEPOINT_S, stop=True)
    except SavepointError:
        if cluster.state_if_told(job_id) != "FINISHED":
            raise
        return None
    _wait_ended(cluster, job_id)
    return state


def _wait_ended(cluster: Cluster, job_id: str) -> None:
    deadline = time.monotonic() + ENDED_S
    while cluster.state_if_told(job_id) not in {*ENDED, "UNKNOWN"}:
        if time.monotonic() > deadline:
            raise SavepointError(f"job {job_id} does not end: see {cluster.url}/#/job/{job_id}")
        time.sleep(POLL_S)
