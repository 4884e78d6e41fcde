"""Conductors of a rollout as processes of their own."""

import json
import os
import subprocess
import sys
from typing import Any

from tests.cases.rollouts import Case
from tidemill.config.environment import settings_environment
from tidemill.config.installation import REPO


def conduct(case: Case, point: str = "", **rollout: Any) -> subprocess.CompletedProcess[str]:
    """One step at this moment of the case's clock, by a process that is killed at ``point``, if one is given."""
    now = case.clock.now.isoformat()
    arguments = [case.name, case.control_url, now, json.dumps(rollout), *([point] if point else [])]
    variables = os.environ | settings_environment(case.settings) | {"PYTHONPATH": str(REPO)}
    command = [sys.executable, "-m", "tests.cases.conductor", *arguments]
    return subprocess.run(command, check=False, cwd=REPO, env=variables, capture_output=True, text=True)
