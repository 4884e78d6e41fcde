"""Reading a body: no larger than allowed, within a time, and only if there is room for it."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from starlette.types import Receive

from ingestion_layer.http.refusal import CLOSE, RefusedError
from ingestion_layer.http.room import Reservation

Headers = Mapping[bytes, bytes]


class ClientLeftError(Exception):
    """Nobody waits for an answer any more."""


@dataclass(frozen=True)
class BodyReader:
    max_bytes: int
    timeout_s: float

    async def read(self, headers: Headers, receive: Receive, reservation: Reservation) -> bytes:
        """The whole body; ``reservation`` holds its size.

        Raises:
            RefusedError: 413 it is too large, 408 it does not arrive, 415 it is compressed, 429 there is no room.
            ClientLeftError: the connection was closed before its end.
        """
        check_plain(headers)
        declared = headers.get(b"content-length", b"")
        size = int(declared[:20]) if declared.isdigit() else None
        if size is not None:
            self._check_size(size)
            reservation.grow(size)
        try:
            async with asyncio.timeout(self.timeout_s):
                return await self._chunks(receive, reservation if size is None else None)
        except TimeoutError:
            detail = f"the body did not arrive within {self.timeout_s:g} s"
            raise RefusedError(408, detail, headers=CLOSE) from None

    async def _chunks(self, receive: Receive, reservation: Reservation | None) -> bytes:
        chunks, received, more = [], 0, True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ClientLeftError
            chunk = message.get("body", b"")
            received += len(chunk)
            self._check_size(received)
            if reservation is not None:
                reservation.grow(len(chunk))
            chunks.append(chunk)
            more = message.get("more_body", False)
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    def _check_size(self, size: int) -> None:
        if size > self.max_bytes:
            detail = f"the body is larger than {self.max_bytes:,} bytes: send smaller batches"
            raise RefusedError(413, detail, headers=CLOSE)


def check_plain(headers: Headers) -> None:
    """Raises RefusedError: 415, the body is packed."""
    coding = headers.get(b"content-encoding", b"identity").strip().lower()
    if coding not in (b"identity", b""):
        detail = f"Content-Encoding: {coding.decode('latin-1')[:64]} is not taken: send the body as it is"
        raise RefusedError(415, detail, headers=((b"accept-encoding", b"identity"), *CLOSE))
