"""A message that kills or hangs what reads it ends in quarantine, raw; everything beside it is in silver."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from deltalake import DeltaTable
from pyspark.sql import DataFrame

from data_lake import tables
from stream_processing.spark_streaming.queries.query import checkpoint
from stream_processing.spark_streaming.silver import batch as silver
from stream_processing.spark_streaming.taking_apart import trial
from stream_processing.spark_streaming.taking_apart.offset_ranges import OffsetRange
from tests.integration.stream_processing.conftest import TOPIC, Rows, encode, transaction
from tests.integration.stream_processing.poisoned_app import HANGS, KILLS
from tidemill.config import Settings
from tidemill.config.environment import settings_environment
from tidemill.config.settings import REPO

pytestmark = pytest.mark.timeout(2400)
APP = Path(__file__).with_name("poisoned_app.py")
Messages = Callable[..., DataFrame]


def run(settings: Settings) -> tuple[int, str]:
    """Exit status and log of the process; workers that outlive it may still have the log open."""
    environment = os.environ | settings_environment(settings) | {"PYTHONPATH": str(REPO)}
    log = Path(settings.lake_root).with_name("app.log")
    with log.open("wb") as output:
        status = subprocess.run([sys.executable, str(APP)], env=environment, stderr=output, check=False).returncode
    return status, log.read_text(encoding="utf-8", errors="replace")


def attempts(settings: Settings) -> dict[str, int]:
    noted: dict[str, int] = json.loads((Path(checkpoint(settings, f"silver/{TOPIC}")) / "attempts").read_text())
    return noted


def poisonous(words: bytes) -> bytes:
    """A valid event."""
    return encode(transaction("poison", description=words.decode()))


@pytest.mark.matrix
def test_a_message_that_kills_three_times_is_found_and_all_others_are_in_silver(
    lake: Settings, messages: Messages, rows: Rows
) -> None:
    batch = messages([encode(transaction("good 0")), encode(transaction("good 1")), poisonous(KILLS), b"no JSON"])
    batch.write.format("delta").mode("append").save(tables.bronze(TOPIC).path(lake))

    for killed in (1, 2, 3):
        assert run(lake)[0] != 0
        assert attempts(lake) == {"batch": 0, "attempts": killed}
        assert rows("silver/transactions") == []
    status, log = run(lake)

    assert status == 0, log[-4000:]
    assert f"batch 0 of silver/{TOPIC} killed or hung the application 3 times and is taken apart" in log
    assert "the message at generation 1 partition 0 offset 2 killed or hung what processed it" in log
    assert [row["_offset"] for row in rows("silver/transactions")] == [0, 1]
    unprocessable, bad = rows(f"quarantine/{TOPIC}")
    assert (unprocessable["offset"], unprocessable["reason"]) == (2, "unprocessable")
    assert (unprocessable["value"], unprocessable["generation"]) == (poisonous(KILLS), 1)
    assert (bad["offset"], bad["reason"]) == (3, "not_json")
    assert not (Path(checkpoint(lake, f"silver/{TOPIC}")) / "apart").exists()


@pytest.mark.matrix
def test_a_batch_that_hangs_ends_the_process_and_what_quarantine_knows_is_left_out(
    lake: Settings, messages: Messages, rows: Rows
) -> None:
    batch = messages([encode(transaction("good")), poisonous(HANGS)])
    batch.write.format("delta").mode("append").save(tables.bronze(TOPIC).path(lake))
    hasty = lake.model_copy(update={"stream": lake.stream.model_copy(update={"stuck_after_s": 8.0})})
    status, log = run(hasty)
    assert status == 75, log[-4000:]
    assert f"stuck: batch 0 of silver/{TOPIC}" in log
    assert attempts(lake) == {"batch": 0, "attempts": 1}

    known = batch.where("offset = 1").selectExpr(
        *(column.name for column in tables.bronze(TOPIC).columns if column.name != "generation"),
        "1 AS generation",
        "'unprocessable' AS reason",
        "'known' AS detail",
    )
    known.write.format("delta").mode("append").save(tables.quarantine(TOPIC).path(lake))
    status, log = run(lake)
    assert status == 0, log[-4000:]
    assert [row["_offset"] for row in rows("silver/transactions")] == [0]
    assert [row["detail"] for row in rows(f"quarantine/{TOPIC}")] == ["known"]


@pytest.mark.matrix
def test_a_good_message_does_all_the_work_of_a_trial_and_an_ordinary_failure_is_told_from_a_death(
    lake: Settings, rows: Rows, tmp_path: Path
) -> None:
    scratch = tmp_path / "scratch"
    assert trial.passes(lake, TOPIC, str(scratch), (), 1.0)
    tried = lake.model_copy(update={"lake": lake.lake.model_copy(update={"root": str(scratch)})})
    for table in (tables.bronze(TOPIC), tables.silver(TOPIC)):
        assert DeltaTable(table.path(tried)).to_pyarrow_table().num_rows == 1
    assert rows("silver/transactions") == []

    shutil.rmtree(tables.bronze(TOPIC).path(lake))
    with pytest.raises(trial.TrialFailedError, match=r"a trial of its messages failed: .*PATH_NOT_FOUND"):
        trial.passes(lake, TOPIC, str(scratch), (OffsetRange(1, 0, 0, 0),), 1.0)


def test_an_ordinary_failure_is_no_attempt_and_a_killed_worker_is(
    lake: Settings, messages: Messages, write: Callable[[DataFrame, int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    for error, counted in (("the disk is full", 0), ("Python worker exited unexpectedly", 1)):

        def fail(*_: object, error: str = error) -> None:
            raise OSError(error)

        monkeypatch.setattr(silver, "write_parsed", fail)
        with pytest.raises(OSError, match=error):
            write(messages([encode(transaction("fails"))]), 5)
        assert attempts(lake) == {"batch": 5, "attempts": counted}
