"""What MLflow shows of trainings that were told to end, and of those that were killed."""

import os
import subprocess
import sys

import pytest

from ml_modeling.registry import tags
from ml_modeling.registry.connection import connect
from ml_modeling.tracking.abandoned import end_abandoned
from tidemill.config.settings import REPO

pytestmark = pytest.mark.usefixtures("mlflow_server")

TRAINING = """
import sys, time
from dataclasses import replace
from tidemill.config import load_settings
from tidemill.config.interruption import Interrupted, raise_on_signals
from ml_modeling.lifecycle import train
from ml_modeling.use_case import load_use_case

def read():
    print("reading", flush=True)
    time.sleep(600)

raise_on_signals()
try:
    train(load_settings(), replace(load_use_case("churn"), name=sys.argv[1]), read, lambda *_: None)
except Interrupted as interrupted:
    sys.exit(interrupted.exit_status)
"""


@pytest.fixture
def training(environment):
    """Starts a training that reads for ever, of a use case."""
    started = []

    def start(use_case):
        line = [sys.executable, "-c", TRAINING, use_case]
        variables = os.environ | environment | {"PYTHONPATH": str(REPO)}
        process = subprocess.Popen(line, env=variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def the_run(settings, use_case):
    experiment = connect(settings).get_experiment_by_name(use_case)
    (run,) = connect(settings).search_runs([experiment.experiment_id])
    return run.info.status, run.data.tags.get(tags.ERROR)


def test_a_training_that_is_gone_does_not_run_for_ever(settings, name, training):
    told, killed, alive = (f"{name}-{fate}" for fate in ("told", "killed", "alive"))
    processes = {use_case: training(use_case) for use_case in (told, killed, alive)}
    assert [process.stdout.readline() for process in processes.values()] == ["reading\n"] * 3
    processes[told].terminate()
    processes[killed].kill()
    assert [processes[told].wait(30), processes[killed].wait(30)] == [143, -9]
    assert the_run(settings, told) == ("KILLED", "ended by SIGTERM")
    assert the_run(settings, killed) == ("RUNNING", None)
    end_abandoned(settings)
    assert the_run(settings, killed) == ("KILLED", "its process was killed")
    assert the_run(settings, told) == ("KILLED", "ended by SIGTERM")
    assert the_run(settings, alive) == ("RUNNING", None)
