import json
import logging

from model_serving.logs import JsonFormatter, current_request_id


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
