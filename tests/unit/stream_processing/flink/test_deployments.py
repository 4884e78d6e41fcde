"""The record of what is to run."""

from dataclasses import replace
from pathlib import Path

import pytest

from stream_processing.flink.deployments import Deployment, DeploymentRecordError, deployment, deployments, record
from tidemill.config import Settings, load_settings

JOB = Deployment("sessions", True, {"passes": ["é"]}, None, ("a1", "b2"), "2026-03-02T00:00:00+00:00")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings({"TIDEMILL_HOME": str(tmp_path / "a home")})


def test_what_is_recorded_is_read_again(settings: Settings) -> None:
    assert (deployments(settings), deployment(settings, "sessions")) == ([], None)
    record(settings, JOB)
    record(settings, replace(JOB, job="alerts"))
    assert deployment(settings, "sessions") == JOB
    assert [known.job for known in deployments(settings)] == ["alerts", "sessions"]


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"job": "sessions"}', "\xff"])
def test_a_record_that_was_changed_is_refused(settings: Settings, content: str) -> None:
    record(settings, JOB)
    (settings.home / "flink" / "jobs" / "sessions.json").write_text(content, encoding="latin-1")
    with pytest.raises(DeploymentRecordError, match=r"sessions\.json is not as it was written"):
        deployment(settings, "sessions")
