"""The model server's log of its answers, read from the broker's topic, each with the features it was made from."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import orjson
from confluent_kafka import Consumer, KafkaException, Message, TopicPartition

TOPIC = "serving.prediction.v1"
EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
MICROSECOND = timedelta(microseconds=1)
CLAIMS_NOTHING = frozenset(
    ("feature_store_unavailable", "unreadable_state", "states_rebuilding", "state_lost", "clock_behind")
)
"""An answer with one of these says that it has no features."""


@dataclass(frozen=True)
class Logged:
    """One answer as it was logged; ``at`` and ``until`` are microseconds since 1970, 0 for none."""

    event_id: str
    request_id: str
    customer: str
    score: float
    decision: str
    features_as_of: str | None
    degraded: tuple[str, ...]
    model_id: str
    arm: str
    at: int
    until: int
    applied: Mapping[str, int]
    features: Mapping[str, float | None]

    @classmethod
    def read(cls, value: bytes) -> "Logged":
        event = orjson.loads(value)
        data: Mapping[str, Any] = event["data"]
        return cls(
            event["id"],
            data["request_id"],
            data["entity_id"],
            data["score"],
            data["decision"],
            data["features_as_of"],
            tuple(data["degraded"]),
            data["model_id"],
            data["arm"],
            micros(data["features_at"]),
            micros(data["features_as_of"]),
            data["applied"],
            data["features"],
        )

    @property
    def claims_features(self) -> bool:
        return CLAIMS_NOTHING.isdisjoint(self.degraded)


def micros(moment: str | None) -> int:
    return 0 if moment is None else (datetime.fromisoformat(moment) - EPOCH) // MICROSECOND


class AnswerLog:
    """The topic from its beginning; what the broker does not give now it gives later."""

    def __init__(self, bootstrap_servers: str) -> None:
        self._consumer = Consumer(
            {
                "bootstrap.servers": bootstrap_servers,
                "group.id": "soak",
                "enable.auto.commit": False,
                "isolation.level": "read_committed",
                "logger": None,
                "log_level": 0,
            }
        )
        self._is_assigned = False

    def read(self, most: int) -> list[Logged]:
        """The next answers, at most so many; what a shadow said was no answer."""
        if not self._is_assigned:
            self._assign()
            if not self._is_assigned:
                return []
        messages: list[Message] = self._consumer.consume(most, timeout=1.0)
        logged = (Logged.read(message.value()) for message in messages if message.error() is None)
        return [answer for answer in logged if answer.arm != "shadow"]

    def close(self) -> None:
        self._consumer.close()

    def _assign(self) -> None:
        try:
            found = self._consumer.list_topics(TOPIC, timeout=10).topics[TOPIC]
        except KafkaException:
            return
        if found.error is None and found.partitions:
            self._consumer.assign([TopicPartition(TOPIC, partition, 0) for partition in found.partitions])
            self._is_assigned = True
