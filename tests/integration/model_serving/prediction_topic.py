"""What the topic of predictions holds."""

import time

from confluent_kafka import Consumer, TopicPartition

from ingestion_layer.kafka.client import client_config
from model_serving.prediction_events import TOPIC
from tidemill.config import Settings


def messages(settings: Settings, patience_s: float = 60.0) -> list[tuple[bytes, bytes]]:
    """Key and value of every message, up to the offsets the broker has now."""
    consumer = Consumer(client_config(settings, **{"group.id": "reader", "enable.auto.commit": False}))
    try:
        partitions = consumer.list_topics(TOPIC, timeout=patience_s).topics[TOPIC].partitions
        ends = {p: consumer.get_watermark_offsets(TopicPartition(TOPIC, p), timeout=patience_s)[1] for p in partitions}
        consumer.assign([TopicPartition(TOPIC, p, 0) for p in partitions])
        found: list[tuple[bytes, bytes]] = []
        deadline = time.monotonic() + patience_s
        while len(found) < sum(ends.values()):
            assert time.monotonic() < deadline, f"{len(found)} of {sum(ends.values())} messages"
            message = consumer.poll(1.0)
            if message is not None and message.error() is None:
                found.append((message.key(), message.value()))
        return found
    finally:
        consumer.close()
