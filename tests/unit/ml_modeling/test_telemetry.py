"""MLflow sends nothing about the processes that use it, also where nothing says that this is a test or a CI job."""

import subprocess
import sys

LOOK = "import mlflow; from mlflow.telemetry.client import get_telemetry_client; print(get_telemetry_client())"


def test_mlflow_sends_nothing() -> None:
    command = [sys.executable, "-c", f"import ml_modeling; {LOOK}"]
    looked = subprocess.run(command, env={}, capture_output=True, text=True, check=True)
    assert looked.stdout.strip() == "None"
