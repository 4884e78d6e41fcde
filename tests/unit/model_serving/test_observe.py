import asyncio
import json
import re

import pytest
from starlette.types import Message, Receive, Scope, Send

from model_serving.metrics import route_labels
from model_serving.observe import Observe
from tidemill.web.request_id import accepted_request_id


@pytest.mark.parametrize("offered", ["a", "A-1.b_2", "x" * 128])
def test_a_valid_request_id_is_kept(offered: str) -> None:
    assert accepted_request_id(offered) == offered


@pytest.mark.parametrize("offered", [None, "", "x" * 129, "a b", "a\nb", "é", "a/b", "a\x00"])
def test_any_other_request_id_is_replaced_by_a_new_one(offered: str | None) -> None:
    first, second = accepted_request_id(offered), accepted_request_id(offered)

    assert re.fullmatch("[0-9a-f]{32}", first)
    assert first != second


def test_metric_labels_come_from_a_closed_set() -> None:
    assert route_labels({"method": "BREW", "path": "/any/thing"}) == ("other", "none")


def cancelled(*sent_before: Message) -> list[Message]:
    """What a client was sent of a request that is cancelled while it waits, as uvicorn does when its time is over."""
    sent: list[Message] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        for message in sent_before:
            await send(message)
        await asyncio.Event().wait()

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        sent.append(message)

    async def ended() -> None:
        scope = {"type": "http", "method": "GET", "path": "/", "headers": []}
        task = asyncio.create_task(Observe(app)(scope, receive, send))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(ended())
    return sent


def test_a_request_that_the_stop_cuts_off_is_answered_with_a_problem() -> None:
    start, body = cancelled()

    header = dict(start["headers"])
    assert start["status"] == 503
    assert header[b"content-type"] == b"application/problem+json"
    assert json.loads(body["body"])["request_id"] == header[b"x-request-id"].decode()


def test_an_answer_that_has_begun_is_not_begun_again() -> None:
    begun: Message = {"type": "http.response.start", "status": 200, "headers": []}

    assert [message["status"] for message in cancelled(begun)] == [200]
