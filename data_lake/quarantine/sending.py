"""A claimed batch on its way: sent, looked for at the broker, and noted as what the broker was seen to have."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

import pyarrow as pa

from data_lake.quarantine.ledger import Ledger, State, noted
from data_lake.quarantine.origin import Origin, TopicIds
from ingestion_layer.kafka.offsets import topic_offsets
from ingestion_layer.kafka.producer import EventProducer, Outgoing, RawMessage
from ingestion_layer.kafka.reading import RangeReader, range_reader
from tidemill.config.errors import TransientError
from tidemill.config.settings import Settings
from tidemill.contracts.checker import Rejection

At = tuple[int, int]
"""Partition and offset of a new message."""


class NotFoundAtBrokerError(TransientError):
    """The broker acknowledged events that it was not seen to have."""


@dataclass
class Sender:
    """Sends claims of one topic; ``reader`` sees every message, also behind another's open transaction."""

    settings: Settings
    ids: TopicIds
    ledger: Ledger
    producer: EventProducer
    reader: RangeReader

    def send(self, claims: pa.Table) -> tuple[int, int]:
        """Send all of ``claims``, which the ledger has, and note where each came to lie.

        How many were sent, and how many were given back, since they are larger than what may be sent.

        Raises:
            NotAcknowledgedError: the broker did not take all; what it took is found when this is run again.
        """
        refused: list[Origin] = []

        def on_rejected(message: Outgoing, _topic: str, _rejection: Rejection) -> None:
            origin = Origin.read(message.headers) if isinstance(message, RawMessage) else None
            if origin is not None:
                refused.append(origin)

        self.producer.send(self.ids.topic, self._messages(claims), on_rejected)
        self.producer.flush()
        sent, _ = self.note(claims, refused)
        if sent + len(refused) < len(claims):
            raise NotFoundAtBrokerError(
                f"the broker acknowledged events to {self.ids.topic} and does not show "
                f"{len(claims) - sent - len(refused):,} of them: run this again; if that stays, look at its retention"
            )
        return sent, len(refused)

    def note(self, claims: pa.Table, refused: Sequence[Origin] = ()) -> tuple[int, pa.Table]:
        """Note those of ``claims`` that the broker has as sent, and ``refused`` as released; the rest is returned."""
        origins = self._origins(claims)
        places = self._found(claims, set(origins))
        is_sent = pa.array([origin in places for origin in origins])
        is_released = pa.array([origin in set(refused) for origin in origins])
        sent, released = claims.filter(is_sent), claims.filter(is_released)
        at = [places[origin] for origin in origins if origin in places]
        news = noted(
            sent,
            state=State.SENT,
            new_generation=self.ids.generation,
            new_partition=pa.array([partition for partition, _ in at], pa.int32()),
            new_offset=pa.array([offset for _, offset in at], pa.int64()),
        )
        done = pa.concat_tables([news, noted(released, state=State.RELEASED)])
        self.ledger.note(noted(done, key=None, value=None, ends=None, replayed_at=datetime.now(UTC)))
        rest = [origin not in places and origin not in set(refused) for origin in origins]
        return len(sent), claims.filter(pa.array(rest, pa.bool_()))

    def _messages(self, claims: pa.Table) -> Iterator[RawMessage]:
        columns = (self._origins(claims), claims["key"].to_pylist(), claims["value"].to_pylist())
        return (RawMessage(key, value, (origin.header,)) for origin, key, value in zip(*columns, strict=True))

    def _origins(self, claims: pa.Table) -> list[Origin]:
        places = (claims[name].to_pylist() for name in ("generation", "partition", "offset"))
        return [self.ids.origin(*place) for place in zip(*places, strict=True)]

    def _found(self, claims: pa.Table, origins: set[Origin]) -> dict[Origin, At]:
        """Where the broker has messages of ``origins``: the first of each, from where it ended before the claim."""
        begins = _begins(claims, self.ids.present)
        found: dict[Origin, At] = {}
        for partition, of in topic_offsets(self.settings, self.ids.topic).items():
            first = max(of.low, begins.get(partition, 0))
            for message in self.reader.messages(partition, first, of.high):
                origin = Origin.read(message.headers())
                if origin in origins:
                    found.setdefault(origin, (partition, int(message.offset() or 0)))
        return found


def _begins(claims: pa.Table, topic_id: str) -> Mapping[int, int]:
    """From which offsets on the messages of ``claims`` can be; none is known where the topic is another one now."""
    if claims["topic_id"].unique().to_pylist() != [topic_id]:
        return {}
    begins: dict[int, int] = {}
    for ends in {tuple(ends) for ends in claims["ends"].to_pylist()}:
        begins |= {partition: min(end, begins.get(partition, end)) for partition, end in ends}
    return begins


@contextmanager
def sender(settings: Settings, ids: TopicIds, ledger: Ledger) -> Iterator[Sender]:
    """A sender with its connections to the broker.

    Raises:
        BrokerUnavailableError: no broker answered.
    """
    with range_reader(settings, ids.topic, "read_uncommitted") as reader, EventProducer(settings) as producer:
        yield Sender(settings, ids, ledger, producer, reader)
