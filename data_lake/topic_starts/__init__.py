"""From where on bronze reads a topic, which topic that is, and what was given up: the record, and what decides it."""

from data_lake.topic_starts.decisions import (
    NothingLostError,
    SameTopicError,
    accept_loss,
    compare,
    losses,
    new_generation,
    resume,
)
from data_lake.topic_starts.loss import OffsetsGoneError, Range
from data_lake.topic_starts.record import TopicStart, starts
from data_lake.topic_starts.verify import OtherTopicError

__all__ = [
    "NothingLostError",
    "OffsetsGoneError",
    "OtherTopicError",
    "Range",
    "SameTopicError",
    "TopicStart",
    "accept_loss",
    "compare",
    "losses",
    "new_generation",
    "resume",
    "starts",
]
