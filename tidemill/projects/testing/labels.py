"""The label of one entity at one cutoff, from the sentences of ``labels.py``: no engine."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from ml_modeling.use_case import UseCase
from tidemill.config.errors import TerminalError
from tidemill.projects.testing.given import Row, micros

DAY = timedelta(days=1)


class CutoffError(TerminalError):
    """A time that is no cutoff: these are the starts of days."""


def label(use_case: UseCase, rows: Sequence[Row], entity: str, at: datetime) -> int | None:
    """The label of ``entity`` at the cutoff ``at``; None for one that is not asked about.

    Raises:
        CutoffError: ``at`` is not the start of a day (UTC).
    """
    if micros(at) % (DAY // timedelta(microseconds=1)):
        raise CutoffError(f"{at.isoformat()} is no cutoff: labels are of the starts of days, in UTC")
    asked = use_case.label
    counted = [
        row.time
        for row in rows
        if row.contract.topic == asked.source
        and str(row.values[asked.entity_column]) == entity
        and all(row.values[column] == value for column, value in asked.event.items())
    ]
    first, end = micros(at - asked.active), micros(at + asked.horizon)
    if not any(first <= time < micros(at) for time in counted):
        return None
    came_again = any(micros(at) <= time < end for time in counted)
    return asked.event_means if came_again else 1 - asked.event_means
