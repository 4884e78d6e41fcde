"""A command that waits for Spark, told to end."""

import os
import subprocess
import sys
import time
from pathlib import Path

from tidemill.config.settings import REPO

COMMAND = """
import pathlib, sys, time, types
import click
from tidemill.config import load_settings
from data_lake.spark import session
from tidemill import cli

def work(path):
    pathlib.Path(path).touch()
    time.sleep(600)

@click.command()
@click.argument("path")
def command(path):
    spark = session("wait", load_settings())
    try:
        spark.sparkContext.parallelize([path], 1).map(work).collect()
    finally:
        spark.stop()
        print("stopped", flush=True)

cli.COMMANDS["wait"] = "Wait."
sys.modules["tidemill.commands.wait"] = types.SimpleNamespace(command=command)
sys.argv[:1] = ["tidemill", "wait"]
cli.main()
"""


def test_sigterm_ends_a_command_whose_job_would_run_for_ten_minutes(
    environment: dict[str, str], tmp_path: Path
) -> None:
    begun = tmp_path / "begun"
    process = subprocess.Popen(
        [sys.executable, "-c", COMMAND, str(begun)],
        env=os.environ | environment | {"PYTHONPATH": str(REPO)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        while not begun.exists():
            assert process.poll() is None
            time.sleep(0.1)
        process.terminate()
        said, complaint = process.communicate(timeout=60)
    finally:
        process.kill()
    assert (process.returncode, said) == (143, "stopped\n"), complaint
    assert complaint.endswith("tidemill: ended by SIGTERM\n")
    assert "Traceback" not in complaint
