"""A folder into which partners rename files: each is sent once, and moved to where it is told what became of it."""

import fcntl
import json
import os
import shutil
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import Event as Signal
from time import time

from ingestion_layer.sources.mapped.files import send_file
from ingestion_layer.sources.mapped.formats.lines import digest
from ingestion_layer.sources.mapped.formats.reading import UnreadableFileError, told_by_name
from ingestion_layer.sources.mapped.mapping import SourceMapping
from tidemill.config.errors import TerminalError, TransientError
from tidemill.config.files import replace_file
from tidemill.config.settings import Settings

DONE, REJECTED = "done", "rejected"
UNFINISHED = (".part", ".tmp", ".filepart", ".crdownload")
"""How files end that are still being written, as the usual programs call them."""
SETTLED_S = 1.0
LONGEST_NAME = 200


class FolderError(TerminalError):
    """A folder that cannot be watched."""


class FolderInUseError(TransientError):
    """Another process watches this folder."""


@dataclass(frozen=True)
class Handled:
    """What became of one file: ``done`` or ``rejected`` and why, where it lies now, and the counts of its rows."""

    file: str
    outcome: str
    moved_to: str
    sent: int = 0
    rows: int = 0
    produced: int = 0
    rejected: Mapping[str, int] | None = None
    reason: str | None = None


class DropFolder:
    """The folder ``path``: what lies in it waits, ``done`` and ``rejected`` in it have the rest."""

    def __init__(self, settings: Settings, mapping: SourceMapping, path: Path) -> None:
        if not path.is_dir():
            raise FolderError(f"{path} is no folder: make it, and have partners rename their files into it")
        self._settings, self._mapping, self._path = settings, mapping, path

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep other processes from watching the same folder meanwhile.

        Raises:
            FolderInUseError: one does.
        """
        for name in (DONE, REJECTED):
            self._own(name).mkdir(exist_ok=True)
        with (self._path / ".tidemill.lock").open("a") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise FolderInUseError(f"another process watches {self._path} already") from None
            yield

    def _own(self, name: str) -> Path:
        if (folder := self._path / name).is_symlink():
            raise FolderError(f"{folder} is a link, and whoever drops files may have made it: make it a folder")
        return folder

    def waiting(self) -> list[Path]:
        """The files that are whole, the oldest first. One that was written just now may still be written.

        Links are left: whoever may drop a file here may not read, by its rejects, what only this process may.
        """
        now, whole = time(), []
        with os.scandir(self._path) as entries:
            for entry in entries:
                is_file = entry.is_file(follow_symlinks=False)
                if is_file and not entry.name.startswith(".") and not entry.name.endswith(UNFINISHED):
                    at = entry.stat(follow_symlinks=False).st_mtime
                    whole += [(at, entry.name)] if not 0 <= now - at < SETTLED_S else []
        return [self._path / name for _, name in sorted(whole)]

    def handle(self, path: Path, stop: Signal) -> Handled | None:
        """Send what of ``path`` was not sent yet, and move it; None when it was stopped or written meanwhile.

        Raises:
            NotAcknowledgedError: the broker is away; the file stays, and its progress.
        """
        if path.is_symlink():  # meanwhile
            return None
        try:
            source, sent = send_file(self._settings, self._mapping, path, stop)
        except UnreadableFileError as error:
            return self._rejected(path, told_by_name(error, path, path.name), Counter())
        if stop.is_set() or digest(path) != source.digest:
            return None
        counts = source.counts
        if counts["rows"] and not counts["events"]:
            return self._rejected(path, f"none of its {counts['rows']:,} rows fits", counts, source.rejected_path)
        moved = self._moved(path, DONE, source.rejected_path if counts["rows"] > counts["events"] else None)
        return Handled(path.name, DONE, str(moved), sent.total, counts["rows"], counts["events"], _reasons(counts))

    def _rejected(self, path: Path, reason: str, counts: Counter[str], rejects: Path | None = None) -> Handled:
        free = _free(self._own(REJECTED) / path.name)
        told = {"file": path.name, "at": datetime.now(UTC).isoformat(), "mapping": self._mapping.name, "reason": reason}
        replace_file(free.with_name(f"{free.name}.reason.json"), json.dumps(told, indent=2).encode())
        moved = self._moved(path, REJECTED, rejects)
        rejected = _reasons(counts)
        return Handled(path.name, REJECTED, str(moved), rows=counts["rows"], rejected=rejected, reason=reason)

    def _moved(self, path: Path, folder: str, rejects: Path | None) -> Path:
        """The rejects are copied first: a file that has moved has them beside it, also after a kill."""
        free = _free(self._own(folder) / path.name)
        try:
            if rejects is not None:
                shutil.copyfile(rejects, free.with_name(f"{free.name}.rejected.jsonl"))
            return path.rename(free)
        except OSError as error:
            raise FolderError(f"{path} cannot be moved to {free}: {error.strerror}; it was sent, and stays") from error


def _free(place: Path) -> Path:
    """``place``, or where a file of that name lies, the first free name with a number."""
    place = place.with_name(_short(place.name))
    number, free = 1, place
    while free.exists():
        number += 1
        free = place.with_name(f"{place.stem}.{number}{place.suffix}")
    return free


def _short(name: str) -> str:
    """A name that leaves room for what is put behind it: file systems take 255 bytes."""
    if len(os.fsencode(name)) <= LONGEST_NAME:
        return name
    return os.fsencode(name)[: LONGEST_NAME - 10].decode(errors="ignore") + Path(name).suffix[:10]


def _reasons(counts: Counter[str]) -> dict[str, int]:
    return {name.removeprefix("rejected/"): counts[name] for name in sorted(counts) if name.startswith("rejected/")}


def watch(folder: DropFolder, every_s: float, stop: Signal, *, once: bool) -> Iterator[Handled]:
    """What becomes of each file, until ``stop`` is set; with ``once`` of those that wait now.

    While the broker is away it is asked again, after twice as long each time, for at most a minute.

    Raises:
        TransientError: ``once``, and the broker is away.
    """
    pause = every_s
    while not stop.is_set():
        try:
            for path in folder.waiting():
                if stop.is_set():
                    return
                if (handled := folder.handle(path, stop)) is not None:
                    yield handled
            pause = every_s
        except TransientError as error:
            if once:
                raise
            pause = min(pause * 2, max(60.0, every_s))
            sys.stderr.write(f"tidemill: {error}; next try in {pause:.0f} s\n")
        if once:
            return
        stop.wait(pause)


def document(handled: Handled) -> str:
    """One line of JSON."""
    return json.dumps({name: value for name, value in asdict(handled).items() if value is not None})
