import json
import logging
from collections.abc import Iterator

import pytest
import uvicorn

from model_serving.__main__ import options
from tidemill.config import Settings
from tidemill.web.logs import JsonFormatter, current_request_id, log_to_stderr

LOGGERS = (None, "uvicorn", "uvicorn.error", "uvicorn.access")


@pytest.fixture
def logging_kept() -> Iterator[None]:
    """What a test does to the loggers of this process is undone."""
    loggers = [logging.getLogger(name) for name in LOGGERS]
    kept = [(list(logger.handlers), list(logger.filters), logger.level, logger.propagate) for logger in loggers]
    yield
    for logger, (handlers, filters, level, propagate) in zip(loggers, kept, strict=True):
        logger.handlers[:], logger.filters[:], logger.propagate = handlers, filters, propagate
        logger.setLevel(level)


def record(message: str, **extra: object) -> logging.LogRecord:
    return logging.getLogger("tests").makeRecord("tests", logging.INFO, "f", 1, message, (), None, extra=extra)


def test_a_line_is_one_json_object_with_the_request_it_belongs_to() -> None:
    token = current_request_id.set("abc")
    try:
        line = JsonFormatter().format(record("two\nlines", status=200))
    finally:
        current_request_id.reset(token)

    assert "\n" not in line
    found = json.loads(line)
    assert found.pop("time").endswith("+00:00")
    assert found == {
        "level": "info",
        "logger": "tests",
        "message": "two\nlines",
        "request_id": "abc",
        "status": 200,
    }


def test_outside_a_request_there_is_no_request_id() -> None:
    assert "request_id" not in json.loads(JsonFormatter().format(record("start")))


def test_an_exception_is_in_its_line() -> None:
    made = record("failed")
    made.exc_info = (ValueError, ValueError("because"), None)

    assert "ValueError: because" in json.loads(JsonFormatter().format(made))["exception"]


@pytest.mark.parametrize("is_worker", [False, True], ids=["one process", "a worker"])
def test_uvicorn_writes_no_line_of_a_request_beside_the_servers_own(logging_kept: None, is_worker: bool) -> None:
    if not is_worker:
        log_to_stderr()
    uvicorn.Config("model_serving.app:create", **options(Settings()))
    log_to_stderr()  # when uvicorn makes the application

    assert not logging.getLogger("uvicorn.access").hasHandlers()
    said = logging.getLogger("uvicorn.error")
    assert said.hasHandlers()
    assert not said.filter(said.makeRecord("", logging.WARNING, "f", 1, "Invalid HTTP request received.", (), None))
    assert said.filter(said.makeRecord("", logging.INFO, "f", 1, "Started server process [%d]", (1,), None))
