"""How a trial ended; a few lines of Python stand in for its process and for Spark."""

from pathlib import Path

import pytest

from stream_processing.spark_streaming.taking_apart import trial, trial_process
from stream_processing.spark_streaming.taking_apart.offset_ranges import OffsetRange
from stream_processing.spark_streaming.taking_apart.trial import FAILED, TrialFailedError, passes
from tidemill.config import Settings

PART = (OffsetRange(1, 0, 0, 9),)
BEGINS = "import os, signal, sys, time\nprint('begun', flush=True)\n"
KILL = "os.kill(os.getpid(), signal.SIGKILL)"


@pytest.fixture
def settings() -> Settings:
    return Settings()


def tried(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str) -> bool:
    script = tmp_path / "trial.py"
    script.write_text(code, encoding="utf-8")
    monkeypatch.setattr(trial, "SCRIPT", script)
    return passes(settings, "shop.click.v1", str(tmp_path), PART, 0.0)


@pytest.mark.parametrize(
    ("ending", "has_passed"),
    [("", True), (KILL, False), ("sys.exit(1)", False)],
    ids=["lives", "is killed", "says that something died"],
)
def test_a_trial_passes_when_its_process_lives_to_the_end(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str, has_passed: bool
) -> None:
    assert tried(settings, tmp_path, monkeypatch, BEGINS + ending) is has_passed


def test_a_trial_that_hangs_has_not_passed(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial, "SHORTEST_S", 1.0)
    assert not tried(settings, tmp_path, monkeypatch, BEGINS + "time.sleep(600)")


def test_an_ordinary_failure_is_handed_on_with_the_last_line(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = f"{BEGINS}print('x' * 1_000_000, 'No space left on device', sep='\\n', flush=True)\nsys.exit({FAILED})"
    with pytest.raises(TrialFailedError, match="failed: No space left on device") as failed:
        tried(settings, tmp_path, monkeypatch, code)
    assert failed.value.exit_status == 75


@pytest.mark.parametrize("ending", [KILL, "sys.exit(1)"], ids=["killed", "ended"])
def test_what_ends_before_it_reads_a_message_blames_none(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str
) -> None:
    with pytest.raises(TrialFailedError, match="did not get as far as to read messages and ended with status"):
        tried(settings, tmp_path, monkeypatch, f"import os, signal, sys\n{ending}")


def test_what_takes_too_long_to_start_blames_no_message(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trial, "START_S", 0.3)
    with pytest.raises(TrialFailedError, match="did not get as far as to read messages in time"):
        tried(settings, tmp_path, monkeypatch, "import time; time.sleep(600)")


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (OSError("silver is away"), SystemExit),
        (RuntimeError("java.lang.OutOfMemoryError: Java heap space"), RuntimeError),
        (MemoryError(), MemoryError),
    ],
    ids=["ordinary", "no memory", "no memory in Python"],
)
def test_the_process_tells_an_ordinary_failure_from_a_death(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], error: Exception, kind: type[BaseException]
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(trial_process, "_write", fail)
    monkeypatch.setattr(trial_process, "_end_with", lambda _: None)
    with pytest.raises(kind) as ended:
        trial_process.main(["shop.click.v1", "scratch", "[]"])
    printed = capfd.readouterr().out
    if isinstance(ended.value, SystemExit):
        assert (ended.value.code, printed) == (FAILED, "silver is away\n")
    else:
        assert printed == ""
