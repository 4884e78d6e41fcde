"""HTTP/1.1 as uvicorn reads it, with a bound on the header, and an answer to what is no request."""

import asyncio
import logging
import uuid
from typing import Any

from uvicorn.config import Config
from uvicorn.server import ServerState

from tidemill.web.problems import encoded, problem, response
from tidemill.web.upgrade import PlainHttpProtocol

MAX_HEADER_BYTES = 65_536
NOT_HTTP = "the bytes that came are not a request in HTTP/1.1"
HEADER_TOO_LARGE = f"the request line and header are larger than {MAX_HEADER_BYTES} bytes"
logger = logging.getLogger(__name__)


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
