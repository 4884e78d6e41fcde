"""Error answers: RFC 9457 problem details, never a stack trace."""

import http
from collections.abc import Sequence

import orjson
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

MEDIA_TYPE = "application/problem+json"

_KINDS = {
    400: "bad-request",
    404: "not-found",
    405: "method-not-allowed",
    408: "too-slow",
    413: "body-too-large",
    415: "unsupported-media-type",
    422: "malformed",
    429: "too-many",
    500: "internal",
    503: "unavailable",
}


class FieldProblem(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    field: str = Field(description="a JSON pointer into the body, or the part of the request")
    message: str


class Problem(BaseModel):
    """RFC 9457 problem details."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: str = Field(description="a URN that names the kind of problem")
    title: str
    status: int
    detail: str
    request_id: str
    errors: list[FieldProblem] = Field(default_factory=list, description="the fields at fault")


def kind(status: int) -> str:
    """The URN of the kind of problem that is answered with ``status``."""
    return f"urn:tidemill:problem:{_KINDS.get(status, 'other')}"


def problem(status: int, detail: str, request_id: str, errors: Sequence[FieldProblem] = ()) -> Problem:
    return Problem(
        type=kind(status),
        title=http.HTTPStatus(status).phrase,
        status=status,
        detail=detail,
        request_id=request_id,
        errors=list(errors),
    )


def response(found: Problem, headers: dict[str, str] | None = None) -> Response:
    body = orjson.dumps(found.model_dump(mode="json"))
    return Response(body, found.status, {**(headers or {}), "x-request-id": found.request_id}, MEDIA_TYPE)


def encoded(answer: Response) -> bytes:
    """``answer`` as HTTP/1.1 writes it, for a request that reached no application."""
    phrase = http.HTTPStatus(answer.status_code).phrase
    header = b"".join(name + b": " + value + b"\r\n" for name, value in answer.raw_headers)
    return f"HTTP/1.1 {answer.status_code} {phrase}\r\n".encode() + header + b"\r\n" + bytes(answer.body)
