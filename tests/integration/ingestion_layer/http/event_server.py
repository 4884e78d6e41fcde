"""The server as a process of its own, and what it left on the topics."""

import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import orjson

from ingestion_layer.kafka.offsets import topic_offsets
from ingestion_layer.kafka.reading import range_reader
from tests.cases.waiting import eventually
from tidemill.config import Settings
from tidemill.config.environment import process_environment, settings_environment

TOPIC = "shop.click.v1"
STRUCTURED = {"content-type": "application/cloudevents+json"}
BATCH = {"content-type": "application/cloudevents-batch+json"}


class EventServer:
    """Started when made; ``client`` talks to it."""

    def __init__(self, settings: Settings, log: Path) -> None:
        self.settings = settings
        self.log = log
        self.client = httpx.Client(base_url=settings.events.url, timeout=60)
        environment = process_environment(settings, os.environ) | settings_environment(settings)
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "ingestion_layer.http"], env=environment, stdout=output, stderr=output
            )

    def is_ready(self) -> bool:
        assert self.process.poll() is None, self.log.read_text(encoding="utf-8")[-2000:]
        try:
            return self.client.get("/readyz").status_code == httpx.codes.OK
        except httpx.TransportError:
            return False

    def stop(self) -> None:
        self.client.close()
        self.process.terminate()
        self.process.wait(60)


@contextmanager
def serving(settings: Settings, log: Path) -> Iterator[EventServer]:
    """A server that is ready, and stopped at the end."""
    server = EventServer(settings, log)
    try:
        eventually(server.is_ready, "a ready server")
        yield server
    finally:
        server.stop()


def click(**changes: Any) -> dict[str, Any]:
    """A valid event with an id that no other has."""
    return {
        "specversion": "1.0",
        "id": str(uuid.uuid4()),
        "source": "urn:example:tests",
        "type": TOPIC,
        "time": "2026-11-27T10:00:00Z",
        "data": {"session_id": "s-1", "kind": "view", "page": "/p/1", "device": "mobile"},
        **changes,
    }


def values(settings: Settings, topic: str = TOPIC) -> list[bytes]:
    """Every message of ``topic``."""
    with range_reader(settings, topic) as reader:
        return [
            message.value() or b""
            for partition, offsets in topic_offsets(settings, topic).items()
            for message in reader.messages(partition, offsets.low, offsets.end)
        ]


def events_on(settings: Settings, topic: str = TOPIC) -> list[dict[str, Any]]:
    """Every event of ``topic``, as often as it is there; other tests leave messages that are no events."""
    return [event for value in values(settings, topic) if (event := _event(value)) is not None]


def ids(settings: Settings, topic: str = TOPIC) -> list[str]:
    """The id of each of the events."""
    return [event["id"] for event in events_on(settings, topic)]


def _event(value: bytes) -> dict[str, Any] | None:
    try:
        decoded = orjson.loads(value)
    except orjson.JSONDecodeError:
        return None
    return decoded if isinstance(decoded, dict) and "id" in decoded else None
