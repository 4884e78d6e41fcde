"""Messages that the broker removed before they were read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ingestion_layer.kafka.offsets import Offsets
from tidemill.config.errors import TerminalError


@dataclass(frozen=True)
class Range:
    """Offsets of a partition, both ends included."""

    partition: int
    first: int
    last: int

    @property
    def messages(self) -> int:
        return self.last - self.first + 1

    def __str__(self) -> str:
        return f"partition {self.partition} offsets {self.first} to {self.last} ({self.messages:,})"


class OffsetsGoneError(TerminalError):
    """The broker no longer has offsets that bronze has not read; the message names them and the way on."""

    def __init__(self, topic: str, lost: Sequence[Range]) -> None:
        named = ", ".join(str(lost_range) for lost_range in lost)
        super().__init__(
            f"{topic}: the broker removed messages before they were read, by its retention or by hand: {named}; "
            f"run `tidemill stream accept-loss {topic}` to put the loss on record and go on after it"
        )


def lost_ranges(position: Mapping[int, int], offsets: Mapping[int, Offsets]) -> tuple[Range, ...]:
    """What is no longer at the broker of what comes from ``position`` on, the next offset to read by partition."""
    return tuple(
        Range(partition, position.get(partition, 0), of.low - 1)
        for partition, of in sorted(offsets.items())
        if of.low > position.get(partition, 0)
    )
