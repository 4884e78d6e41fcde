"""What is done for the jobs on record, look by look."""

import logging

import pytest

from stream_processing.flink.deployments import Deployment, record
from stream_processing.flink.keeping import Keeper
from tests.unit.stream_processing.flink.fake_cluster import FakeCluster
from tests.unit.stream_processing.flink.states import JOB

SESSIONS = Deployment(JOB, True, {"old": 1}, None, ("x",), "2026-03-02T00:00:00+00:00")


def errors(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [entry.getMessage() for entry in caplog.records if entry.levelno >= logging.ERROR]


def test_a_record_that_cannot_be_read_keeps_no_other_job_from_running(
    cluster: FakeCluster, caplog: pytest.LogCaptureFixture
) -> None:
    record(cluster.settings, SESSIONS)
    file = cluster.settings.home / "flink" / "jobs" / "alerts.json"
    file.write_text("{")
    keeper = Keeper(cluster.settings)
    for _ in range(3):
        keeper.look()
    assert list(cluster.states.values()) == ["RUNNING"]
    (told,) = errors(caplog)
    assert f"alerts is not looked after: {file} is not as it was written" in told
    file.write_text("[]")
    keeper.look()
    assert len(errors(caplog)) == 2


def test_a_state_that_is_gone_ends_no_look(cluster: FakeCluster, caplog: pytest.LogCaptureFixture) -> None:
    record(cluster.settings, Deployment("alerts", True, {}, "file:///removed", (), "2026-03-02T00:00:00+00:00"))
    record(cluster.settings, SESSIONS)
    Keeper(cluster.settings).look()
    assert list(cluster.states.values()) == ["RUNNING"]
    (told,) = errors(caplog)
    assert "alerts was not submitted: alerts cannot go on from file:///removed" in told


def test_a_job_that_fails_is_given_a_rest(cluster: FakeCluster) -> None:
    record(cluster.settings, SESSIONS)
    cluster.refuses = "no memory"
    keeper = Keeper(cluster.settings)
    for _ in range(3):
        keeper.look()
    assert len(cluster.submitted) == 1
