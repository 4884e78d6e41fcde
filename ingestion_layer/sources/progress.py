"""How far a source has been sent, kept so that a run that was killed goes on where the broker had everything."""

import fcntl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import orjson

from tidemill.config.errors import TerminalError, TransientError
from tidemill.config.files import replace_file
from tidemill.config.settings import Settings


class AlreadyRunningError(TransientError):
    """Another process is sending the same source."""


class ProgressError(TerminalError):
    """A progress file that cannot be read."""


@dataclass(frozen=True)
class Progress:
    """Everything up to ``position`` (in the source's own unit) was acknowledged.

    ``counts`` sum up what was sent so far; ``state`` is what else the source needs to go on.
    """

    position: int = 0
    is_finished: bool = False
    counts: Mapping[str, int] = field(default_factory=dict)
    state: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ProgressFile:
    """Where the progress of one source into one Kafka cluster is kept."""

    path: Path

    @classmethod
    def of(cls, settings: Settings, source: str, identity: str, cluster_id: str) -> Self:
        return cls(settings.home / "progress" / f"{source}-{identity}-{cluster_id}.json")

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep other processes from sending the same source meanwhile.

        Raises:
            AlreadyRunningError: one is doing it.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.with_suffix(".lock").open("a") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise AlreadyRunningError(f"another process is sending this source already ({self.path})") from None
            yield

    def load(self) -> Progress:
        if not self.path.exists():
            return Progress()
        try:
            return Progress(**orjson.loads(self.path.read_bytes()))
        except (orjson.JSONDecodeError, TypeError) as error:
            raise ProgressError(f"{self.path} is damaged ({error}): delete it to send the source again") from error

    def save(self, progress: Progress) -> None:
        noted = asdict(replace(progress, counts=dict(progress.counts)))
        replace_file(self.path, orjson.dumps(noted, option=orjson.OPT_INDENT_2))
