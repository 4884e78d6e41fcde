"""The ASGI application. It knows six paths, and a framework's routing would cost more than what is done behind them."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping

from starlette.types import Receive, Scope, Send

from ingestion_layer.http import metrics
from ingestion_layer.http.answer import Answer, json_answer, refusal_answer
from ingestion_layer.http.body import ClientLeftError
from ingestion_layer.http.receiving import receive_events, receive_lines
from ingestion_layer.http.refusal import CLOSE, RefusedError
from ingestion_layer.http.server import Server
from tidemill.web.logs import current_request_id
from tidemill.web.request_id import accepted_request_id

STOPPING = "the server stops, and this request did not end in the time it had left: send it again"
CRASHED = "The server failed to answer; its log has the reason under this request_id."
READS = ("GET", "HEAD")

Head = Mapping[bytes, bytes]
Handler = Callable[[Server, str, Scope, Receive], Awaitable[Answer]]
RECEIVING: Mapping[str, Handler] = {"events": receive_events, "batches": receive_lines}

logger = logging.getLogger(__name__)


class Application:
    """Routes, and what every request gets: an id, a place in the metrics, and when it is refused a line in the log."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._reading: Mapping[str, Callable[[], Answer]] = {
            "/healthz": lambda: json_answer(200, {"status": "alive"}),
            "/readyz": self._readyz,
            "/metrics": lambda: Answer(200, metrics.exposition(), metrics.CONTENT_TYPE.encode()),
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            await self._serve(scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        try:
            self._server.start()
        except Exception as error:
            logger.exception("the server cannot start")
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            return
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self._server.stop()
        await send({"type": "lifespan.shutdown.complete"})

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        headers = dict(scope["headers"])
        request_id = accepted_request_id(headers.get(b"x-request-id", b"").decode("latin-1"))
        current_request_id.set(request_id)
        folder, _, topic = scope["path"][1:].partition("/")
        try:
            answer = await self._answered(folder, topic, scope, receive, headers)
        except RefusedError as refused:
            answer = refusal_answer(refused, request_id)
            _log(scope, refused)
        except ClientLeftError:
            return
        except asyncio.CancelledError:
            stopping = RefusedError(503, STOPPING, retry_after_s=1, headers=CLOSE)
            await refusal_answer(stopping, request_id).send(send, request_id)
            raise
        except Exception:
            logger.exception("request failed")
            answer = refusal_answer(RefusedError(500, CRASHED), request_id)
        await answer.send(send, request_id, self._server.origins.answer_headers(headers))
        self._count(folder, answer.status, time.perf_counter() - started)

    def _count(self, folder: str, status: int, seconds: float) -> None:
        route = folder if folder in RECEIVING or f"/{folder}" in self._reading else "none"
        metrics.requests_of(route, status).inc()
        metrics.seconds_of(route).observe(seconds)

    async def _answered(self, folder: str, topic: str, scope: Scope, receive: Receive, headers: Head) -> Answer:
        handler = RECEIVING.get(folder) if topic else None
        if handler is None:
            return self._read(scope["path"], scope["method"])
        match scope["method"]:
            case "POST":
                return await handler(self._server, topic, scope, receive)
            case "OPTIONS":
                return Answer(204, b"", headers=self._preflight(headers))
        raise _not_allowed(b"POST, OPTIONS")

    def _read(self, path: str, method: str) -> Answer:
        reading = self._reading.get(path)
        if reading is None:
            raise RefusedError(404, "post to /events/{topic} or /batches/{topic}")
        if method not in READS:
            raise _not_allowed(b"GET, HEAD")
        return reading()

    def _preflight(self, headers: Head) -> tuple[tuple[bytes, bytes], ...]:
        """Without what every answer to this origin has."""
        common = self._server.origins.answer_headers(headers)
        return tuple(header for header in self._server.origins.preflight_headers(headers) if header not in common)

    def _readyz(self) -> Answer:
        readiness = self._server.readiness()
        return json_answer(200 if readiness.is_ready else 503, readiness.described())


def _not_allowed(allow: bytes) -> RefusedError:
    return RefusedError(405, f"this path takes {allow.decode()}", headers=((b"allow", allow),))


def _log(scope: Scope, refused: RefusedError) -> None:
    extra = {"method": scope["method"], "path": scope["path"][:200], "status": refused.status, "detail": str(refused)}
    logger.info("refused", extra=extra)
