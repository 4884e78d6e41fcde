"""Reading what is really on the broker."""

from collections.abc import Mapping

import confluent_kafka
from confluent_kafka import Consumer, TopicPartition

Offsets = Mapping[int, int]
PATIENCE_S = 60.0
"""Without any message from a broker that has some."""


def consumer(servers: str) -> Consumer:
    return Consumer({"bootstrap.servers": servers, "group.id": "tests", "enable.auto.commit": False})


def ends(servers: str, topic: str) -> dict[int, int]:
    """The offset after the last message, by partition."""
    reader = consumer(servers)
    try:
        partitions = reader.list_topics(topic, timeout=10).topics[topic].partitions
        return {n: reader.get_watermark_offsets(TopicPartition(topic, n), timeout=10)[1] for n in partitions}
    finally:
        reader.close()


def messages_after(servers: str, topic: str, starts: Offsets) -> list[confluent_kafka.Message]:
    """The messages from ``starts`` to the present end, in the order of each partition."""
    reader = consumer(servers)
    stops = ends(servers, topic)
    try:
        reader.assign([TopicPartition(topic, n, starts.get(n, 0)) for n in stops])
        missing = sum(stop - starts.get(n, 0) for n, stop in stops.items())
        found: list[confluent_kafka.Message] = []
        while len(found) < missing:
            some = reader.consume(min(missing - len(found), 10_000), timeout=PATIENCE_S)
            if not some:
                raise AssertionError(f"{topic}: {missing - len(found)} of {missing} messages could not be read")
            # What is sent meanwhile to one partition does not stand for what was there in another.
            found += [message for message in some if message.offset() < stops[message.partition()]]
        return found
    finally:
        reader.close()
