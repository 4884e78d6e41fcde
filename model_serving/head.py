"""HEAD on whatever answers GET: load balancers ask so whether a server is alive."""

from collections.abc import Callable
from typing import Any

from fastapi import APIRouter


class ReadRouter(APIRouter):
    """A router whose GET routes answer HEAD too, with the same status and header; the HTTP server omits the body.

    HTTP says so of every GET (RFC 9110, 9.1), so that the API's description does not.
    """

    def add_api_route(
        self,
        path: str,
        endpoint: Callable[..., Any],
        *,
        methods: set[str] | list[str] | None = None,
        include_in_schema: bool = True,
        **options: Any,
    ) -> None:
        super().add_api_route(path, endpoint, methods=methods, include_in_schema=include_in_schema, **options)
        if methods is None or "GET" in methods:
            super().add_api_route(path, endpoint, methods=["HEAD"], include_in_schema=False, **options)
