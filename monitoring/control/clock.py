"""The time that the store goes by: its database's, so that hosts whose clocks differ agree on who is late.

No clock is trusted with more than that. Order comes from numbers that the database counts up, and a lease's safety
from its token; a clock that jumps makes something happen earlier or later, never twice.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, DateTime, Dialect, select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator

Clock = Callable[[Connection], datetime]


class UtcTime(TypeDecorator[datetime]):
    """A time in UTC, also where the database keeps no time zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)


class _Now(FunctionElement[datetime]):
    """This moment: ``CURRENT_TIMESTAMP`` is a transaction's begin in one database, and whole seconds in the other."""

    type = UtcTime()
    inherit_cache = True


@compiles(_Now, "postgresql")
def _postgresql_now(_element: _Now, _compiler: SQLCompiler, **_: Any) -> str:
    return "clock_timestamp()"


@compiles(_Now, "sqlite")
def _sqlite_now(_element: _Now, _compiler: SQLCompiler, **_: Any) -> str:
    return "strftime('%Y-%m-%d %H:%M:%f', 'now')"


def database_clock(connection: Connection) -> datetime:
    """What the clock of the database says now."""
    now: datetime = connection.execute(select(_Now())).scalar_one()
    return now
