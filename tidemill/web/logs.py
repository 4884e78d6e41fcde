"""Structured logs: one JSON object a line on stderr, with the request they belong to."""

import logging
import sys
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

import orjson

current_request_id: ContextVar[str | None] = ContextVar("current_request_id", default=None)

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "color_message"}


_OF_A_REQUEST = ("Invalid HTTP request received.", "Unsupported upgrade request.", "No supported WebSocket library")
"""What uvicorn says of a request that has a line of its own."""


class JsonFormatter(logging.Formatter):
    """A record as JSON: time, level, logger, message, request_id when there is one, and what ``extra`` holds."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        request_id = current_request_id.get()
        if request_id is not None:
            line["request_id"] = request_id
        line.update((key, value) for key, value in vars(record).items() if key not in _STANDARD)
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return orjson.dumps(line, default=str).decode()


def log_to_stderr(level: int = logging.INFO) -> None:
    """Send every logger of this process, uvicorn's too, through the JSON formatter to stderr.

    All but what uvicorn says of a single request: a request has one line, which this server writes.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = name != "uvicorn.access"
    logging.getLogger("uvicorn.error").addFilter(_is_not_of_a_request)


def _is_not_of_a_request(record: logging.LogRecord) -> bool:
    return not record.getMessage().startswith(_OF_A_REQUEST)
