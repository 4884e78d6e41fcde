from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.ingestion_layer.http.event_server import EventServer, serving
from tidemill.config import Settings


@pytest.fixture(scope="module")
def server(settings: Settings, kafka: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[EventServer]:
    """A server beside the shared broker, which one web page may use."""
    events = settings.events.model_copy(
        update={"allowed_origins": ["https://shop.example"], "max_body_bytes": 100_000, "queue_mb": 1}
    )
    log: Path = tmp_path_factory.mktemp("events") / "events.log"
    with serving(settings.model_copy(update={"events": events}), log) as running:
        yield running
