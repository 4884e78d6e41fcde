"""Which messages of a topic's quarantine are meant: by reason, by time, or one by its place."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import reduce
from operator import and_

import pyarrow as pa
import pyarrow.compute as pc

from tidemill.config.errors import TerminalError
from tidemill.contracts.checker import Reason

COLUMNS = ("generation", "partition", "offset", "broker_time", "ingest_date", "reason")
TIME = pa.timestamp("us", "UTC")
CLOCKS = timedelta(days=1)
"""A broker's clock may be ahead of ours by so much: `ingest_date` is by ours, and files are chosen by it."""


class SelectionError(TerminalError):
    """No message could be meant."""


@dataclass(frozen=True)
class Selection:
    """Messages of ``topic`` that are all that is given; the broker's time is ``since`` or later, and before ``until``.

    Raises:
        SelectionError: ``since`` is not before ``until``, a time has no zone, or an offset is of no partition.
    """

    topic: str
    reasons: frozenset[Reason] = frozenset()
    since: datetime | None = None
    until: datetime | None = None
    partition: int | None = None
    offset: int | None = None

    def __post_init__(self) -> None:
        if any(time is not None and time.tzinfo is None for time in (self.since, self.until)):
            raise SelectionError("a time of the selection has no zone: give it in UTC")
        if self.since is not None and self.until is not None and self.since >= self.until:
            raise SelectionError(f"nothing came from {self.since:%F %T} to before {self.until:%F %T}: turn them round")
        if self.offset is not None and self.partition is None:
            raise SelectionError(f"offset {self.offset} is of one of the partitions: say which (--partition)")

    @property
    def where(self) -> pc.Expression:
        """The condition over :data:`COLUMNS` of quarantine."""
        return reduce(and_, self._conditions(), pc.scalar(True))

    def _conditions(self) -> Iterator[pc.Expression]:
        if self.reasons:
            yield pc.field("reason").isin(sorted(map(str, self.reasons)))
        if self.since is not None:
            yield pc.field("broker_time") >= pa.scalar(self.since, TIME)
            yield pc.field("ingest_date") >= pa.scalar((self.since - CLOCKS).date())
        if self.until is not None:
            yield pc.field("broker_time") < pa.scalar(self.until, TIME)
        if self.partition is not None:
            yield pc.field("partition") == self.partition
        if self.offset is not None:
            yield pc.field("offset") == self.offset
