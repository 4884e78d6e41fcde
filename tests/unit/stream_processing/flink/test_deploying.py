"""What is on record, and what runs, after a deploy, a stop or a new submission, also one that was killed in between."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from stream_processing.flink.cluster import SavepointError
from stream_processing.flink.configuration import path_of
from stream_processing.flink.deploying import DeployError, NotDeployedError, deploy, resubmit, stop
from stream_processing.flink.deploying import savepoint as savepoint_now
from stream_processing.flink.deployments import ATTEMPTS, Deployment, deployment, record
from stream_processing.flink.job import job
from stream_processing.flink.restoring import MissingStateError, forget_older, newest_state
from stream_processing.flink.statements import program
from stream_processing.flink.submission import SubmissionError
from tests.unit.stream_processing.flink.fake_cluster import FakeCluster
from tests.unit.stream_processing.flink.states import JOB, checkpoint, savepoint
from tidemill.config import Settings

SESSIONS = Deployment(JOB, True, {"old": 1}, None, ("x",), "2026-03-02T00:00:00+00:00")
OTHERS = {"y": "sessions", "forgotten": "sessions", "not ours": "card_patterns"}
"""What else the cluster runs: an earlier attempt, one that no record has, and another job."""


def recorded(cluster: FakeCluster) -> Deployment:
    found = deployment(cluster.settings, JOB)
    assert found is not None
    return found


def running(cluster: FakeCluster) -> list[str]:
    return [job_id for job_id, state in cluster.states.items() if state == "RUNNING"]


@pytest.fixture
def running_job(cluster: FakeCluster) -> FakeCluster:
    """A cluster that runs the attempt ``x``, which has a checkpoint."""
    record(cluster.settings, SESSIONS)
    checkpoint(cluster.settings, "x", 41)
    cluster.states["x"] = "RUNNING"
    return cluster


def test_a_changed_job_goes_on_from_the_savepoint_it_was_stopped_with(running_job: FakeCluster) -> None:
    deployed = deploy(running_job.settings, job(JOB))
    assert (deployed.was, running(running_job)) == ("changed", [deployed.job_id])
    assert str(deployed.restored).startswith(f"file://{running_job.settings.home}/flink/savepoints/{JOB}/x/savepoint-")


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_deploy_that_is_killed_at_the_savepoint_loses_no_state(running_job: FakeCluster, moment: str) -> None:
    before = newest_state(running_job.settings, SESSIONS)
    running_job.dies = moment
    with pytest.raises(KeyboardInterrupt):
        deploy(running_job.settings, job(JOB))
    again = resubmit(running_job.settings, JOB)
    if moment == "before":
        assert (again, running(running_job), newest_state(running_job.settings, SESSIONS)) == (None, ["x"], before)
    else:
        assert again is not None
        assert "/savepoints/sessions/x/savepoint-" in str(again.restored)
        assert running(running_job) == [again.job_id]


def test_a_state_is_not_forgotten_however_often_a_submission_fails(running_job: FakeCluster) -> None:
    state = newest_state(running_job.settings, SESSIONS)
    running_job.states["x"], running_job.refuses = "FAILED", "no memory"
    for _ in range(ATTEMPTS + 1):
        with pytest.raises(SubmissionError):
            resubmit(running_job.settings, JOB)
    running_job.refuses = ""
    again = resubmit(running_job.settings, JOB)
    assert again is not None
    assert (again.restored, running_job.submitted[-1]) == (state, (again.job_id, state))
    forget_older(running_job.settings, recorded(running_job))
    assert newest_state(running_job.settings, SESSIONS) == state


def test_a_deploy_from_what_is_not_there_changes_nothing_and_names_what_is(running_job: FakeCluster) -> None:
    made = savepoint(running_job.settings, "w", 7)
    with pytest.raises(MissingStateError, match=r"cannot go on from file:///typo, which is not there") as told:
        deploy(running_job.settings, job(JOB), "file:///typo")
    assert made in str(told.value)
    assert (recorded(running_job), running(running_job)) == (SESSIONS, ["x"])


def test_a_stopped_job_whose_savepoint_was_removed_is_not_handed_to_flink(cluster: FakeCluster) -> None:
    record(cluster.settings, replace(SESSIONS, is_wanted=False, restore="file:///removed", attempts=()))
    with pytest.raises(DeployError, match="file:///removed, which is not there; nor is any savepoint of it"):
        deploy(cluster.settings, job(JOB))
    record(cluster.settings, replace(SESSIONS, restore="file:///removed"))
    with pytest.raises(MissingStateError):
        resubmit(cluster.settings, JOB)
    assert cluster.submitted == []


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize(
    "next_command", [stop, lambda settings, name: deploy(settings, job(name))], ids=["stop", "deploy"]
)
def test_a_stop_that_is_killed_is_undone_by_nobody_and_completed(
    running_job: FakeCluster, moment: str, next_command: Callable[[Settings, str], object]
) -> None:
    running_job.dies = moment
    with pytest.raises(KeyboardInterrupt):
        stop(running_job.settings, JOB)
    assert resubmit(running_job.settings, JOB) is None
    assert (recorded(running_job).is_stopping, running(running_job)) == (True, ["x"] if moment == "before" else [])
    running_job.dies = ""
    next_command(running_job.settings, JOB)
    assert "/savepoints/sessions/x/savepoint-" in str(recorded(running_job).restore)
    assert running(running_job) == ([recorded(running_job).job_id] if recorded(running_job).is_wanted else [])


def test_a_stop_that_is_asked_for_while_flink_makes_the_savepoint_ends_with_that_one(running_job: FakeCluster) -> None:
    running_job.fails = "asked"
    stopped = stop(running_job.settings, JOB)
    assert "/savepoints/sessions/x/savepoint-" in str(stopped.restore)


def test_a_savepoint_that_was_not_made_leaves_a_job_to_be_stopped(running_job: FakeCluster) -> None:
    running_job.fails = "full"
    with pytest.raises(SavepointError):
        stop(running_job.settings, JOB)
    assert (recorded(running_job).is_stopping, running(running_job)) == (True, ["x"])
    with pytest.raises(NotDeployedError):
        savepoint_now(running_job.settings, JOB)


def test_a_stopped_job_cannot_be_stopped_again(running_job: FakeCluster) -> None:
    stopped = stop(running_job.settings, JOB)
    with pytest.raises(NotDeployedError, match="sessions is not deployed"):
        stop(running_job.settings, JOB)
    assert recorded(running_job) == stopped


@pytest.mark.parametrize("start_from", [None, "beginning", "s3://bucket/typo"])
def test_a_deploy_that_failed_leaves_a_stopped_job_as_it_was(cluster: FakeCluster, start_from: str | None) -> None:
    stopped = replace(SESSIONS, is_wanted=False, restore=savepoint(cluster.settings, "x", 7), attempts=())
    record(cluster.settings, stopped)
    cluster.refuses = "its SQL is wrong"
    with pytest.raises(DeployError, match="sessions does not run: its SQL is wrong"):
        deploy(cluster.settings, job(JOB), start_from)
    assert recorded(cluster) == stopped
    cluster.refuses = ""
    assert deploy(cluster.settings, job(JOB)).restored == stopped.restore


def test_a_first_deploy_that_failed_leaves_no_record(cluster: FakeCluster) -> None:
    cluster.refuses = "its SQL is wrong"
    with pytest.raises(DeployError):
        deploy(cluster.settings, job(JOB), "s3://bucket/typo")
    assert deployment(cluster.settings, JOB) is None


def test_a_change_that_failed_has_what_ran_before_run_again(running_job: FakeCluster) -> None:
    running_job.refuses, running_job.accepts = "its SQL is wrong", SESSIONS.program
    with pytest.raises(DeployError, match="what ran before runs again: its SQL is wrong"):
        deploy(running_job.settings, job(JOB))
    assert (recorded(running_job).program, recorded(running_job).is_wanted) == (SESSIONS.program, True)
    assert running(running_job) == [recorded(running_job).job_id]
    assert "/savepoints/sessions/x/savepoint-" in str(running_job.submitted[-1][1])


def test_a_job_that_could_not_be_put_back_is_wanted_as_it_was(running_job: FakeCluster) -> None:
    running_job.refuses = "no memory"
    with pytest.raises(SubmissionError):
        deploy(running_job.settings, job(JOB))
    running_job.refuses = ""
    again = resubmit(running_job.settings, JOB)
    assert again is not None
    assert (recorded(running_job).program, running(running_job)) == (SESSIONS.program, [again.job_id])
    assert "/savepoints/sessions/x/savepoint-" in str(again.restored)


@pytest.fixture
def crowded(running_job: FakeCluster) -> FakeCluster:
    """A cluster that runs more of a job than the attempt ``x``, which is the newest."""
    record(running_job.settings, replace(SESSIONS, attempts=("y", "x")))
    running_job.names |= OTHERS
    running_job.states |= dict.fromkeys(OTHERS, "RUNNING")
    return running_job


def test_what_runs_beside_the_newest_attempt_is_ended(crowded: FakeCluster) -> None:
    older = checkpoint(crowded.settings, "y", 12)
    assert resubmit(crowded.settings, JOB) is None
    assert running(crowded) == ["x", "not ours"]
    assert not path_of(older).exists()


def test_nothing_else_of_a_job_runs_when_it_is_submitted_again(crowded: FakeCluster) -> None:
    del crowded.states["x"]
    again = resubmit(crowded.settings, JOB)
    assert again is not None
    assert running(crowded) == ["not ours", again.job_id]


def test_nothing_of_a_stopped_job_runs(crowded: FakeCluster) -> None:
    stopped = stop(crowded.settings, JOB)
    assert running(crowded) == ["not ours"]
    assert recorded(crowded) == stopped
    assert "/savepoints/sessions/x/savepoint-" in str(stopped.restore)


def test_a_stop_whose_newest_attempt_was_never_handed_in_goes_on_where_an_older_one_ended(crowded: FakeCluster) -> None:
    record(crowded.settings, replace(SESSIONS, attempts=("x", "never handed in")))
    assert stop(crowded.settings, JOB).restore == newest_state(crowded.settings, SESSIONS)
    assert running(crowded) == ["not ours"]


def test_a_job_that_runs_as_its_file_says_is_left_alone_and_only_it(crowded: FakeCluster) -> None:
    program_now = program(crowded.settings, job(JOB)).as_json()
    record(crowded.settings, replace(SESSIONS, program=program_now))
    assert deploy(crowded.settings, job(JOB)).was == "already running"
    assert running(crowded) == ["x", "not ours"]
