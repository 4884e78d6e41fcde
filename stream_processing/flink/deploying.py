"""Deploying, upgrading and stopping a job: what is wanted is on record before the cluster is asked for it."""

import time
import uuid
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from stream_processing.flink.cluster import ENDED, POLL_S, Cluster
from stream_processing.flink.configuration import attempt_savepoints
from stream_processing.flink.deployments import ATTEMPTS, Deployment, alone_with, deployment, forget, record
from stream_processing.flink.ending import SAVEPOINT_S, alive, end, end_with_savepoint
from stream_processing.flink.job import Job
from stream_processing.flink.restoring import MissingStateError, forget_older, newest_state, require_state
from stream_processing.flink.statements import program
from stream_processing.flink.submission import SubmissionError, submit
from tidemill.config.errors import TerminalError
from tidemill.config.settings import Settings

BEGINNING = "beginning"
"""Of the topics: no state is gone on from."""
RUNNING_S = 300.0


class DeployError(TerminalError):
    """The job does not run as it was deployed; the message says why, and what runs instead."""


class NotDeployedError(TerminalError):
    """The job is not on record as one that is to run."""


@dataclass(frozen=True)
class Deployed:
    """``was`` says what was done: nothing, or that the job is new or changed; ``restored`` is what it went on from."""

    job: str
    job_id: str
    was: str
    restored: str | None


def deploy(settings: Settings, job: Job, start_from: str | None = None) -> Deployed:
    """Have ``job`` run as its file says: from a savepoint of what runs, else from where it was stopped, else from the
    beginning of its topics; with ``start_from`` from the state at that URI, or :data:`BEGINNING`.

    Raises:
        DeployError: it does not run; what ran before is started again, and on record is what was before.
        MissingStateError: there is no state at ``start_from``; nothing was changed.
        ClusterAwayError, SubmissionError, SavepointError
    """
    cluster, text = Cluster(settings), program(settings, job).as_json()
    if start_from != BEGINNING:
        require_state(settings, job.name, start_from)
    with alone_with(settings, job.name):
        before = deployment(settings, job.name)
        if (
            before
            and before.is_wanted
            and before.program == text
            and start_from is None
            and _runs_alone(cluster, before)
        ):
            return Deployed(job.name, str(before.job_id), "already running", None)
        if before:
            before = end_with_savepoint(settings, cluster, before)
        restore = _restore(start_from, before)
        after = Deployment(job.name, True, text, restore, (), datetime.now(UTC).isoformat(timespec="seconds"))
        try:
            return _started(settings, cluster, after, "changed" if before else "new")
        except (SubmissionError, MissingStateError, DeployError) as error:
            raise _put_back(settings, cluster, before, after, error) from error


def resubmit(settings: Settings, job: str) -> Deployed | None:
    """Give the cluster again a job that is wanted and that it has lost or given up, from its newest checkpoint.

    None when there is nothing to do.

    Raises:
        MissingStateError: the state that it is to go on from is not there.
        ClusterAwayError, SavepointError, SubmissionError
    """
    cluster = Cluster(settings)
    with alone_with(settings, job):
        current = deployment(settings, job)
        if current is None or not current.is_wanted:
            return None
        if _runs_alone(cluster, current):
            forget_older(settings, current)
            return None
        return _submitted(settings, cluster, current)


def stop(settings: Settings, job: str) -> Deployment:
    """End ``job`` with a savepoint, from which a later deploy goes on.

    That it is wanted no longer is on record first: nobody submits again what another process may see end, and a stop
    that was interrupted, or that failed, is completed by the next one.

    Raises:
        NotDeployedError: it is stopped.
        ClusterAwayError, SavepointError
    """
    with alone_with(settings, job):
        current = deployment(settings, job)
        if current is None or not (current.is_wanted or current.is_stopping):
            raise _not_deployed(job)
        stopping = replace(current, is_wanted=False)
        record(settings, stopping)
        return end_with_savepoint(settings, Cluster(settings), stopping)


def savepoint(settings: Settings, job: str) -> str:
    """The URI of a savepoint of ``job``, which goes on.

    Raises:
        NotDeployedError: it is not to run.
        ClusterAwayError, SavepointError
    """
    job_id = str(wanted(settings, job).job_id)
    return Cluster(settings).savepoint(job_id, attempt_savepoints(settings, job, job_id), SAVEPOINT_S)


def wanted(settings: Settings, job: str) -> Deployment:
    """The record of ``job``.

    Raises:
        NotDeployedError: it is not to run.
    """
    current = deployment(settings, job)
    if current is None or not current.is_wanted:
        raise _not_deployed(job)
    return current


def _not_deployed(job: str) -> NotDeployedError:
    return NotDeployedError(f"{job} is not deployed: `tidemill flink deploy {job}`")


def _restore(start_from: str | None, before: Deployment | None) -> str | None:
    if start_from is not None:
        return None if start_from == BEGINNING else start_from
    return before.restore if before else None


def _runs_alone(cluster: Cluster, current: Deployment) -> bool:
    """Whether the newest attempt runs; whatever runs beside it is ended."""
    running = alive(cluster, current)
    if current.job_id not in running:
        return False
    end(cluster, running - {current.job_id})
    return True


def _started(settings: Settings, cluster: Cluster, after: Deployment, was: str) -> Deployed:
    deployed = _submitted(settings, cluster, after)
    _wait_running(cluster, after.job, deployed.job_id)
    return replace(deployed, was=was)


def _submitted(settings: Settings, cluster: Cluster, current: Deployment) -> Deployed:
    """Submitted, once nothing else runs of it, under an id that is on record first, with the state that was found.

    If this process dies here, nobody submits it a second time; however often it fails, the state is not forgotten.
    """
    end(cluster, alive(cluster, current))
    restore, job_id = newest_state(settings, current), uuid.uuid4().hex
    require_state(settings, current.job, restore)
    attempts = (*current.attempts, job_id)[-ATTEMPTS:]
    record(settings, replace(current, restore=restore, attempts=attempts))
    submit(settings, current.program, job_id, restore)
    return Deployed(current.job, job_id, "submitted again", restore)


def _put_back(
    settings: Settings, cluster: Cluster, before: Deployment | None, after: Deployment, error: TerminalError
) -> DeployError:
    end(cluster, alive(cluster, deployment(settings, after.job) or after))
    if before and before.is_wanted:
        _started(settings, cluster, before, "put back")
        return DeployError(f"{after.job} does not run as its file says now; what ran before runs again: {error}")
    if before:
        record(settings, before)
    else:
        forget(settings, after.job)
    return DeployError(f"{after.job} does not run: {error}")


def _wait_running(cluster: Cluster, job: str, job_id: str) -> None:
    deadline = time.monotonic() + RUNNING_S
    while (state := cluster.state_if_told(job_id)) != "RUNNING":
        if state in ENDED or time.monotonic() > deadline:
            failure = cluster.failure(job_id) if state not in {"UNKNOWN", "INITIALIZING"} else ""
            raise DeployError(f"{job} is {state} after it was submitted: {failure or 'no reason given'}")
        time.sleep(POLL_S)
