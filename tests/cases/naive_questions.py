"""The judge of labels: loops over events, written from the sentences of docs/questions.md."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from feature_store.definitions import Absence, Classes, FutureAggregate, Number, Outcome, Threshold
from tests.cases.naive_windows import OF_ANY, OF_SOME, Happened, passes

Row = Mapping[str, Any]


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
    events = [row for row in rows if row[question.entity.key] is not None and _passes(row, question)]
    for day in cutoffs:
        cutoff = midnight(day)
        end = cutoff + question.horizon
        active = {row[question.entity.key] for row in events if cutoff - question.active <= row["event_time"] < cutoff}
        for entity in active:
            after = [row for row in events if row[question.entity.key] == entity and cutoff <= row["event_time"] < end]
            label = float(not after) if isinstance(question, Absence) else _aggregate(question, after)
            if label is not None:
                found[entity, day] = Labelled(cutoff, label, end)
    return found


def _aggregate(question: FutureAggregate, after: list[Row]) -> float | None:
    wanted = question.aggregation
    ordered = sorted(after, key=lambda row: row["event_time"])
    values = [row[wanted.column] if wanted.column else None for row in ordered]
    values = [value for value in values if value is not None or not wanted.column]
    argument = wanted.arguments[0] if wanted.arguments else None
    if wanted.function in OF_ANY:
        return _answer(question, OF_ANY[wanted.function](values, argument))
    return _answer(question, OF_SOME[wanted.function](values, argument) if values else None)


def _answer(question: FutureAggregate, value: float | None) -> float | None:
    match question.answer:
        case _ if value is None:
            return None
        case Number():
            return value
        case Threshold(at_least):
            return float(value >= at_least)
        case Classes(edges=edges):
            return float(sum(edge <= value for edge in edges))
    raise AssertionError(question.answer)


def _passes(row: Row, question: Absence | FutureAggregate) -> bool:
    event = Happened(0, 0, 0, dict(row), 0)
    return all(passes(event, one) for one in question.filters)


def naive_outcome(question: Outcome, events: Sequence[Row], verdicts: Sequence[Row]) -> dict[str, Labelled]:
    """The label of each event by its key: what the first verdict said, if it came after the first event of the key."""
    found = {}
    for key in {event[question.key] for event in events}:
        event = _first(event for event in events if event[question.key] == key)
        said = [verdict for verdict in verdicts if verdict[question.key] == key]
        if not said or (first := _first(said))["event_time"] <= event["event_time"]:
            continue
        found[key] = Labelled(event["event_time"], float(first[question.label]), first["event_time"])
    return found


def _first(rows: Iterable[Row]) -> Row:
    return min(rows, key=lambda row: (row["event_time"], row["source"], row["event_id"]))


def naive_part(labelled: Mapping[str, Labelled], begin: date, end: date, known_by: datetime) -> dict[str, float]:
    """The labels by key of the events from ``begin`` up to ``end`` that are known by then."""
    return {
        key: one.label
        for key, one in labelled.items()
        if midnight(begin) <= one.at < midnight(end) and one.matured <= known_by
    }
