"""The label of what a case asks about, from the sentences of docs/questions.md: no engine."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from feature_store.definitions import Absence, Classes, FutureAggregate, Number, Outcome, Own, Question, Source
from feature_store.judge.questions import Labelled, naive_cutoffs, naive_outcome
from tidemill.config.errors import TerminalError, nearest
from tidemill.contracts.columns import data_columns
from tidemill.projects.testing.given import EPOCH, Row, events_of

TIMES = ("TIMESTAMP",)
ENVELOPE_TIMES = ("event_time", "ingested_at")
DAY = timedelta(days=1)
Label = float | str | None


class LabelError(TerminalError):
    """A case asks for a label that its question, time and entity do not have."""


def label(question: Question, rows: Sequence[Row], entity: Mapping[str, Any], at: datetime) -> Label:
    """What the question will say of ``entity`` (its key, and perhaps others) at ``at``; None where it is not asked.

    A class is given by its name.

    Raises:
        LabelError: at that time the question is not asked, or there is no label without Spark.
    """
    if isinstance(question, Own):
        raise LabelError(
            f"the rows of Own are made by its function {question.rows.__name__} from Spark's tables, which this test "
            "does without: leave `label` out, and call the function in a pytest that has a Spark session"
        )
    key = question.entity.key
    if key not in entity:
        raise LabelError(f"the question is about a {key}{nearest(key, entity)}: say which in `entity`")
    who, moment = str(entity[key]), at.astimezone(UTC)
    if isinstance(question, Outcome):
        found = _of_event(question, rows, who, moment)
    else:
        found = _at_cutoff(question, rows, who, moment)
    return None if found is None else _named(question, found.label)


def _at_cutoff(question: Absence | FutureAggregate, rows: Sequence[Row], who: str, at: datetime) -> Labelled | None:
    if (at - EPOCH) % DAY:
        raise LabelError(f"{at.isoformat()} is no cutoff: labels are of the starts of days, in UTC")
    return naive_cutoffs(question, _of(question.source, rows), [at.date()]).get((who, at.date()))


def _of_event(question: Outcome, rows: Sequence[Row], who: str, at: datetime) -> Labelled | None:
    events = _of(question.events, rows)
    keys = {
        event[question.key]
        for event in events
        if event[question.events.event_time] == at and str(event[question.entity_column]) == who
    }
    if not keys:
        raise LabelError(f"{question.events.table} has no event of {who!r} at {at.isoformat()}, its own time: give it")
    if len(keys) > 1:
        raise LabelError(f"{who!r} has {len(keys)} events at {at.isoformat()}: give them times of their own")
    found = naive_outcome(question, events, _of(question.of, rows)).get(str(*keys))
    return found if found is None or found.at == at else None


def _of(source: Source, rows: Sequence[Row]) -> list[dict[str, Any]]:
    """The rows of a source, with times as times."""
    return [_timed(row) for row in events_of(source, rows)]


def _timed(row: Row) -> dict[str, Any]:
    declared = [column.name for column in data_columns(row.contract) if column.sql_type in TIMES]
    times = {
        name: EPOCH + timedelta(microseconds=row.values[name])
        for name in (*ENVELOPE_TIMES, *declared)
        if row.values[name] is not None
    }
    return {**row.values, **times}


def _named(question: Question, value: float) -> Label:
    if isinstance(question.answer, Classes):
        return question.answer.names[int(value)]
    return value if isinstance(question.answer, Number) else int(value)
