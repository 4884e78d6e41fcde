import subprocess
import sys
import uuid
from collections.abc import Callable

import pytest

from tidemill.config.settings import REPO


@pytest.fixture
def name() -> str:
    """A registered model of this test alone."""
    return f"model-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def models_command(environment: dict[str, str]) -> Callable[..., str]:
    """Runs ``tidemill models ...`` in a process of its own; the value is its stdout."""

    def run(*arguments: str) -> str:
        line = [sys.executable, "-c", "from tidemill.cli import main; main()", "models", *arguments]
        done = subprocess.run(line, cwd=REPO, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run
