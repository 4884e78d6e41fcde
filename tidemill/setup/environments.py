"""Python environments of other programs than the platform, from the requirements locked when the platform was built.

uv makes one where it is on ``PATH``, quicker than pip, which Python has.
"""

import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tidemill.config.installation import IS_CLONE, REQUIREMENTS, cache_folder
from tidemill.config.settings import Settings
from tidemill.setup.lock import SetupFailedError, alone
from tidemill.setup.shell import callers_environment

STAMP = ".tidemill-made"
"""In an environment that is whole; its text is the requirements."""


@dataclass(frozen=True)
class Environment:
    """What is made: ``program`` is one that it has in the end, ``setting`` says where it is, ``target`` is make's."""

    title: str
    folder: Path
    program: str
    requirements: str
    setting: str
    target: str

    @property
    def is_there(self) -> bool:
        return (self.folder / "bin" / self.program).exists()


def make_airflow(settings: Settings, report: Callable[[str], None]) -> Path:
    """Make Airflow's environment where the settings look for it; one that is whole is left alone.

    Raises:
        SetupFailedError: it could not be made, or is somebody else's.
    """
    folder = settings.airflow.environment
    return _made(Environment("Airflow", folder, "airflow", "airflow.txt", "airflow.environment", "setup"), report)


def make_flink(settings: Settings, report: Callable[[str], None]) -> Path:
    """Make Flink's environment where the settings look for it; one that is whole is left alone.

    Raises:
        SetupFailedError: it could not be made, or is somebody else's.
    """
    folder = settings.flink.environment
    return _made(
        Environment("Flink", folder, "pyflink-shell.sh", "flink.txt", "flink.environment", "setup-flink"), report
    )


def _made(environment: Environment, report: Callable[[str], None]) -> Path:
    folder = environment.folder
    if IS_CLONE:
        if not environment.is_there:
            raise SetupFailedError(
                f"there is no {environment.title} in {folder}: in a clone `make {environment.target}` makes it"
            )
        return folder
    requirements = REQUIREMENTS / environment.requirements
    wanted = requirements.read_text(encoding="utf-8")
    with alone(folder):
        if _made_of(environment) != wanted:
            report(f"making {environment.title}'s environment in {folder}: a few minutes")
            _make(environment, requirements)
            (folder / STAMP).write_text(wanted, encoding="utf-8")
    return folder


def _made_of(environment: Environment) -> str | None:
    stamp = environment.folder / STAMP
    return stamp.read_text(encoding="utf-8") if stamp.is_file() and environment.is_there else None


def _make(environment: Environment, requirements: Path) -> None:
    folder = environment.folder
    is_ours = (folder / STAMP).exists() or folder.is_relative_to(cache_folder())
    if folder.exists() and any(folder.iterdir()) and not is_ours:
        raise SetupFailedError(f"{environment.setting} = {folder} is not set-up's: remove it, or name another")
    shutil.rmtree(folder, ignore_errors=True)
    log = folder.with_name(f"{folder.name}.log")
    with log.open("wb") as output:
        for command in _commands(folder, requirements):
            variables = callers_environment()
            done = subprocess.run(command, env=variables, stdout=output, stderr=subprocess.STDOUT, check=False)
            if done.returncode:
                end = "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-20:])
                raise SetupFailedError(f"{environment.title}'s environment could not be made; {log} ends with:\n{end}")


def _commands(environment: Path, requirements: Path) -> tuple[list[str], list[str]]:
    """What makes the environment, and what installs into it exactly what is locked, compiled."""
    python, locked = str(environment / "bin" / "python"), ["--no-deps", "--require-hashes", "--requirement"]
    if uv := shutil.which("uv"):
        install = [uv, "pip", "install", "--python", python, "--compile-bytecode"]
        return [uv, "venv", "--python", sys.executable, str(environment)], [*install, *locked, str(requirements)]
    install = [python, "-m", "pip", "install", "--disable-pip-version-check"]
    return [sys.executable, "-m", "venv", str(environment)], [*install, *locked, str(requirements)]
