"""The link from a replayed event to the message in quarantine that it was made of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from data_lake.tables import FIRST_GENERATION
from data_lake.topic_starts import OtherTopicError, compare, starts
from ingestion_layer.kafka.identity import topic_identity
from tidemill.config.settings import Settings
from tidemill.contracts.events import event_id

HEADER = "tidemill_replay_of"
"""Of Kafka, on every replayed message: its value is :attr:`Origin.text`, in UTF-8."""
Headers = Sequence[tuple[str, bytes | None]]


@dataclass(frozen=True, order=True)
class Origin:
    """The place of a message: the broker gives the same offset again only in another generation of its topic."""

    topic: str
    topic_id: str
    generation: int
    partition: int
    offset: int

    def __str__(self) -> str:
        generation = f"generation {self.generation} " if self.generation != FIRST_GENERATION else ""
        return f"{generation}partition {self.partition} offset {self.offset}"

    @property
    def text(self) -> str:
        """As the header has it; a topic's name has no slash, its id (base64) may have some."""
        return f"{self.topic}/{self.topic_id}/{self.generation}/{self.partition}/{self.offset}"

    @property
    def header(self) -> tuple[str, bytes]:
        return HEADER, self.text.encode()

    @property
    def source(self) -> str:
        """The source of an event that a fix gave none."""
        return f"urn:tidemill:quarantine:{self.topic}"

    @property
    def event_id(self) -> str:
        """The id of an event that a fix gave none: a UUIDv5 of this place, so that it is the same whenever made."""
        return event_id(self.source, self.text)

    @classmethod
    def read(cls, headers: Headers | None) -> Self | None:
        """The link among a message's ``headers``; None where there is none that we wrote."""
        for name, value in headers or ():
            if name == HEADER and value is not None:
                return cls._parsed(value)
        return None

    @classmethod
    def _parsed(cls, value: bytes) -> Self | None:
        try:
            topic, rest = value.decode().split("/", 1)
            topic_id, *numbers = rest.rsplit("/", 3)
            generation, partition, offset = map(int, numbers)
        except ValueError:
            return None
        return cls(topic, topic_id, generation, partition, offset)


@dataclass(frozen=True)
class TopicIds:
    """The ids that a topic of this name has had at the broker, by generation."""

    topic: str
    present: str
    by_generation: Mapping[int, str]

    @classmethod
    def of(cls, settings: Settings, topic: str) -> Self:
        """As the record has them; a lake of before the record has only ever read the topic that is there.

        Raises:
            BrokerUnavailableError: no broker answered.
            MissingTopicError: it has no such topic.
            OtherTopicError: it has another topic of this name than the one that bronze reads.
        """
        recorded = {start.generation: start.identity.topic_id for start in starts(settings, topic)}
        ids = cls(topic, topic_identity(settings, topic).topic_id, recorded)
        difference = compare(settings, topic)
        if difference is not None:
            raise OtherTopicError(topic, difference, ids.generation)
        return ids

    @property
    def generation(self) -> int:
        """The one that bronze reads now."""
        return max(self.by_generation, default=FIRST_GENERATION)

    def origin(self, generation: int, partition: int, offset: int) -> Origin:
        return Origin(self.topic, self.by_generation.get(generation, self.present), generation, partition, offset)
