"""The record of what is to run, and where a job goes on from."""

from dataclasses import replace
from pathlib import Path

import pytest

from stream_processing.flink.deployments import Deployment, DeploymentRecordError, deployment, deployments, record
from stream_processing.flink.restoring import forget_older, newest_state
from tidemill.config import Settings, load_settings
from tidemill.config.errors import ConfigError

JOB = Deployment("sessions", True, {"passes": ["é"]}, None, ("a1", "b2"), "2026-03-02T00:00:00+00:00")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings({"TIDEMILL_HOME": str(tmp_path / "a home")})


def checkpoint(settings: Settings, attempt: str, number: int, *, is_whole: bool = True) -> str:
    folder = settings.home / "flink" / "checkpoints" / "sessions" / attempt / f"chk-{number}"
    folder.mkdir(parents=True)
    (folder / ("_metadata" if is_whole else "_metadata.inprogress")).touch()
    return f"file://{folder}"


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


def test_a_job_without_a_checkpoint_starts_from_where_it_was_told(settings: Settings) -> None:
    assert newest_state(settings, JOB) is None
    assert newest_state(settings, replace(JOB, restore="file:///s")) == "file:///s"


def test_older_checkpoints_are_removed_once_the_newest_attempt_has_one(settings: Settings) -> None:
    old = checkpoint(settings, "a1", 9)
    forget_older(settings, JOB)
    assert newest_state(settings, JOB) == old
    checkpoint(settings, "b2", 1, is_whole=False)
    forget_older(settings, JOB)
    assert newest_state(settings, JOB) == old
    new = checkpoint(settings, "b2", 2)
    forget_older(settings, JOB)
    assert newest_state(settings, JOB) == new
    assert newest_state(settings, replace(JOB, attempts=("a1",))) is None


def test_checkpoints_are_in_a_folder(settings: Settings) -> None:
    flink = settings.flink.model_copy(update={"state": "s3://bucket/flink"})
    with pytest.raises(ConfigError, match=r"flink\.state = 's3://bucket/flink': give a folder"):
        newest_state(settings.model_copy(update={"flink": flink}), JOB)


def test_a_job_goes_on_from_the_newest_whole_checkpoint_of_its_newest_attempt(settings: Settings) -> None:
    checkpoint(settings, "a1", 9)
    ten = checkpoint(settings, "a1", 10)
    checkpoint(settings, "a1", 11, is_whole=False)
    checkpoint(settings, "not ours", 99)
    assert newest_state(settings, replace(JOB, restore="file:///s")) == ten
    assert newest_state(settings, replace(JOB, attempts=("a1",))) == ten
    assert newest_state(settings, replace(JOB, attempts=("not this",), restore="file:///s")) == "file:///s"
    second = checkpoint(settings, "b2", 3)
    assert newest_state(settings, JOB) == second
