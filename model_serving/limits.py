"""What a body may cost before anything looks at it."""

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from model_serving.problems import ProblemError
from tidemill.web.body import LateBodyError, in_time

BODY_TIMEOUT_S = 30.0
# Without closing, the server would read the rest of the body to reach the next request.
CLOSE = {"connection": "close"}


class BodyLimit:
    """Refuses a body above ``max_bytes`` with 413: by its Content-Length, else as soon as that many bytes came.

    One that has not come after ``timeout_s`` is 408.
    """

    def __init__(self, app: ASGIApp, max_bytes: int, timeout_s: float) -> None:
        self._app = app
        self._max_bytes = max_bytes
        self._timeout_s = timeout_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        declared = Headers(scope=scope).get("content-length", "")
        is_too_large = declared.isdecimal() and int(declared[:20]) > self._max_bytes
        received = 0
        received_in_time = in_time(receive, self._timeout_s)

        async def counted() -> Message:
            nonlocal received
            if is_too_large:
                raise self._refusal()
            try:
                message = await received_in_time()
            except LateBodyError as error:
                raise ProblemError(408, str(error), headers=CLOSE) from None
            received += len(message.get("body", b""))
            if received > self._max_bytes:
                raise self._refusal()
            return message

        await self._app(scope, counted, send)

    def _refusal(self) -> ProblemError:
        return ProblemError(413, f"the body is larger than {self._max_bytes} bytes", headers=CLOSE)
