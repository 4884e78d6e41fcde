"""Where a job goes on from: the newest whole checkpoint or savepoint of its attempts."""

import shutil
from collections.abc import Iterator
from pathlib import Path

from stream_processing.flink.configuration import attempt_savepoints, checkpoints, file_uri, path_of, savepoints
from stream_processing.flink.deployments import Deployment
from tidemill.config.errors import TerminalError
from tidemill.config.settings import Settings

METADATA = "_metadata"
"""The file that Flink writes last, under this name only when it is whole."""
MAGIC = bytes.fromhex("4960672d")
"""What that file begins with; four bytes of its version follow, and in eight the number of the checkpoint or savepoint
(Flink's ``MetadataSerializer``, versions 2 to 6)."""


class MissingStateError(TerminalError):
    """The state that a job is to go on from is not there; the message names the savepoints that are."""


def newest_state(settings: Settings, deployment: Deployment) -> str | None:
    """The URI of the newest checkpoint or savepoint of the newest attempt that has one, else what the job began with.

    A job numbers both from one counter, in the order in which it began them.
    """
    for attempt in reversed(deployment.attempts):
        numbered = dict(_numbered(settings, deployment.job, attempt))
        if numbered:
            return file_uri(numbered[max(numbered)])
    return deployment.restore


def require_state(settings: Settings, job: str, state: str | None) -> None:
    """Passes over what is in no folder here, which Flink alone can look for.

    Raises:
        MissingStateError: ``state`` is to be in a folder, and is not.
    """
    if state is None or ("://" in state and not state.startswith("file://")):
        return
    place = path_of(state)
    if place.is_file() or (place / METADATA).is_file():
        return
    there = ", ".join(map(file_uri, _savepoints(settings, job)))
    advice = (
        f"deploy it --from a savepoint that is: {there}" if there else "nor is any savepoint of it: --from beginning"
    )
    raise MissingStateError(f"{job} cannot go on from {state}, which is not there; {advice}")


def forget_older(settings: Settings, deployment: Deployment) -> None:
    """Remove the checkpoints of earlier attempts, once the newest has one: it stands on no file of theirs."""
    root, newest = path_of(checkpoints(settings, deployment.job)), deployment.job_id
    if newest is None or not any((root / newest).glob(f"chk-*/{METADATA}")):
        return
    for folder in root.iterdir():
        if folder.name != newest:
            shutil.rmtree(folder)


def _numbered(settings: Settings, job: str, attempt: str) -> Iterator[tuple[int, Path]]:
    """Each whole checkpoint and savepoint of one attempt, by its number."""
    for file in (
        *path_of(checkpoints(settings, job)).glob(f"{attempt}/chk-*/{METADATA}"),
        *path_of(attempt_savepoints(settings, job, attempt)).glob(f"savepoint-*/{METADATA}"),
    ):
        number = _number(file)
        if number is not None:
            yield number, file.parent


def _number(file: Path) -> int | None:
    """None of a file that a power failure left without its content, or that Flink has removed since it was listed."""
    try:
        with file.open("rb") as metadata:
            header = metadata.read(16)
    except FileNotFoundError:
        return None
    return int.from_bytes(header[8:]) if len(header) == 16 and header.startswith(MAGIC) else None


def _savepoints(settings: Settings, job: str) -> list[Path]:
    """Those in the folder of an attempt, and those of before, which had none; the newest first."""
    root = path_of(savepoints(settings, job))
    files = [*root.glob(f"savepoint-*/{METADATA}"), *root.glob(f"*/savepoint-*/{METADATA}")]
    return [file.parent for file in sorted(files, key=lambda file: file.stat().st_mtime, reverse=True)]
