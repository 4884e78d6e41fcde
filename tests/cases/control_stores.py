"""What tests of the control store share: asks, and a clock that is set by hand."""

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from monitoring.control import Ask, Limits, ModelRef, RetrainRequest, Source, Suppressed

HOUR = timedelta(hours=1)
NO_LIMITS = Limits(cool_down=timedelta(), per_day=1_000_000)


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
