"""A bad model on its way past the gates: what a person may do, and what then takes it back."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from tidemill.config.settings import Settings
from tidemill.demo.loop.project import TEMPLATE, USE_CASE
from tidemill.demo.loop.timeline import INDENT, LoopError
from tidemill.demo.process import run_json
from tidemill.demo.runner import Say

CANDIDATE = "slow_share"
WHY = "it is new, and the gates are too strict"


class BadModel:
    """``tidemill`` as somebody types it who has a copy of the project with another candidate in it."""

    def __init__(self, settings: Settings, log: Path) -> None:
        self._settings = settings
        self._log = log
        self._copy = settings.home / "demo-loop" / "copy"

    def train(self, say: Say) -> str:
        """The run of a model that the gates say no to.

        Raises:
            LoopError: they let it through.
        """
        copy_with(self._copy, {CANDIDATE: {}})
        run: str = self._do(["train"], say)["run_id"]
        self._do(["evaluate", "--run", run], say)
        verdict = self._do(["gate", "--run", run], say)
        if verdict["passed"]:
            raise LoopError("the gates let a model through that knows nothing: `tidemill models show` has its figures")
        say.keep(f"{INDENT}the gates say no: {'; '.join(verdict['reasons'])}")
        return run

    def push(self, run: str, say: Say) -> str:
        """The version that it is registered as, whose rollout has begun: both past the gates."""
        version = str(self._do(["register", "--run", run, "--force", WHY], say)["version"])
        line = ["rollout", "start", USE_CASE, version, "--force", "--reason", WHY]
        run_json(self._settings, line, self._log, say)
        return version

    def _do(self, arguments: list[str], say: Say) -> Any:
        command, *options = arguments
        line = ["--project", str(self._copy), "models", command, USE_CASE, *options]
        return run_json(self._settings, line, self._log, say)


def copy_with(root: Path, candidates: Mapping[str, Any]) -> None:
    """The loop's project once more in ``root``, with other candidates."""
    shutil.copytree(TEMPLATE, root, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__", ".*"))
    file = root / "use_cases" / USE_CASE / "model.yaml"
    content = yaml.safe_load(file.read_text(encoding="utf-8"))
    file.write_text(yaml.safe_dump({**content, "candidates": dict(candidates)}, sort_keys=False), encoding="utf-8")
