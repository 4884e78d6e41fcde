"""Handing a job to the cluster: by Flink's own Python, which compiles its SQL, in a process that ends."""

import itertools
import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stream_processing.flink.configuration import (
    JAVA_OPTIONS,
    cluster_yaml,
    connector_jars,
    folder,
    home_of_flink,
    job_configuration,
)
from tidemill.config.environment import process_environment
from tidemill.config.errors import TerminalError
from tidemill.config.settings import Settings

PROGRAM = Path(__file__).with_name("submit.py")
TIMEOUT_S = 600.0
HEAP_MB = 512


class SubmissionError(TerminalError):
    """Flink refused the job, or its Python did not run; the message says what it said."""


def submit(settings: Settings, program: Mapping[str, Any], job_id: str, restore: str | None) -> None:
    """Have the cluster run ``program`` under ``job_id``, from the state at ``restore``.

    Raises:
        SubmissionError: it was refused.
    """
    answer = _run(settings, program, job_configuration(settings, program, job_id, restore), explain=False)
    if answer["job_id"] != job_id:
        raise SubmissionError(
            f"Flink runs {program['job']} as {answer['job_id']} and not as {job_id}: cancel it by hand"
        )


def explain(settings: Settings, program: Mapping[str, Any]) -> str:
    """How Flink would run ``program``, without a cluster.

    Raises:
        SubmissionError: its SQL is wrong.
    """
    configuration = {"table.local-time-zone": "UTC"}
    return _run(settings, program, configuration, explain=True)["plan"]


def _run(
    settings: Settings, program: Mapping[str, Any], configuration: Mapping[str, str], *, explain: bool
) -> dict[str, str]:
    python = settings.flink.environment / "bin" / "python"
    asked = {"configuration": dict(configuration), "passes": program["passes"], "explain": explain}
    given = asked | {"submitter": os.getpid()}
    logs = folder(settings) / "logs"
    client = folder(settings) / "client"
    for place in (logs, client):
        place.mkdir(parents=True, exist_ok=True)
    (client / "config.yaml").write_text(cluster_yaml(settings), encoding="utf-8")
    try:
        done = subprocess.run(
            [python, PROGRAM],
            input=json.dumps(given),
            env=_environment(settings, logs, client),
            capture_output=True,
            text=True,
            check=False,
            timeout=TIMEOUT_S,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SubmissionError(f"{program['job']} could not be handed to Flink: {error}") from error
    answer = _answer(done.stdout)
    if answer is None:
        raise SubmissionError(f"{python} ended with status {done.returncode}: {done.stderr.strip()[-2000:]}")
    if "error" in answer:
        raise SubmissionError(f"Flink refuses {program['job']}: {_reason(answer['error'])}")
    return answer


def _environment(settings: Settings, logs: Path, client: Path) -> dict[str, str]:
    flink = home_of_flink(settings)
    return process_environment(settings, os.environ) | {
        "FLINK_CONF_DIR": str(client),
        "FLINK_ENV_JAVA_OPTS": " ".join(JAVA_OPTIONS),
        "FLINK_LOG_DIR": str(logs),
        "FLINK_IDENT_STRING": "tidemill",
        "LOG4J_PROPERTIES": str(flink / "conf" / "log4j-cli.properties"),
        "JVM_ARGS": f"-Xmx{HEAP_MB}m",
        # What PyFlink puts behind Flink's own jars; the managers have the connector on their class path too, so a job
        # ships none and its classes are loaded once.
        "HADOOP_CLASSPATH": ":".join(map(str, connector_jars(settings))),
    }


def _answer(output: str) -> dict[str, str] | None:
    lines = output.strip().splitlines()
    try:
        answer = json.loads(lines[-1]) if lines else None
    except ValueError:
        return None
    return answer if isinstance(answer, dict) else None


def _reason(trace: str) -> str:
    """What Java's innermost cause says, without its stack, and without the lists that Flink's parser adds."""
    cause = trace.rsplit("Caused by: ", maxsplit=1)[-1].split("An error occurred while calling", maxsplit=1)[-1]
    lines = itertools.takewhile(lambda line: not line.startswith(("\tat ", "Was expecting")), cause.splitlines())
    return " ".join(" ".join(lines).split())[:1000] or trace[:1000]
