"""The judge of labels: loops over events, written from the sentences of docs/questions.md."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from feature_store.definitions import (
    Absence,
    Answer,
    Classes,
    Filter,
    Function,
    FutureAggregate,
    Number,
    Outcome,
    Source,
    Threshold,
    YesNo,
)
from feature_store.judge.hashing import identity_hash
from feature_store.judge.naive import OF_ANY, OF_SOME, Happened, counted, passes

Row = Mapping[str, Any]
"""An event's values by column; times are aware."""


@dataclass(frozen=True)
class Labelled:
    """When a row is asked about, what its label is, and since when that is known."""

    at: datetime
    label: float
    matured: datetime


def midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def naive_cutoffs(
    question: Absence | FutureAggregate, rows: Sequence[Row], cutoffs: Iterable[date]
) -> dict[tuple[str, date], Labelled]:
    """The labels of every active entity at every cutoff, on exact times."""
    found = {}
    source, owner = question.source, question.group.entity_column
    events = [row for row in rows if row[owner] is not None and _passes(row, source, question.filters)]
    for day in cutoffs:
        cutoff = midnight(day)
        end = cutoff + question.horizon
        active = {str(row[owner]) for row in events if cutoff - question.active <= row[source.event_time] < cutoff}
        for entity in active:
            after = [row for row in events if str(row[owner]) == entity and cutoff <= row[source.event_time] < end]
            label = float(not after) if isinstance(question, Absence) else _aggregate(question, after, end)
            if label is not None:
                found[entity, day] = Labelled(cutoff, label, end)
    return found


def _aggregate(question: FutureAggregate, after: list[Row], end: datetime) -> float | None:
    source, asked = question.source, question.aggregation
    ordered = sorted(after, key=lambda row: (row[source.event_time], identity_hash(_identity(row, source))))
    if asked.function is Function.TIME_SINCE_LAST:
        since = (end - ordered[-1][source.event_time]).total_seconds() if ordered else None
        return naive_answer(question.answer, since)
    values = [_values(row, source).get(asked.column) if asked.column else None for row in ordered]
    values = [value for value in values if value is not None or not asked.column]
    argument = asked.arguments[0] if asked.arguments else None
    if asked.function in OF_ANY:
        return naive_answer(question.answer, OF_ANY[asked.function](values, argument))
    return naive_answer(question.answer, OF_SOME[asked.function](values, argument) if values else None)


def naive_answer(answer: Answer, value: Any) -> float | None:
    """The label that ``answer`` makes of a value; None where there is none.

    Raises:
        ValueError: it is a value that the answer does not take.
    """
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    match answer:
        case YesNo() if value in (0, 1):
            return float(value)
        case Number() if _is_number(value):
            return float(value)
        case Threshold(at_least) if _is_number(value):
            return float(value >= at_least)
        case Classes(edges=edges) if edges and _is_number(value):
            return float(sum(edge <= value for edge in edges))
        case Classes(names, edges) if not edges and value in names:
            return float(names.index(value))
    raise ValueError(f"{value!r} is no value that {answer!r} takes")


def naive_outcome(question: Outcome, events: Sequence[Row], verdicts: Sequence[Row]) -> dict[str, Labelled]:
    """The label of each event by its key: what the first verdict said, if it came after the first event of the key."""
    asked = [
        row
        for row in events
        if row[question.entity_column] is not None and _passes(row, question.events, question.filters)
    ]
    found = {}
    for key in {row[question.key] for row in asked} - {None}:
        event = _first((row for row in asked if row[question.key] == key), question.events)
        said = [row for row in verdicts if row[question.key] is not None and str(row[question.key]) == str(key)]
        if not said:
            continue
        first = _first(said, question.of)
        at, matured = event[question.events.event_time], first[question.of.event_time]
        label = naive_answer(question.answer, first[question.label])
        if matured > at and label is not None:
            found[str(key)] = Labelled(at, label, matured)
    return found


def naive_part(labelled: Mapping[str, Labelled], begin: date, end: date, known_by: datetime) -> dict[str, float]:
    """The labels by key of the events from ``begin`` up to ``end`` that are known by then."""
    return {
        key: one.label
        for key, one in labelled.items()
        if midnight(begin) <= one.at < midnight(end) and one.matured <= known_by
    }


def _first(rows: Iterable[Row], source: Source) -> Row:
    return min(rows, key=lambda row: (row[source.event_time], *_identity(row, source)))


def _identity(row: Row, source: Source) -> list[Any]:
    return [row[name] for name in source.tie_breaker]


def _passes(row: Row, source: Source, filters: Sequence[Filter]) -> bool:
    event = Happened(0, 0, 0, _values(row, source), 0)
    return all(passes(event, condition) for condition in filters)


def _values(row: Row, source: Source) -> Mapping[str, Any]:
    """What filters and aggregations read: computed columns too, and no number that is none."""
    products = {
        product.name: None
        if row[product.left] is None or row[product.right] is None
        else float(row[product.left] * row[product.right])
        for product in source.computed
    }
    floats = {name: float(value) if isinstance(value, Decimal) else value for name, value in row.items()}
    return counted(Happened(0, 0, 0, floats | products, 0)).values


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)
