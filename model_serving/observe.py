"""What every request gets: an id, a place in the metrics, a line in the log."""

import asyncio
import logging
import time

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from model_serving import metrics
from tidemill.web.logs import current_request_id
from tidemill.web.problems import problem, response
from tidemill.web.request_id import accepted_request_id

logger = logging.getLogger(__name__)
STOPPING = "the server stops, and this request did not end in the time it had left"
QUIET_ROUTES = frozenset({"/healthz", "/readyz", "/metrics"})


class Observe:
    """Sets the request's id (``X-Request-ID`` when it is a valid one), answers with it, counts, times and logs."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        request_id = accepted_request_id(Headers(scope=scope).get("x-request-id"))
        state = scope.setdefault("state", {})
        state["request_id"], state["arrived_at"] = request_id, started
        current_request_id.set(request_id)
        status = 0

        async def observed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)["x-request-id"] = request_id
            await send(message)

        metrics.in_flight.inc()
        try:
            await self._app(scope, receive, observed)
        except asyncio.CancelledError:
            if not status:
                await response(problem(503, STOPPING, request_id), {"connection": "close"})(scope, receive, observed)
            raise
        finally:
            metrics.in_flight.dec()
            _record(scope, status or 500, time.perf_counter() - started)


def _record(scope: Scope, status: int, seconds: float) -> None:
    method, route = metrics.route_labels(scope)
    metrics.requests.labels(method, route, str(status)).inc()
    metrics.request_seconds.labels(route).observe(seconds)
    level = logging.DEBUG if route in QUIET_ROUTES and status < 400 else logging.INFO
    if logger.isEnabledFor(level):
        extra = {"method": method, "path": scope["path"][:200], "status": status, "ms": round(seconds * 1000, 3)}
        logger.log(level, "request", extra=extra)
