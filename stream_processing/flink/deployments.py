"""Which jobs are to run, on record in the home folder: a job manager that was killed knows of none."""

import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from stream_processing.flink.configuration import folder
from tidemill.config.errors import TerminalError
from tidemill.config.files import replace_file
from tidemill.config.settings import Settings

ATTEMPTS = 50
"""Ids of earlier attempts that are kept: where a checkpoint may be."""


class DeploymentRecordError(TerminalError):
    """A record that is not as it was written."""


@dataclass(frozen=True)
class Deployment:
    """One job: what was submitted, and from where it goes on.

    ``attempts`` are the ids under which the cluster was given the job, the newest last: its checkpoints lie in folders
    of their names. Where none of them has one, ``restore`` is what it starts from, and what the newest of them was
    given; None is the beginning of its topics.
    """

    job: str
    is_wanted: bool
    program: dict[str, Any]
    restore: str | None
    attempts: tuple[str, ...]
    deployed_at: str

    @property
    def job_id(self) -> str | None:
        return self.attempts[-1] if self.attempts else None

    @property
    def is_stopping(self) -> bool:
        """It was asked to stop, and nobody has it on record that it ended."""
        return not self.is_wanted and bool(self.attempts)


def recorded_jobs(settings: Settings) -> list[str]:
    """The name of every job on record, whether or not its record can be read."""
    return sorted(file.stem for file in _folder(settings).glob("*.json"))


def deployments(settings: Settings) -> list[Deployment]:
    """Every job on record, by name.

    Raises:
        DeploymentRecordError: one of them cannot be read.
    """
    return [_read(_file(settings, job)) for job in recorded_jobs(settings)]


def deployment(settings: Settings, job: str) -> Deployment | None:
    """The record of ``job``; None where it was never deployed."""
    file = _file(settings, job)
    return _read(file) if file.exists() else None


def record(settings: Settings, deployment: Deployment) -> None:
    """Write the record, whole or not at all."""
    content = json.dumps(asdict(deployment), indent=1).encode()
    replace_file(_file(settings, deployment.job), content)


def forget(settings: Settings, job: str) -> None:
    """Have no record of ``job``, as before it was deployed."""
    _file(settings, job).unlink(missing_ok=True)


@contextmanager
def alone_with(settings: Settings, job: str) -> Iterator[None]:
    """One process at a time submits or stops ``job``."""
    folder = _folder(settings)
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f".{job}.lock").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _folder(settings: Settings) -> Path:
    return folder(settings) / "jobs"


def _file(settings: Settings, job: str) -> Path:
    return _folder(settings) / f"{job}.json"


def _read(file: Path) -> Deployment:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        return Deployment(**content | {"attempts": tuple(content["attempts"])})
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise DeploymentRecordError(
            f"{file} is not as it was written ({type(error).__name__}: {error}): "
            "remove it, and deploy the job again with --from the newest savepoint"
        ) from error
