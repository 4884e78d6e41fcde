"""Checkpoints and savepoints as Flink leaves them on disk: a folder, whose ``_metadata`` begins with its number."""

from pathlib import Path

from tidemill.config import Settings

JOB = "sessions"


def metadata(number: int) -> bytes:
    """The header of the file, as Flink 2.3 wrote it for a checkpoint of this number, and the rest left out."""
    return bytes.fromhex("4960672d00000006") + number.to_bytes(8) + bytes(8)


def checkpoint(settings: Settings, attempt: str, number: int, *, is_whole: bool = True) -> str:
    folder = settings.home / "flink" / "checkpoints" / JOB / attempt / f"chk-{number}"
    return _written(folder, "_metadata" if is_whole else "_metadata.inprogress", number)


def savepoint(settings: Settings, attempt: str, number: int) -> str:
    """One in the folder of its attempt; its name tells nothing of its number."""
    return written_savepoint(settings.home / "flink" / "savepoints" / JOB / attempt, number)


def written_savepoint(target: Path, number: int) -> str:
    return _written(target / f"savepoint-{999 - number}", "_metadata", number)


def _written(folder: Path, file: str, number: int) -> str:
    folder.mkdir(parents=True)
    (folder / file).write_bytes(metadata(number))
    return f"file://{folder}"
