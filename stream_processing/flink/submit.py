"""Run by the Python of Flink's own environment: hands the program on standard input to the cluster.

It imports nothing of ours, whose libraries are not there. What it is given and what it prints is in ``submission.py``.
"""

import ctypes
import json
import os
import signal
import sys
from typing import Any

from pyflink.common import Configuration
from pyflink.table import EnvironmentSettings, TableEnvironment

PR_SET_PDEATHSIG = 1
"""Linux, ``prctl(2)``: a process is sent a signal when its parent dies."""


def main() -> None:
    given = json.load(sys.stdin)
    _die_with(given["submitter"])
    try:
        answer = _submit(given)
    except Exception as error:  # noqa: BLE001 - whatever Java raised is told to who asked
        answer = {"error": str(error)}
    print(json.dumps(answer))  # noqa: T201


def _die_with(submitter: int) -> None:
    """Hand in nothing for who was killed, as another may submit the job then. Java ends with its input, us."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != submitter:
        sys.exit(f"process {submitter}, which submits the job, is gone")


def _submit(given: dict[str, Any]) -> dict[str, str]:
    configuration = Configuration()
    for key, value in given["configuration"].items():
        configuration.set_string(key, value)
    settings = EnvironmentSettings.new_instance().in_streaming_mode().with_configuration(configuration).build()
    environment = TableEnvironment.create(settings)
    statements = environment.create_statement_set()
    for part in given["passes"]:
        environment.execute_sql(f"CREATE DATABASE `{part['database']}`")
        environment.use_database(part["database"])
        for definition in part["definitions"]:
            environment.execute_sql(definition)
        statements.add_insert_sql(part["insert"])
    if given["explain"]:
        return {"plan": statements.explain()}
    client = statements.execute().get_job_client()
    return {"job_id": str(client.get_job_id())}


if __name__ == "__main__":
    main()
