"""Where a job goes on from."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from stream_processing.flink.configuration import path_of
from stream_processing.flink.deployments import Deployment
from stream_processing.flink.restoring import MissingStateError, forget_older, newest_state, require_state
from tests.unit.stream_processing.flink.states import checkpoint, savepoint, written_savepoint
from tidemill.config import Settings, load_settings
from tidemill.config.errors import ConfigError

JOB = Deployment("sessions", True, {"passes": []}, None, ("a1", "b2"), "2026-03-02T00:00:00+00:00")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings({"TIDEMILL_HOME": str(tmp_path / "a home")})


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


def test_a_job_goes_on_from_a_savepoint_whose_checkpoints_flink_removed(settings: Settings) -> None:
    made = savepoint(settings, "b2", 24)
    assert newest_state(settings, JOB) == made
    assert newest_state(settings, replace(JOB, attempts=("a1",))) is None


def test_the_newest_of_checkpoints_and_savepoints_is_that_which_was_begun_last(settings: Settings) -> None:
    made = savepoint(settings, "b2", 24)
    checkpoint(settings, "b2", 9)
    checkpoint(settings, "b2", 23)
    assert newest_state(settings, JOB) == made
    newer = checkpoint(settings, "b2", 100)
    os.utime(path_of(made) / "_metadata", (4e9, 4e9))  # as a copy of the folder has it
    assert newest_state(settings, JOB) == newer


@pytest.mark.parametrize("content", [b"", b"Ig-", b"\0" * 4096], ids=["empty", "torn", "zeros"])
def test_a_state_that_a_power_failure_left_without_its_content_is_none(settings: Settings, content: bytes) -> None:
    whole = checkpoint(settings, "b2", 7)
    for torn in (checkpoint(settings, "b2", 8), savepoint(settings, "b2", 9)):
        (path_of(torn) / "_metadata").write_bytes(content)
    assert newest_state(settings, JOB) == whole


def test_a_state_is_found_however_its_place_is_written(settings: Settings) -> None:
    made = path_of(savepoint(settings, "b2", 3))
    for place in (f"file://{made}", f"file:{made}", str(made), f"file://{made}/_metadata"):
        require_state(settings, "sessions", place)
    for elsewhere in (None, "s3://bucket/savepoint-1"):
        require_state(settings, "sessions", elsewhere)


def test_a_state_that_is_not_there_is_told_with_the_savepoints_that_are(settings: Settings) -> None:
    old = written_savepoint(settings.home / "flink" / "savepoints" / "sessions", 1)  # made when attempts had no folder
    new = savepoint(settings, "b2", 9)
    os.utime(path_of(old) / "_metadata", (1e9, 1e9))
    with pytest.raises(MissingStateError, match=f"which is not there; deploy it --from .*: {new}, {old}"):
        require_state(settings, "sessions", f"{new}0")
