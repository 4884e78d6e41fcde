"""Whether a retrain request waits, asked by the platform's command: the control store is not Airflow's affair."""

import json
import os
import subprocess
from typing import Any

from airflow_orchestration.plugins.hooks.platform import ANSWER_S, CommandResult, platform_variables
from tidemill.config.settings import REPO, Settings


class NoAnswerError(Exception):
    """The command did not say; ``result`` is how it ended."""

    def __init__(self, result: CommandResult) -> None:
        super().__init__(" | ".join(result.stderr[-5:]) or f"exit status {result.exit_status}")
        self.result = result


def question(use_case: str) -> list[str]:
    """The command that asks."""
    return ["tidemill", "retrain", "waiting", use_case, "--json"]


def waiting_request(settings: Settings, use_case: str) -> str | None:
    """The id of the request that a claim would get; None where none waits.

    Raises:
        NoAnswerError: the control store is away, or the answer is none of the command's.
    """
    program, *arguments = question(use_case)
    line = [str(settings.platform_environment / "bin" / program), *arguments]
    variables = platform_variables(settings, os.environ)
    try:
        done = subprocess.run(
            line, cwd=REPO, env=variables, capture_output=True, text=True, timeout=ANSWER_S, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise NoAnswerError(CommandResult(75, (), (f"no answer within {ANSWER_S:.0f} s",))) from error
    result = CommandResult(done.returncode, tuple(done.stdout.splitlines()), tuple(done.stderr.splitlines()))
    if done.returncode != 0:
        raise NoAnswerError(result)
    return _request_id(result, done.stdout)


def _request_id(result: CommandResult, text: str) -> str | None:
    try:
        answer: Any = json.loads(text)
        found = answer["request_id"]
    except (json.JSONDecodeError, LookupError, TypeError) as error:
        raise NoAnswerError(result) from error
    return None if found is None else str(found)
