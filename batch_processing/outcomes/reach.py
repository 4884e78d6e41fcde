"""How far the lake tells what happened: silence is absence only where events would be there."""

from datetime import UTC, datetime, timedelta

from pyspark.sql import functions as F  # noqa: N812

from feature_store.definitions import Absence, FutureAggregate, Question
from ml_modeling.questions import Tables

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LOOKED_BACK = timedelta(days=2)


def known_until(tables: Tables, question: Question, now: datetime) -> datetime:
    """``now``, for a question about entities no later than the last event of its source before now.

    While nothing arrives, nobody is known to be absent. A verdict speaks for itself.
    """
    if not isinstance(question, Absence | FutureAggregate):
        return now
    recent = _latest(tables.between(now - LOOKED_BACK, now), question)
    latest = recent if recent is not None else _latest(tables.between(None, now), question)
    return EPOCH if latest is None else EPOCH + timedelta(microseconds=latest)


def _latest(tables: Tables, question: Absence | FutureAggregate) -> int | None:
    """The time of the last event in microseconds; data skipping leaves old files unread."""
    source = question.source
    found: int | None = tables.rows(source).agg(F.max(F.unix_micros(source.event_time))).collect()[0][0]
    return found
