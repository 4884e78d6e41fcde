"""Messages of bronze, judged again: the contract's verdict, what identifies the event, and what silver should hold."""

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from data_lake.reconciliation.values import SentValues, read
from data_lake.tables import FIRST_GENERATION
from tidemill.contracts.checker import Checker, Rejection

Place = tuple[int, int, int]
"""Generation, partition and offset."""
Verdict = tuple[str | None, str | None, str | None, str | None, int | None, Mapping[str, Any]]
"""Of a message: why it is no event; or the columns of :data:`VERDICT`, and the event's data."""
PLACE = ("generation", "partition", "offset")
COLUMNS = (*PLACE, "value", "broker_time")
VERDICT = pa.schema(
    [*((name, pa.string()) for name in ("reason", "source", "event_id", "sent__time")), ("sent__digest", pa.int64())]
)


@dataclass(frozen=True)
class Judge:
    """Judges messages by the contract; ``unprocessable`` ones kill or hang who reads them, and are left alone."""

    check: Checker
    unprocessable: frozenset[Place]
    values: SentValues

    def judged(self, messages: pa.RecordBatch | pa.Table) -> pa.Table:
        """What :data:`COLUMNS` of bronze, n > 0 rows, say: place, verdict, ``sent_<column>`` and ``misfits``.

        Of an event ``reason`` is null, of any other message the rest. No property is called like a column of the
        verdict: none begins with an underscore.
        """
        values = messages.column("value").to_pylist()
        *verdict, data = zip(*map(self._verdict, self._places(messages), values), strict=True)
        placed = {name: messages.column(name) for name in PLACE}
        times = {"sent_broker_time": messages.column("broker_time")}
        verdicts = {field.name: pa.array(column, field.type) for field, column in zip(VERDICT, verdict, strict=True)}
        sent = self.values.table(data)
        return pa.table({**placed, **times, **verdicts, **dict(zip(sent.column_names, sent.columns, strict=True))})

    def _places(self, messages: pa.RecordBatch | pa.Table) -> Iterable[Place | None]:
        """The places of ``messages`` when it matters."""
        if not self.unprocessable:
            return itertools.repeat(None, len(messages))
        generation, partition, offset = (messages.column(name).to_pylist() for name in PLACE)
        return zip((number or FIRST_GENERATION for number in generation), partition, offset, strict=True)

    def _verdict(self, place: Place | None, value: bytes | None) -> Verdict:
        if place in self.unprocessable:
            return ("unprocessable", None, None, None, None, {})
        event = self.check.read(value)
        if isinstance(event, Rejection) or value is None:
            return (str(event.reason) if isinstance(event, Rejection) else None, None, None, None, None, {})
        said = read(value)
        return (None, said["source"], said["id"], said["time"], event.digest, said["data"])
