"""Runs whose process was killed before it could end them: MLflow would show them as running for ever.

While a run goes on its process holds the lock on a file of this home, which the kernel lets go however the process
ends. A file whose lock is free is therefore the proof that the run's process is dead, also after the machine started
again, and of runs of other homes and machines nothing is known here.
"""

import fcntl
import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ml_modeling.registry import tags
from ml_modeling.registry.connection import MlflowMissingError, connect, mlflow_errors
from tidemill.config.settings import Settings

log = logging.getLogger(__name__)


@contextmanager
def held(settings: Settings, run_id: str) -> Iterator[None]:
    """While the block lasts, the run is not abandoned; after an error the next training sees whether it was ended."""
    path = _folder(settings) / run_id
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{run_id}")
    with partial.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        partial.rename(path)  # never there without its lock
        yield
        path.unlink()


def end_abandoned(settings: Settings) -> None:
    """Mark the runs of this home's dead processes as KILLED.

    Raises:
        MlflowUnavailableError: the server does not answer.
    """
    for path in sorted(_folder(settings).glob("[!.]*")):
        with suppress(BlockingIOError, FileNotFoundError), path.open() as file:  # it is alive, or has just ended
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _end(settings, path.name)
            path.unlink()


def _end(settings: Settings, run_id: str) -> None:
    client = connect(settings)
    try:
        with mlflow_errors(settings, f"ending run {run_id}, whose process was killed"):
            if client.get_run(run_id).info.status != "RUNNING":
                return
            client.set_tag(run_id, tags.ERROR, "its process was killed")
            client.set_terminated(run_id, "KILLED")
    except MlflowMissingError:
        log.warning("run %s, whose process was killed, is not at %s", run_id, settings.mlflow.tracking_uri)
        return
    log.warning("run %s is marked as KILLED: its process was", run_id)


def _folder(settings: Settings) -> Path:
    return settings.home / "locks" / "runs"
