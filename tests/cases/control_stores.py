"""What tests of the control store share: asks, and a clock that is set by hand."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from monitoring.control import Ask, Limits, ModelRef, RetrainRequest, Source, Suppressed

HOUR = timedelta(hours=1)
NO_LIMITS = Limits(cool_down=timedelta(), per_day=1_000_000, at_once=1_000_000)


class SetClock:
    """Says what it was set to."""

    def __init__(self) -> None:
        self.now = datetime(2026, 3, 1, 12, tzinfo=UTC)

    def __call__(self, _connection: Connection) -> datetime:
        return self.now

    def jump(self, by: timedelta) -> None:
        self.now += by


def ask(**changed: Any) -> Ask:
    values: dict[str, Any] = {
        "use_case": "churn",
        "source": Source.DRIFT,
        "key": "drift",
        "reason": "psi of spend_30d is 0.31",
        "actor": "monitor_churn",
    }
    return Ask(**(values | changed))


def request(asked: RetrainRequest | Suppressed | None) -> RetrainRequest:
    """``asked``, which is a request."""
    assert isinstance(asked, RetrainRequest), asked
    return asked


def model(version: str) -> ModelRef:
    return ModelRef(version, f"run-{version}", f"m-{version}", "c0ffee")


@contextmanager
def locked(file: Path) -> Iterator[None]:
    """SQLite's file in the hands of one who does not let go of it: nobody else reads or writes."""
    with closing(sqlite3.connect(file, isolation_level=None, timeout=60)) as connection:
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")  # one who only writes holds up no readers
        connection.execute("BEGIN EXCLUSIVE")
        yield
