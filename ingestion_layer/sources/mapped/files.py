"""A file as a source: each row an event of the mapping's contract, or a reject."""

import hashlib
import traceback
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from threading import Event as Signal

from confluent_kafka import KafkaException

from ingestion_layer.sources.mapped.chunk import Chunk
from ingestion_layer.sources.mapped.events import Judge, Judged
from ingestion_layer.sources.mapped.formats.choice import reader
from ingestion_layer.sources.mapped.formats.lines import digest
from ingestion_layer.sources.mapped.formats.reading import UnreadableFileError
from ingestion_layer.sources.mapped.mapping import SourceMapping
from ingestion_layer.sources.mapped.source import MappedSource
from ingestion_layer.sources.mapped.workers import judged_by
from ingestion_layer.sources.progress import Progress
from ingestion_layer.sources.replay import Sent, replay
from tidemill.config.errors import TidemillError
from tidemill.config.settings import Settings

WORTH_PROCESSES = 100_000
"""Lines of which judging takes longer than starting a process."""


FORESEEN = (TidemillError, KafkaException, OSError, MemoryError)
"""What is told by itself, and what the machine or the broker lacks; all else is for bytes that nobody foresaw."""


class FileSource(MappedSource):
    """One file; the position is the line up to which all rows were sent.

    A file or a mapping with other content is another source.
    """

    unit = "lines"

    def __init__(self, settings: Settings, mapping: SourceMapping, path: Path, processes: int = 1) -> None:
        super().__init__(settings, mapping)
        self.path, self._processes = path, processes
        self._reader = reader(path, mapping)
        self.digest = digest(path)

    @cached_property
    def identity(self) -> str:
        return hashlib.sha256(f"{self.digest} {self.mapping.digest}".encode()).hexdigest()[:16]

    @cached_property
    def total(self) -> int:
        """The last line; asking for it tries the whole file."""
        return self._reader.check()

    def judge(self) -> Judge:
        return Judge(self.mapping, self.digest)

    def chunks(self, after: int = 0) -> Iterator[Chunk]:
        """The rows beyond a line, unjudged."""
        return self._reader.chunks(after)

    def judged(self, progress: Progress) -> Iterator[tuple[Chunk, Judged]]:
        chunks = self.chunks(progress.position)
        if self._processes > 1 and self.total >= WORTH_PROCESSES:
            yield from judged_by(self._processes, self.mapping, self.digest, chunks)
            return
        judge = self.judge()
        for chunk in chunks:
            yield chunk, judge.judge(chunk)


def send_file(settings: Settings, mapping: SourceMapping, path: Path, stop: Signal) -> tuple[FileSource, Sent]:
    """Send what of a partner's file was not sent yet.

    Raises:
        UnreadableFileError: it cannot be read, also for a reason that nobody foresaw: one file may not keep all others
            waiting for ever.
        NotAcknowledgedError, BrokerUnavailableError, AlreadyRunningError: it is to be sent again later.
    """
    try:
        source = FileSource(settings, mapping, path)
        _ = source.total
        return source, replay(settings, source, again=False, on_position=lambda _: None, stop=stop)
    except FORESEEN:
        raise
    except Exception as error:
        traceback.print_exc()
        raise UnreadableFileError(f"{path}: it cannot be read ({type(error).__name__}: {error})") from error
