"""What lives as long as the server: the producer, the room for requests, the receipts, the look at the broker."""

from dataclasses import dataclass
from typing import Any

from ingestion_layer.http import metrics
from ingestion_layer.http.body import BodyReader
from ingestion_layer.http.broker import BrokerWatch
from ingestion_layer.http.cors import Origins
from ingestion_layer.http.receipts import Receipts
from ingestion_layer.http.refusal import RefusedError
from ingestion_layer.http.room import OVERHEAD_BYTES, Room
from ingestion_layer.http.sender import RETRY_AFTER_S, Sender
from tidemill.config.errors import ConfigError
from tidemill.config.settings import Settings
from tidemill.web.periodic import Periodic

LOOK_S = 2.0
DAY_S = 86_400


@dataclass(frozen=True)
class Readiness:
    is_ready: bool
    dependencies: dict[str, dict[str, str]]

    def described(self) -> dict[str, Any]:
        return {"status": "ready" if self.is_ready else "unavailable", "dependencies": self.dependencies}


class Server:
    """The parts behind the routes; made without touching the network, which :meth:`start` does in the background.

    Raises:
        ConfigError: the largest body would never find room.
    """

    def __init__(self, settings: Settings) -> None:
        events = settings.events
        self.settings = settings
        self.room = Room(events.queue_mb * 2**20)
        if events.max_body_bytes + OVERHEAD_BYTES > self.room.capacity:
            raise ConfigError(
                f"events.max_body_bytes = {events.max_body_bytes} never fits in events.queue_mb = {events.queue_mb}: "
                "make one smaller or the other larger"
            )
        self.reader = BodyReader(events.max_body_bytes, events.body_timeout_s)
        self.origins = Origins(events.allowed_origins)
        self.sender = Sender(settings)
        self.receipts = Receipts(settings.home / "events" / "receipts.db", events.receipt_days * DAY_S)
        self.watch = BrokerWatch(settings)
        self._periodic = Periodic("broker", LOOK_S, self.watch.look)

    def start(self) -> None:
        """Raises sqlite3.Error where the receipts cannot be kept."""
        self.receipts.prepare()
        metrics.held_bytes.set_function(lambda: self.room.used)
        self.sender.start()
        self._periodic.start()

    async def stop(self) -> None:
        """Requests have been answered, or their time is over."""
        await self.sender.stop()
        self._periodic.stop(0)

    def check_has_topics(self) -> None:
        """Raises RefusedError (503) before the broker has ever answered: there may be no topics to send to."""
        if not self.watch.has_topics:
            detail = f"the topics are not there yet ({self.watch.error}): send it again in a moment"
            raise RefusedError(503, detail, retry_after_s=RETRY_AFTER_S)

    def readiness(self) -> Readiness:
        """What the background thread last saw; asking costs nothing."""
        error = self.watch.error
        held = f"{self.room.used:,} of {self.room.capacity:,} bytes held"
        kafka = {"state": "ok", "detail": self.settings.kafka.bootstrap_servers}
        if error is not None:
            kafka = {"state": "unavailable", "detail": error}
        return Readiness(error is None, {"kafka": kafka, "queue": {"state": "ok", "detail": held}})
