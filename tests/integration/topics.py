"""Topics of tests: the controller answers a moment before the broker has heard of what it did."""

import time
from collections.abc import Callable

from confluent_kafka.admin import AdminClient, NewTopic

PATIENCE_S = 60


def make(admin: AdminClient, topic: NewTopic) -> None:
    """Create ``topic`` and wait until it can be written and read."""
    admin.create_topics([topic])[topic.topic].result()
    _until(lambda: _is_led(admin, topic), f"{topic.topic} is led")


def delete(admin: AdminClient, topic: str) -> None:
    """Delete ``topic`` and wait until nobody is told of it."""
    admin.delete_topics([topic])[topic].result()
    _until(lambda: topic not in admin.list_topics(timeout=10).topics, f"{topic} is gone")


def _is_led(admin: AdminClient, topic: NewTopic) -> bool:
    there = admin.list_topics(timeout=10).topics.get(topic.topic)
    led = [each for each in there.partitions.values() if each.leader >= 0] if there is not None else []
    return len(led) == topic.num_partitions


def _until(holds: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)
