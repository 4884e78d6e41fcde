"""Bodies as the HTTP server hands them on, piece by piece."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from ingestion_layer.http.body import BodyReader, ClientLeftError
from ingestion_layer.http.refusal import RefusedError
from ingestion_layer.http.room import OVERHEAD_BYTES, Room

Receive = Callable[[], Awaitable[dict[str, Any]]]


def receiving(*pieces: bytes, is_left: bool = False, is_silent: bool = False) -> Receive:
    """What an ASGI server gives for these pieces; after them the client leaves or falls silent, if it does."""
    ends = not (is_left or is_silent)
    messages = [
        {"type": "http.request", "body": piece, "more_body": not ends or number + 1 < len(pieces)}
        for number, piece in enumerate(pieces)
    ]

    async def receive() -> dict[str, Any]:
        if messages:
            return messages.pop(0)
        if is_left:
            return {"type": "http.disconnect"}
        return await asyncio.Event().wait()  # type: ignore[return-value]

    return receive


def read(receive: Receive, room: Room, declared: int | None = None, timeout_s: float = 60) -> bytes:
    headers = {} if declared is None else {b"content-length": b"%d" % declared}
    reader = BodyReader(10, timeout_s)
    return asyncio.run(reader.read(headers, receive, room.reservation()))  # type: ignore[arg-type]


@pytest.mark.parametrize("declared", [6, None])
def test_a_body_is_read_whole_and_held(declared: int | None) -> None:
    room = Room(10_000)
    assert read(receiving(b"abc", b"", b"def"), room, declared) == b"abcdef"
    assert room.used == OVERHEAD_BYTES + 6


@pytest.mark.parametrize(
    ("pieces", "declared", "status"),
    [
        pytest.param([b"a" * 11], None, 413, id="too large"),
        pytest.param([b"a" * 6, b"a" * 5], None, 413, id="too large in pieces"),
        pytest.param([], 11, 413, id="said to be too large"),
        pytest.param([], 9, 429, id="said to be larger than the room"),
        pytest.param([b"a" * 4, b"a" * 5], None, 429, id="larger than the room in pieces"),
    ],
)
def test_a_body_that_is_not_taken_is_refused_before_it_is_all_there(
    pieces: list[bytes], declared: int | None, status: int
) -> None:
    with pytest.raises(RefusedError) as caught:
        read(receiving(*pieces, is_silent=True), Room(OVERHEAD_BYTES + 8), declared)
    assert caught.value.status == status
    assert (b"connection", b"close") in caught.value.headers


def test_a_body_that_does_not_arrive_is_refused() -> None:
    with pytest.raises(RefusedError, match=r"did not arrive within 0\.01 s") as caught:
        read(receiving(b"abc", is_silent=True), Room(10_000), timeout_s=0.01)
    assert caught.value.status == 408


def test_nobody_is_answered_who_has_left() -> None:
    with pytest.raises(ClientLeftError):
        read(receiving(b"abc", is_left=True), Room(10_000))


def test_what_is_released_twice_is_given_back_once() -> None:
    room = Room(10_000)
    reservations = [room.reservation(), room.reservation()]
    for reservation in reservations:
        reservation.grow(100)
    reservations[0].release()
    reservations[0].release()
    assert room.used == OVERHEAD_BYTES + 100
