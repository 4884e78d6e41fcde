"""A server without a broker: what would be sent is kept, and acknowledged when the test says so."""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

import httpx

from ingestion_layer.http.app import Application
from ingestion_layer.http.refusal import RefusedError
from ingestion_layer.http.server import Server
from tidemill.config import load_settings
from tidemill.contracts.checker import Message


class PlayedSender:
    """Stands in for the producer, whose own behaviour is tested on the real broker."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, Message]] = []
        self.acknowledged = asyncio.Event()
        self.acknowledged.set()
        self.refusal: RefusedError | None = None
        self.largest = 10**9

    def check_sizes(self, messages: Sequence[Message]) -> None:
        if any(len(message.value) > self.largest for message in messages):
            raise RefusedError(413, "too large")

    async def send(self, topic: str, messages: Sequence[Message], on_end: Callable[[], None]) -> None:
        self.sent += [(topic, message) for message in messages]
        await self.acknowledged.wait()
        on_end()
        if self.refusal is not None:
            raise self.refusal


def played_server(home: Path, **events: str) -> tuple[Server, PlayedSender]:
    """The server of these settings of ``events``, its topics there."""
    variables = {f"TIDEMILL_EVENTS__{name.upper()}": value for name, value in events.items()}
    server = Server(load_settings({"TIDEMILL_HOME": str(home), **variables}))
    sender = PlayedSender()
    server.sender = sender  # type: ignore[assignment]
    server.watch.has_topics = True
    server.receipts.prepare()
    return server, sender


def client_of(server: Server) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(Application(server))
    return httpx.AsyncClient(transport=transport, base_url="http://events")
