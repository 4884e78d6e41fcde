"""Requests through the application, its broker played: what is answered, and what is never sent."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx
import orjson
import pytest

from ingestion_layer.http.refusal import RefusedError
from ingestion_layer.http.server import Server
from tests.unit.ingestion_layer.http.played import PlayedSender, client_of, played_server
from tests.unit.ingestion_layer.http.requests import CLICK, TOPIC
from tidemill.config.errors import ConfigError

STRUCTURED = {"content-type": "application/cloudevents+json"}

Talk = Callable[[httpx.AsyncClient, Server, PlayedSender], Awaitable[None]]


def talk(home: Path, conversation: Talk, **events: str) -> None:
    async def run() -> None:
        server, sender = played_server(home, **events)
        async with client_of(server) as client:
            await conversation(client, server, sender)
        assert server.room.used == 0

    asyncio.run(run())


async def post(client: httpx.AsyncClient, event: object = CLICK) -> httpx.Response:
    return await client.post(f"/events/{TOPIC}", content=orjson.dumps(event), headers=STRUCTURED)


def test_an_event_is_answered_after_its_acknowledgement_and_not_before(tmp_path: Path) -> None:
    async def conversation(client: httpx.AsyncClient, server: Server, sender: PlayedSender) -> None:
        sender.acknowledged.clear()
        asked = asyncio.create_task(post(client))
        while not sender.sent:
            await asyncio.sleep(0)
        for _ in range(10):
            await asyncio.sleep(0)
        assert not asked.done()
        sender.acknowledged.set()
        assert (await asked).status_code == 202

    talk(tmp_path, conversation)


def test_a_full_queue_is_answered_at_once_with_when_to_come_again(tmp_path: Path) -> None:
    async def conversation(client: httpx.AsyncClient, server: Server, sender: PlayedSender) -> None:
        sender.acknowledged.clear()
        large = CLICK | {"note": "a" * 300_000}
        asked = [asyncio.create_task(post(client, large)) for _ in range(3)]
        while len(sender.sent) < 3:
            await asyncio.sleep(0)
        refused = await post(client, large)
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
        assert len(sender.sent) == 3
        assert (await post(client, CLICK | {"id": ""})).status_code == 422  # a small one has room
        sender.acknowledged.set()
        assert [answer.status_code for answer in await asyncio.gather(*asked)] == [202] * 3
        assert (await post(client, large)).status_code == 202

    talk(tmp_path, conversation, max_body_bytes="400000", queue_mb="1")


def test_what_the_broker_did_not_acknowledge_is_answered_503(tmp_path: Path) -> None:
    async def conversation(client: httpx.AsyncClient, server: Server, sender: PlayedSender) -> None:
        sender.refusal = RefusedError(503, "no answer", retry_after_s=5)
        answer = await post(client)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
        assert answer.json()["type"] == "urn:tidemill:problem:unavailable"

    talk(tmp_path, conversation)


def test_before_the_topics_are_there_nothing_is_taken(tmp_path: Path) -> None:
    async def conversation(client: httpx.AsyncClient, server: Server, sender: PlayedSender) -> None:
        server.watch.has_topics = False
        answer = await post(client)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
        assert sender.sent == []

    talk(tmp_path, conversation)


def test_a_crash_is_a_problem_with_an_id_that_the_log_has(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def conversation(client: httpx.AsyncClient, server: Server, sender: PlayedSender) -> None:
        sender.acknowledged = None  # type: ignore[assignment]
        answer = await client.post(f"/events/{TOPIC}", content=orjson.dumps(CLICK), headers=STRUCTURED)
        assert answer.status_code == 500
        assert answer.json()["request_id"] == answer.headers["x-request-id"]
        assert "NoneType" not in answer.text
        assert "request failed" in caplog.text
        server.room.used = 0  # whose end the broken sender never told

    talk(tmp_path, conversation)


@pytest.mark.parametrize("given", ["till-17.1", None, "a b", "x" * 129])
def test_an_answer_has_the_id_of_the_request_or_one_of_its_own(tmp_path: Path, given: str | None) -> None:
    async def conversation(client: httpx.AsyncClient, server: Server, sender: PlayedSender) -> None:
        answer = await client.get("/healthz", headers={} if given is None else {"x-request-id": given})
        answered = answer.headers["x-request-id"]
        assert answered == given if given == "till-17.1" else len(answered) == 32

    talk(tmp_path, conversation)


def test_a_body_that_never_fits_is_a_setting_that_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"events\.max_body_bytes = 1048576 never fits in events\.queue_mb = 1"):
        played_server(tmp_path, max_body_bytes=str(2**20), queue_mb="1")


def test_a_compressed_body_is_refused_with_what_is_taken(tmp_path: Path) -> None:
    async def conversation(client: httpx.AsyncClient, server: Server, sender: PlayedSender) -> None:
        headers = STRUCTURED | {"content-encoding": "gzip"}
        answer = await client.post(f"/events/{TOPIC}", content=b"\x1f\x8b", headers=headers)
        assert (answer.status_code, answer.headers["accept-encoding"]) == (415, "identity")

    talk(tmp_path, conversation)
