import asyncio
from collections.abc import Iterator

import pytest
from starlette.types import Message

from tidemill.web.body import LateBodyError, in_time

FIRST: Message = {"type": "http.request", "body": b"a", "more_body": True}
LAST: Message = {"type": "http.request", "body": b"b", "more_body": False}
LEFT: Message = {"type": "http.disconnect"}


def received(messages: Iterator[Message | float], timeout_s: float) -> list[Message]:
    """What is handed on of ``messages``; a number among them is how long nothing comes."""

    async def receive() -> Message:
        match next(messages):
            case float(pause_s):
                await asyncio.sleep(pause_s)
                return await receive()
            case message:
                return message

    async def read() -> list[Message]:
        bounded = in_time(receive, timeout_s)
        handed_on = [await bounded()]
        while handed_on[-1] is not LEFT:
            handed_on.append(await bounded())
        return handed_on

    return asyncio.run(read())


def test_what_comes_in_time_is_handed_on() -> None:
    assert received(iter([FIRST, 0.0, LAST, LEFT]), 60.0) == [FIRST, LAST, LEFT]


def test_a_body_whose_parts_each_come_soon_and_whose_end_does_not_is_late() -> None:
    parts: list[Message | float] = [0.03, FIRST] * 10
    with pytest.raises(LateBodyError, match=r"did not arrive within 0\.1 s"):
        received(iter([*parts, LAST, LEFT]), 0.1)


def test_after_its_end_a_client_may_stay() -> None:
    assert received(iter([LAST, 0.2, LEFT]), 0.1) == [LAST, LEFT]
