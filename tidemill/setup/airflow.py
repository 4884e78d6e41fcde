"""Airflow's own Python environment, from the requirements that were locked when the platform was built.

uv makes it where it is on ``PATH``, quicker than pip, which Python has.
"""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tidemill.config.installation import IS_CLONE, REQUIREMENTS, cache_folder
from tidemill.config.settings import Settings
from tidemill.setup.lock import SetupFailedError, alone
from tidemill.setup.shell import callers_environment

STAMP = ".tidemill-made"
"""In an environment that is whole; its text is the requirements."""


def make_airflow(settings: Settings, report: Callable[[str], None]) -> Path:
    """Make the environment where the settings look for it; one that is whole is left alone.

    Raises:
        SetupFailedError: it could not be made, or is somebody else's.
    """
    environment = settings.airflow.environment
    if IS_CLONE:
        if not (environment / "bin" / "airflow").exists():
            raise SetupFailedError(f"there is no Airflow in {environment}: in a clone `make setup` makes it")
        return environment
    requirements = REQUIREMENTS / "airflow.txt"
    wanted = requirements.read_text(encoding="utf-8")
    with alone(environment):
        if _made_of(environment) != wanted:
            report(f"making Airflow's environment in {environment}: a few minutes")
            _make(environment, requirements)
            (environment / STAMP).write_text(wanted, encoding="utf-8")
    return environment


def _made_of(environment: Path) -> str | None:
    stamp = environment / STAMP
    is_there = stamp.is_file() and (environment / "bin" / "airflow").exists()
    return stamp.read_text(encoding="utf-8") if is_there else None


def _make(environment: Path, requirements: Path) -> None:
    is_ours = (environment / STAMP).exists() or environment.is_relative_to(cache_folder())
    if environment.exists() and any(environment.iterdir()) and not is_ours:
        raise SetupFailedError(f"airflow.environment = {environment} is not set-up's: remove it, or name another")
    shutil.rmtree(environment, ignore_errors=True)
    log = environment.with_name(f"{environment.name}.log")
    with log.open("wb") as output:
        for command in _commands(environment, requirements):
            variables = callers_environment()
            done = subprocess.run(command, env=variables, stdout=output, stderr=subprocess.STDOUT, check=False)
            if done.returncode:
                end = "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-20:])
                raise SetupFailedError(f"Airflow's environment could not be made; {log} ends with:\n{end}")


def _commands(environment: Path, requirements: Path) -> tuple[list[str], list[str]]:
    """What makes the environment, and what installs into it exactly what is locked, compiled."""
    python, locked = str(environment / "bin" / "python"), ["--no-deps", "--require-hashes", "--requirement"]
    if uv := shutil.which("uv"):
        install = [uv, "pip", "install", "--python", python, "--compile-bytecode"]
        return [uv, "venv", "--python", sys.executable, str(environment)], [*install, *locked, str(requirements)]
    install = [python, "-m", "pip", "install", "--disable-pip-version-check"]
    return [sys.executable, "-m", "venv", str(environment)], [*install, *locked, str(requirements)]
