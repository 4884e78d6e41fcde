"""What is said of the jobs that are declared or deployed."""

from dataclasses import replace

from stream_processing.flink.deployments import Deployment, record
from stream_processing.flink.overview import overview, troubled
from tests.unit.stream_processing.flink.conftest import Answers
from tidemill.config import Settings

SESSIONS = Deployment("sessions", True, {"passes": []}, None, ("a1",), "2026-03-02T00:00:00+00:00")


def jobs(state: str, running: int) -> tuple[int, dict[str, object]]:
    """The answer of a manager that has one job of four tasks."""
    tasks = {"total": 4, "running": running, "finished": 0}
    return 200, {
        "jobs": [{"jid": "a1", "name": "sessions", "state": state, "start-time": 1_772_409_600_000, "tasks": tasks}]
    }


def test_of_a_job_that_is_being_made_nothing_more_is_asked(manager: Settings, answers: Answers) -> None:
    record(manager, SESSIONS)
    answers += [jobs("INITIALIZING", 0)]
    (sessions,) = [job for job in overview(manager) if job.job == "sessions"]
    assert (sessions.state, sessions.job_id, sessions.since) == ("INITIALIZING", "a1", "2026-03-02T00:00:00+00:00")
    assert (sessions.checkpoint, sessions.late, answers) == (None, None, [])


def test_a_job_whose_manager_goes_away_meanwhile_is_not_said_to_run(manager: Settings, answers: Answers) -> None:
    record(manager, SESSIONS)
    answers += [jobs("RUNNING", 4), (503, {"errors": ["going down"]})]
    assert [job.state for job in overview(manager) if job.job == "sessions"] == ["cluster away"]


def test_a_job_runs_when_all_its_tasks_do(manager: Settings, answers: Answers) -> None:
    record(manager, SESSIONS)
    answers += [jobs("RUNNING", 4), jobs("RUNNING", 3), jobs("RESTARTING", 0)]
    assert [troubled(manager) for _ in range(3)] == [[], [], ["sessions is RESTARTING"]]


def test_a_job_that_was_to_be_stopped_is_said_to_stop_until_it_has_ended(manager: Settings, answers: Answers) -> None:
    record(manager, replace(SESSIONS, is_wanted=False))
    answers += [jobs("RUNNING", 4), jobs("FINISHED", 0), (200, {"jobs": []}), (503, {})]
    states = [job.state for _ in range(4) for job in overview(manager) if job.job == "sessions"]
    assert states == ["stopping", "stopped", "stopped", "cluster away"]
    record(manager, replace(SESSIONS, is_wanted=False, attempts=()))
    answers += [(200, {"jobs": []})]
    assert [job.state for job in overview(manager) if job.job == "sessions"] == ["stopped"]
