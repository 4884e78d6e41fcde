"""Commands that are told to end, as processes of their own."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tidemill.config.settings import REPO

COMMAND = """
import sys, time, types
import click
from tidemill.config import load_settings
from ml_modeling.registry.lock import registry_lock
from tidemill import cli

@click.command()
def command():
    with registry_lock(load_settings(), "churn"):
        try:
            print("holds the lock", flush=True)
            {work}
        finally:
            {leave}

cli.COMMANDS["wait"] = "Wait."
sys.modules["tidemill.commands.wait"] = types.SimpleNamespace(command=command)
sys.argv = ["tidemill", "wait"]
cli.main()
"""
SLEEP = "time.sleep(60)"
PYSPARKS = "import signal; signal.signal(2, lambda *_: signal.default_int_handler(2, None)); time.sleep(60)"
LEAVE = 'print("let go", flush=True)'
BROKEN = 'raise ConnectionError("the JVM is gone")'


def started(home: Path, work: str, leave: str) -> subprocess.Popen[str]:
    environment = os.environ | {"TIDEMILL_HOME": str(home), "PYTHONPATH": str(REPO)}
    line = [sys.executable, "-c", COMMAND.format(work=work, leave=leave)]
    process = subprocess.Popen(line, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "holds the lock\n"
    return process


@pytest.mark.parametrize(
    ("number", "work", "leave"),
    [
        pytest.param(signal.SIGTERM, SLEEP, LEAVE, id="SIGTERM"),
        pytest.param(signal.SIGINT, SLEEP, LEAVE, id="Ctrl-C"),
        pytest.param(signal.SIGINT, PYSPARKS, LEAVE, id="Ctrl-C taken by a library's handler"),
        pytest.param(signal.SIGTERM, SLEEP, BROKEN, id="what is let go is gone already"),
    ],
)
def test_a_signal_ends_a_command_in_order(tmp_path: Path, number: signal.Signals, work: str, leave: str) -> None:
    process = started(tmp_path, work, leave)
    process.send_signal(number)
    said, complaint = process.communicate(timeout=30)
    assert process.returncode == 128 + number
    assert complaint == f"tidemill: ended by {number.name}\n"
    assert said == ("let go\n" if leave == LEAVE else "")
    again = started(tmp_path, SLEEP, LEAVE)  # the lock is free
    again.kill()
    again.communicate()


def test_a_second_sigterm_does_not_disturb_the_end(tmp_path: Path) -> None:
    process = started(tmp_path, SLEEP, 'print("leaving", flush=True); time.sleep(0.5); print("let go", flush=True)')
    process.terminate()
    assert process.stdout is not None
    assert process.stdout.readline() == "leaving\n"
    process.terminate()
    said, _ = process.communicate(timeout=30)
    assert (process.returncode, said) == (143, "let go\n")


def test_a_background_job_that_ignores_ctrl_c_goes_on_ignoring_it(tmp_path: Path) -> None:
    work = 'os = __import__("os"); os.kill(os.getpid(), 2); print("went on", flush=True)'
    script = COMMAND.format(work=work, leave=LEAVE)
    ignoring = f"import signal; signal.signal(2, signal.SIG_IGN)\n{script}"
    environment = os.environ | {"TIDEMILL_HOME": str(tmp_path), "PYTHONPATH": str(REPO)}
    done = subprocess.run(
        [sys.executable, "-c", ignoring], env=environment, capture_output=True, text=True, timeout=30, check=False
    )
    assert (done.returncode, done.stdout) == (0, "holds the lock\nwent on\nlet go\n")
