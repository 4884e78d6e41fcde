"""Reading ranges of a topic, as a reader at ``stream.isolation`` gets them."""

from collections.abc import Iterator
from contextlib import contextmanager

from confluent_kafka import Consumer, KafkaError, Message, TopicPartition

from ingestion_layer.kafka.client import BrokerUnavailableError, broker_error, client_config
from tidemill.config.settings import Settings

TIMEOUT_S = 15.0


class RangeReader:
    """Reads any range of any partition of one topic; it commits nothing."""

    def __init__(self, settings: Settings, topic: str, consumer: Consumer) -> None:
        self._settings = settings
        self._topic = topic
        self._consumer = consumer

    def messages(self, partition: int, first: int, end: int) -> Iterator[Message]:
        """The messages at ``first`` and up, below ``end``; none where the offset is of no message for this reader.

        Raises:
            BrokerUnavailableError: nothing came in time.
            BrokerRefusedError: the broker does not let us read.
        """
        if first >= end:
            return
        self._consumer.assign([TopicPartition(self._topic, partition, first)])
        while True:
            message = self._consumer.poll(TIMEOUT_S)
            if message is None:
                raise BrokerUnavailableError(f"{self._doing(partition)}: nothing came within {TIMEOUT_S:.0f} s")
            if _is_end(message):
                return
            if message.error() is not None:
                raise broker_error(self._settings, self._doing(partition), message.error())
            if message.offset() >= end:
                return
            if message.offset() >= first:
                yield message
            if message.offset() + 1 == end:
                return

    def last(self, partition: int, low: int, end: int) -> Message | None:
        """The last message at ``low`` and up, below ``end``: looked for from the end, ten times as far each time."""
        distance = 1
        while low < end:
            first = max(low, end - distance)
            found: Message | None = None
            for message in self.messages(partition, first, end):
                found = message
            if found is not None or first == low:
                return found
            distance *= 10
        return None

    def _doing(self, partition: int) -> str:
        return f"reading {self._topic} partition {partition}"


@contextmanager
def range_reader(settings: Settings, topic: str, isolation: str | None = None) -> Iterator[RangeReader]:
    """A reader of ``topic`` at ``isolation``, by default that of ``settings``."""
    options = {
        "group.id": "tidemill-reconcile",
        "enable.auto.commit": False,
        "enable.partition.eof": True,
        # So long the broker keeps a request for messages that are not there yet: the end of a partition is seen then.
        "fetch.wait.max.ms": 10,
        "auto.offset.reset": "earliest",
        "isolation.level": isolation or settings.stream.isolation,
    }
    consumer = Consumer(client_config(settings, **options))
    try:
        yield RangeReader(settings, topic, consumer)
    finally:
        consumer.close()


def _is_end(message: Message) -> bool:
    error = message.error()
    return error is not None and error.code() == KafkaError._PARTITION_EOF
