"""The waiting side of :class:`DeltaCommitSensor`."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_orchestration.plugins.hooks.delta import from_json, has_new, latest_commits, to_json
from tidemill.config.settings import load_settings


class DeltaCommitTrigger(BaseTrigger):  # type: ignore[misc]
    """Fires ``{"commits": {...}}`` when ``tables`` have a commit that ``handled`` lacks.

    ``poke_interval`` is in seconds. At ``deadline``, seconds since the epoch, so that a restart of the triggerer does
    not move it, it fires ``{"commits": None}``.
    """

    def __init__(
        self, tables: Sequence[str], handled: Mapping[str, Mapping[str, Any]], poke_interval: float, deadline: float
    ) -> None:
        super().__init__()
        self.tables = tuple(tables)
        self.handled = handled
        self.poke_interval = poke_interval
        self.deadline = deadline

    def serialize(self) -> tuple[str, dict[str, Any]]:
        arguments = {
            "tables": list(self.tables),
            "handled": self.handled,
            "poke_interval": self.poke_interval,
            "deadline": self.deadline,
        }
        return f"{type(self).__module__}.{type(self).__qualname__}", arguments

    async def run(self) -> AsyncIterator[TriggerEvent]:
        settings, handled = load_settings(), from_json(self.handled)
        while True:
            latest = await asyncio.to_thread(latest_commits, settings, self.tables)
            if has_new(latest, handled):
                yield TriggerEvent({"commits": to_json(latest)})
                return
            if time.time() >= self.deadline:
                yield TriggerEvent({"commits": None})
                return
            await asyncio.sleep(self.poke_interval)
