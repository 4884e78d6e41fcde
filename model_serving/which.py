"""Which model answered a request, as the log in the lake has it."""

from dataclasses import dataclass
from datetime import date, datetime

import duckdb
from deltalake import DeltaTable

from data_lake import arrow
from data_lake.delta_rs import MissingTableError, open_table
from data_lake.tables import silver
from model_serving.prediction_events import TOPIC
from model_serving.schemas import Arm
from tidemill.config.errors import TerminalError
from tidemill.config.settings import Settings

MOST = 1_000
"""What the largest request has by default; an id that was given to more of them is told in part."""
SINCE_ARMS = ("arm", "epoch", "challenger_failed")
"""Columns that a table of before there were two arms does not have."""


class NotLoggedError(TerminalError):
    """No row of the log has this request."""


@dataclass(frozen=True)
class LoggedBy:
    """Who gave one prediction; ``epoch`` is None where no traffic was ever set, a ``shadow`` answered nobody."""

    at: datetime
    use_case: str
    entity_id: str
    arm: str
    model_version: str
    model_run_id: str | None
    model_id: str | None
    epoch: int | None
    challenger_failed: bool
    decision: str


def answered_by(settings: Settings, request_id: str, day: date | None = None) -> list[LoggedBy]:
    """The predictions of a request, at most ``MOST``, the first first; with a ``day`` (UTC) only its month is read.

    Raises:
        NotLoggedError: the log does not have it.
    """
    where = f" on {day}" if day else ""
    missing = (
        f"request {request_id!r} is not in the log{where}: an answer comes there some seconds after it was given, "
        "while the stream runs (`tidemill status`)"
    )
    try:
        delta = open_table(silver(TOPIC), settings)
    except MissingTableError as error:
        raise NotLoggedError(missing) from error
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.register("log", arrow.source(delta))
        rows = connection.execute(_query(delta, day), [request_id, *_days(day), MOST]).fetchall()
    if not rows:
        raise NotLoggedError(missing)
    return [LoggedBy(*row) for row in rows]


def _query(log: DeltaTable, day: date | None) -> str:
    there = {field.name for field in log.schema().fields}
    arm, epoch, failed = (name if name in there else "NULL" for name in SINCE_ARMS)
    of_day = "AND event_month = ? AND event_date = ?" if day else ""
    return f"""
        SELECT event_time, use_case, entity_id, coalesce({arm}, '{Arm.CHAMPION}'), model_version, model_run_id,
            model_id, {epoch}, coalesce({failed}, false), decision
        FROM log
        WHERE request_id = ? {of_day}
        ORDER BY event_time, 4, entity_id
        LIMIT ?
    """  # noqa: S608 - constants of this project


def _days(day: date | None) -> list[object]:
    return [f"{day:%Y-%m}", day] if day else []
