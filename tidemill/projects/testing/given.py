"""Events as a test gives them, and the same as silver would have them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cached_property
from typing import Any

import numpy as np

from feature_store.columns.events import Column, Events
from feature_store.definitions import FeatureGroup, Source
from feature_store.judge.hashing import identity_hash
from feature_store.judge.naive import Happened
from tidemill.config.errors import TerminalError
from tidemill.contracts.checker import Event, Rejection, checker
from tidemill.contracts.columns import data_columns
from tidemill.contracts.events import event
from tidemill.contracts.registry import Contract, contract, contracts

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
SOURCE = "urn:tidemill:test"
EMPTY: Mapping[str, Any] = {"STRING": "", "BIGINT": 0, "BOOLEAN": False}
Given = Mapping[str, Sequence[Mapping[str, Any]]]
"""By topic: events with ``time`` (aware), ``data``, and ``known`` where the platform learnt of one later."""


class GivenError(TerminalError):
    """A test gives what is no event of its topic."""


@dataclass(frozen=True)
class Row:
    """One event in silver: ``values`` by column, times in microseconds since 1970."""

    contract: Contract
    time: int
    known: int
    values: Mapping[str, Any]
    data: Mapping[str, Any]

    @cached_property
    def text(self) -> str:
        """As a person reads it."""
        return f"{moment(self.time)} {json.dumps(self.data, default=str)}"


def rows(given: Given) -> list[Row]:
    """The events given, each as the contract's checker reads it.

    Raises:
        GivenError: an event breaks its contract, or lacks its time or its data.
    """
    return [
        row(contract(topic), number, happened)
        for topic, events in given.items()
        for number, happened in enumerate(events)
    ]


def row(of: Contract, number: int, happened: Mapping[str, Any]) -> Row:
    """The event ``number`` of a test."""
    where = f"event {number} of {of.topic}"
    try:
        time, data = happened["time"], happened["data"]
        made = event(of, SOURCE, f"{number}", time, data)
    except KeyError as error:
        raise GivenError(f"{where} has no {error}: an event is {{time, data}}") from None
    except (ValueError, AttributeError) as error:
        raise GivenError(f"{where}: {error}: write it in UTC, as 2026-03-01T10:00:00Z") from None
    message = checker(of.topic).encode(made)
    read = message if isinstance(message, Rejection) else checker(of.topic).read(message.value)
    if not isinstance(read, Event):
        raise GivenError(f"{where} breaks its contract: {read.reason.value}: {read.detail}")
    known = happened.get("known", time)
    envelope = {"event_id": read.id, "source": read.source, "event_time": read.time}
    values = dict(zip((column.name for column in data_columns(of)), read.data, strict=True))
    return Row(of, read.time, micros(known), envelope | {"ingested_at": micros(known)} | values, data)


def events_of(source: Source, given: Sequence[Row]) -> list[Row]:
    """The rows of ``source``; one without an event time is no event."""
    rows = [row for row in given if f"silver/{row.contract.table}" == source.table]
    return [row for row in rows if row.values[source.event_time] is not None]


def micros(at: datetime) -> int:
    """Microseconds since 1970 of an aware time."""
    return (at - EPOCH) // MICROSECOND


def moment(time: int) -> str:
    """Microseconds since 1970, as a person reads them."""
    return (EPOCH + timedelta(microseconds=time)).isoformat().replace("+00:00", "Z")


@dataclass(frozen=True)
class History:
    """The events of one group, once for the judge and once for the engines; ``entities`` are the keys by number."""

    group: FeatureGroup
    rows: Sequence[Row]
    entities: Sequence[str]

    @classmethod
    def of(cls, group: FeatureGroup, given: Sequence[Row], *asked: str) -> "History":
        """Of those of the group's source with an entity and a time; ``asked`` are entities that may have no event."""
        kept = [row for row in events_of(group.source, given) if row.values.get(group.entity_column) is not None]
        keys = (str(row.values[group.entity_column]) for row in kept)
        return cls(group, kept, list(dict.fromkeys((*asked, *keys))))

    @cached_property
    def happened(self) -> list[Happened]:
        source, number = self.group.source, {key: at for at, key in enumerate(self.entities)}
        return [
            Happened(
                number[str(row.values[self.group.entity_column])],
                row.values[source.event_time],
                identity_hash([row.values[part] for part in source.tie_breaker]),
                {name: self._value(row, name) for name in self.group.columns},
                _known(row, source),
            )
            for row in self.rows
        ]

    @cached_property
    def events(self) -> Events:
        happened = self.happened
        return Events(
            entity=np.array([of.entity for of in happened], dtype=np.int64),
            time=np.array([of.time for of in happened], dtype=np.int64),
            tie=np.array([of.tie for of in happened], dtype=np.uint64),
            columns={name: self._column(name) for name in self.group.columns},
            known_time=np.array([of.known_time for of in happened], dtype=np.int64),
        )

    def take(self, chosen: Sequence[int]) -> "History":
        """The same entities with only the events at these positions."""
        return History(self.group, [self.rows[number] for number in chosen], self.entities)

    def _value(self, row: Row, name: str) -> Any:
        for product in self.group.source.computed:
            if product.name == name:
                left, right = row.values[product.left], row.values[product.right]
                return None if left is None or right is None else float(left * right)
        value = row.values[name]
        return float(value) if isinstance(value, Decimal) else value

    def _column(self, name: str) -> Column:
        values = [of.values[name] for of in self.happened]
        kind = self._types().get(name, "DOUBLE")
        fill = EMPTY.get(kind, 0.0)
        dtype = {"STRING": object, "BIGINT": np.int64, "BOOLEAN": np.bool_}.get(kind, np.float64)
        filled = [fill if value is None else value for value in values]
        return Column(np.array(filled, dtype=dtype), np.array([value is not None for value in values], dtype=np.bool_))

    def _types(self) -> Mapping[str, str]:
        tables = {f"silver/{of.table}": of for of in contracts().values()}
        return {column.name: column.sql_type for column in data_columns(tables[self.group.source.table])}


def _known(row: Row, source: Source) -> int:
    """When the platform learnt of an event: where the source does not say, when it happened."""
    known = row.values[source.known_time]
    return int(row.values[source.event_time] if known is None else known)
