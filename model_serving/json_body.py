"""Bodies that are JSON, and nothing else."""

from collections.abc import Callable, Coroutine
from typing import Any

import orjson
from fastapi import Request
from fastapi.routing import APIRoute
from starlette.datastructures import Headers
from starlette.responses import Response

from model_serving.problems import ProblemError


class StrictJsonRequest(Request):
    async def json(self) -> Any:
        """The body by orjson: no NaN, no lone surrogates, bounded nesting; an error says at which byte."""
        if not hasattr(self, "_json"):
            self._json = orjson.loads(await self.body())
        return self._json


class JsonRoute(APIRoute):
    """A route whose body must be JSON, be called JSON, and come as it is."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handle_json(request: Request) -> Response:
            _check_body_is_json(request.headers)
            return await handle(StrictJsonRequest(request.scope, request.receive))

        return handle_json


def _check_body_is_json(headers: Headers) -> None:
    media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise ProblemError(415, "the body must have Content-Type: application/json")
    codings = {coding.strip().lower() for line in headers.getlist("content-encoding") for coding in line.split(",")}
    if unknown := sorted(codings - {"", "identity"}):
        detail = f"Content-Encoding: {', '.join(unknown)[:64]} is not taken: send the body as it is"
        raise ProblemError(415, detail, headers={"accept-encoding": "identity"})
