"""What a request may cost before anything looks at it: the size of its body and of its header."""

import asyncio
import logging
import uuid
from typing import Any

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.config import Config
from uvicorn.server import ServerState

from model_serving.problems import ProblemError, encoded, problem, response
from model_serving.upgrade import PlainHttpProtocol

MAX_HEADER_BYTES = 65_536
NOT_HTTP = "the bytes that came are not a request in HTTP/1.1"
HEADER_TOO_LARGE = f"the request line and header are larger than {MAX_HEADER_BYTES} bytes"
logger = logging.getLogger(__name__)


class BodyLimit:
    """Refuses a body above ``max_bytes`` with 413: by its Content-Length, else as soon as that many bytes came."""

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self._app = app
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        declared = Headers(scope=scope).get("content-length", "")
        is_too_large = declared.isdecimal() and int(declared[:20]) > self._max_bytes
        received = 0

        async def counted() -> Message:
            nonlocal received
            if is_too_large:
                raise self._refusal()
            message = await receive()
            received += len(message.get("body", b""))
            if received > self._max_bytes:
                raise self._refusal()
            return message

        await self._app(scope, counted, send)

    def _refusal(self) -> ProblemError:
        # Without closing, the server would read the rest of the body to reach the next request.
        return ProblemError(413, f"the body is larger than {self._max_bytes} bytes", headers={"connection": "close"})


class HeaderLimitError(Exception):
    """The request line and header are too large."""


class BoundedHttpProtocol(PlainHttpProtocol):
    """uvicorn's httptools protocol, which by itself keeps a header of any size, with a bound (400 above it).

    What cannot be read as a request is answered with problem details, as everything else, and has an id and a line in
    the log.
    """

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._head_bytes = 0
        self._unparsed_bytes = 0

    def data_received(self, data: bytes) -> None:
        self._unparsed_bytes += len(data)
        super().data_received(data)
        if self._unparsed_bytes > MAX_HEADER_BYTES and not self.transport.is_closing():
            self.send_400_response(HEADER_TOO_LARGE)

    def send_400_response(self, msg: str) -> None:
        """Answer what is no request, and close; ``msg`` is uvicorn's sentence for it."""
        is_too_large = msg == HEADER_TOO_LARGE or self._head_bytes > MAX_HEADER_BYTES
        found = problem(400, HEADER_TOO_LARGE if is_too_large else NOT_HTTP, uuid.uuid4().hex)
        logger.info("request", extra={"status": 400, "request_id": found.request_id, "detail": found.detail})
        self.transport.write(encoded(response(found, {"connection": "close"})))
        self.transport.close()

    def on_message_begin(self) -> None:
        self._head_bytes = self._unparsed_bytes = 0
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._count(len(name) + len(value))
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._unparsed_bytes = 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._unparsed_bytes = 0
        super().on_body(body)

    def _count(self, size: int) -> None:
        self._unparsed_bytes = 0
        self._head_bytes += size
        if self._head_bytes > MAX_HEADER_BYTES:
            raise HeaderLimitError
