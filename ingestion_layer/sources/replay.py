"""Sending a source that has an end: in batches, from where the last run was acknowledged, each batch to the broker."""

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from threading import Event as Signal
from time import monotonic
from typing import Any

from ingestion_layer.kafka.producer import Event, EventProducer, Outgoing
from ingestion_layer.sources.progress import Progress, ProgressFile
from tidemill.config.settings import Settings
from tidemill.contracts.checker import Rejection

CHECKPOINT_S = 1.0

OnPosition = Callable[[int], None]


@dataclass(frozen=True)
class Batch:
    """Messages by topic, in order; with them acknowledged, the source stands at ``position``."""

    position: int
    outgoing: Mapping[str, Iterable[Outgoing]]


class Source(ABC):
    """Events that are the same at every replay. ``counts`` covers the batches taken so far, over all runs."""

    name: str
    unit: str
    grows = False
    """Whether there may be more after the end: what was sent completely is looked at again."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    @property
    @abstractmethod
    def identity(self) -> str:
        """Text that two sources share only when they are the same events; part of a file name."""

    @property
    @abstractmethod
    def total(self) -> int | None:
        """The position at the end, if it is known."""

    @abstractmethod
    def batches(self, progress: Progress) -> Iterator[Batch]:
        """The batches after ``progress``."""

    @abstractmethod
    def on_rejected(self, event: Event, topic: str, rejection: Rejection) -> None:
        """Take back an event that breaks its contract."""

    def state(self) -> dict[str, Any]:
        """What :meth:`batches` needs of the progress beside the position."""
        return {}


@dataclass(frozen=True)
class Sent:
    """What one run did: messages acknowledged by topic, and the position it began at."""

    by_topic: Mapping[str, int]
    began_at: int
    seconds: float

    @property
    def total(self) -> int:
        return sum(self.by_topic.values())

    @property
    def per_second(self) -> float:
        return self.total / self.seconds if self.seconds else 0.0


def replay(
    settings: Settings, source: Source, *, again: bool, on_position: OnPosition, stop: Signal | None = None
) -> Sent:
    """Send what of ``source`` was not yet acknowledged; with ``again``, all of it.

    Once ``stop`` is set, the replay ends where its position moves on, with all that was sent acknowledged and counted.
    A run that was killed sends its last second again; ids repeat, so the lake does not change.

    Raises:
        NotAcknowledgedError: the broker did not acknowledge a message.
        AlreadyRunningError: another process is sending this source.
    """
    with EventProducer(settings) as producer:
        file = ProgressFile.of(settings, source.name, source.identity, producer.cluster_id)
        with file.held():
            before = Progress() if again else file.load()
            source.counts.update(before.counts)
            if before.is_finished and not source.grows:
                return Sent({}, before.position, 0.0)
            began = monotonic()
            position, is_finished = before.position, False
            on_position(position)
            for reached in _send(producer, source, file, before):
                moved, position = reached != position, reached
                on_position(position)
                if moved and stop is not None and stop.is_set():
                    break
            else:
                is_finished = True
            sent = producer.flush()
            file.save(Progress(position, is_finished, source.counts, source.state()))
            return Sent(sent.by_topic, before.position, monotonic() - began)


def _send(producer: EventProducer, source: Source, file: ProgressFile, before: Progress) -> Iterator[int]:
    """The position after each batch that was sent; about every second all of them are acknowledged and on record."""
    saved = monotonic()
    for batch in source.batches(before):
        for topic, outgoing in batch.outgoing.items():
            producer.send(topic, outgoing, source.on_rejected)
        if monotonic() - saved >= CHECKPOINT_S:
            producer.flush()
            file.save(Progress(batch.position, False, source.counts, source.state()))
            saved = monotonic()
        yield batch.position
