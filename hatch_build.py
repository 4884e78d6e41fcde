"""What a wheel has beside the packages: the platform's libraries as its dependencies, and locked requirements.

The libraries are a group of ``pyproject.toml`` and none of the project's own dependencies, since Airflow's environment
has the project in it and needs others.
"""

import os
import shutil
import subprocess
import tempfile
import tomllib
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

ENVIRONMENTS = ("platform", "airflow", "flink")
TO_TEST = "pytest>=8.3"
"""What `tidemill test` runs a project's own tests with."""
PLACE = "tidemill/setup/requirements"


class WheelHook(BuildHookInterface):  # type: ignore[type-arg]
    """Adds to a wheel; a clone that is installed in place needs none of it."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version != "standard":
            return
        root = Path(self.root)
        pyproject = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
        build_data["dependencies"] += [*pyproject["dependency-groups"]["platform"], TO_TEST]
        self._folder = Path(tempfile.mkdtemp(prefix="tidemill-requirements-"))
        for environment in ENVIRONMENTS:
            file = self._folder / f"{environment}.txt"
            _export(root, environment, file)
            build_data["force_include"][str(file)] = f"{PLACE}/{environment}.txt"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        if version == "standard":
            shutil.rmtree(self._folder, ignore_errors=True)


def _export(root: Path, environment: str, file: Path) -> None:
    options = ["--no-default-groups", "--group", environment, "--no-emit-project", "--no-header", "--no-annotate"]
    command = [_uv(root), "export", "--frozen", *options, "--format", "requirements-txt", "--output-file", str(file)]
    variables = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    subprocess.run(command, cwd=root, env=variables, check=True, stdout=subprocess.DEVNULL)


def _uv(root: Path) -> str:
    """The uv that runs this build, else the one on PATH, else the clone's own."""
    own = root / ".tools" / "bin" / "uv"
    found = os.environ.get("UV") or shutil.which("uv") or (str(own) if own.exists() else None)
    if found is None:
        raise FileNotFoundError("a wheel is built with uv, which reads the locked requirements: run `make wheel`")
    return found
