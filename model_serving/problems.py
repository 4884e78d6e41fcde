"""What FastAPI calls an error, as problem details."""

from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from tidemill.web.problems import FieldProblem, problem, response

MAX_FIELDS = 20


class ProblemError(HTTPException):
    """An error with the fields at fault."""

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        errors: Sequence[FieldProblem] = (),
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(status, detail, headers)
        self.errors = list(errors)


def install(app: FastAPI) -> None:
    """Answer every error of ``app`` with problem details."""
    app.add_exception_handler(HTTPException, _on_http_error)
    app.add_exception_handler(RequestValidationError, _on_validation_error)
    app.add_exception_handler(Exception, _on_crash)


def request_id_of(request: Request) -> str:
    return str(request.scope["state"]["request_id"])


def _on_http_error(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    found = problem(error.status_code, error.detail, request_id_of(request), getattr(error, "errors", ()))
    return response(found, dict(error.headers or {}))


def _on_validation_error(request: Request, error: Exception) -> Response:
    if not isinstance(error, RequestValidationError):
        raise error
    errors = [_field_problem(item) for item in error.errors()[:MAX_FIELDS]]
    first = f"{errors[0].field or 'body'}: {errors[0].message}"
    return response(problem(422, first, request_id_of(request), errors))


def _field_problem(error: dict[str, Any]) -> FieldProblem:
    part, *path = error["loc"]
    if error["type"] == "json_invalid":
        return FieldProblem(field="", message=f"not valid JSON at byte {path[0]}: {error['ctx']['error']}")
    pointer = "".join(f"/{str(step).replace('~', '~0').replace('/', '~1')}" for step in path)
    return FieldProblem(field=(pointer if part == "body" else f"{part}{pointer}")[:200], message=error["msg"])


def _on_crash(request: Request, _: Exception) -> Response:
    detail = "The server failed to answer; its log has the reason under this request_id."
    return response(problem(500, detail, request_id_of(request)))
