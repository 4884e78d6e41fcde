"""The waiting side of :class:`RetrainRequestSensor`."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_orchestration.plugins.hooks.retrain_requests import NoAnswerError, waiting_request
from tidemill.config.settings import Settings, load_settings

log = logging.getLogger(__name__)


class RetrainRequestTrigger(BaseTrigger):  # type: ignore[misc]
    """Fires ``{"request_id": "..."}`` when a request of ``use_case`` is open that nobody holds.

    ``poke_interval`` is in seconds. At ``deadline``, seconds since the epoch, so that a restart of the triggerer does
    not move it, it fires ``{"request_id": None}``. A control store that is away is asked again.
    """

    def __init__(self, use_case: str, poke_interval: float, deadline: float) -> None:
        super().__init__()
        self.use_case = use_case
        self.poke_interval = poke_interval
        self.deadline = deadline

    def serialize(self) -> tuple[str, dict[str, Any]]:
        arguments = {"use_case": self.use_case, "poke_interval": self.poke_interval, "deadline": self.deadline}
        return f"{type(self).__module__}.{type(self).__qualname__}", arguments

    async def run(self) -> AsyncIterator[TriggerEvent]:
        settings = load_settings()
        while True:
            await asyncio.sleep(min(self.poke_interval, max(0.0, self.deadline - time.time())))
            request_id = await self._look(settings)
            if request_id is not None or time.time() >= self.deadline:
                yield TriggerEvent({"request_id": request_id})
                return

    async def _look(self, settings: Settings) -> str | None:
        try:
            return await asyncio.to_thread(waiting_request, settings, self.use_case)
        except NoAnswerError as error:
            log.warning("whether a request of %s waits is not known: %s", self.use_case, error)
            return None
