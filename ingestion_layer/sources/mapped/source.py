"""What sources through a mapping have in common: chunks judged, sent and counted, rejects kept."""

from abc import abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ingestion_layer.kafka.producer import Event, RawMessage
from ingestion_layer.sources.mapped.chunk import Chunk
from ingestion_layer.sources.mapped.events import Judge, Judged
from ingestion_layer.sources.mapped.mapping import SourceMapping
from ingestion_layer.sources.mapped.rejected import RejectedLines
from ingestion_layer.sources.progress import Progress
from ingestion_layer.sources.replay import Batch, Source
from tidemill.config.settings import Settings
from tidemill.contracts.checker import Rejection


class MappedSource(Source):
    """Rows through one mapping. ``counts``: rows, events, and ``rejected/<reason>``."""

    def __init__(self, settings: Settings, mapping: SourceMapping) -> None:
        super().__init__()
        self.name, self.mapping, self._home = mapping.name, mapping, settings.home
        self._rejected: RejectedLines | None = None
        self._rejection: Rejection | None = None

    @property
    def rejected_path(self) -> Path:
        return self._home / "rejected" / f"{self.name}.{self.identity}.jsonl"

    @abstractmethod
    def judged(self, progress: Progress) -> Iterator[tuple[Chunk, Judged]]:
        """The chunks after ``progress``."""

    @abstractmethod
    def judge(self) -> Judge:
        """Who makes the events."""

    def batches(self, progress: Progress) -> Iterator[Batch]:
        judge = self.judge()
        with RejectedLines(self.rejected_path, progress.state.get("rejected_bytes", 0)) as self._rejected:
            for chunk, judged in self.judged(progress):
                yield Batch(chunk.last, {self.mapping.topic: self._outgoing(judge, chunk, judged)})

    def on_rejected(self, event: Event | RawMessage, topic: str, rejection: Rejection) -> None:
        """A message that is too large for the broker: all else was judged before."""
        self._rejection = rejection

    def state(self) -> dict[str, Any]:
        """How long the file of rejects is, so that a killed run's surplus is cut off."""
        return {"rejected_bytes": self._rejected.size()} if self._rejected else {}

    def _outgoing(self, judge: Judge, chunk: Chunk, judged: Judged) -> Iterator[RawMessage]:
        """The messages; one that was rejected is known when the next is asked for."""
        rejects = list(judged.rejects)
        for index, key, value in zip(judged.indexes, judged.keys, judged.values, strict=True):
            yield RawMessage(key, value)
            if self._rejection is not None:
                rejects.append(judge.rejected(chunk, index, self._rejection))
                self._rejection = None
        self.counts["rows"] += len(judged.values) + len(judged.rejects)
        self.counts["events"] += len(judged.values) + len(judged.rejects) - len(rejects)
        self.counts.update(f"rejected/{reject.reason}" for reject in rejects)
        if self._rejected is not None:
            self._rejected.add(rejects)
