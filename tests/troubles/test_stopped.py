"""A process that was stopped, as a debugger or a full machine does, neither ends nor works: who asks is told so."""

import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest

from airflow_orchestration.stream_health import UNWATCHED_AFTER_S, StreamUnhealthyError, judge
from tests.troubles.stack import Stack, click
from tidemill.stack.folders import Folders
from tidemill.stack.services.stream import SILENT_AFTER_S
from tidemill.stack.stream.progress import exposition, looked_at
from tidemill.stack.supervision.daemon import service_record

pytestmark = pytest.mark.attack


@pytest.fixture
def frozen_jvm(stack: Stack) -> Iterator[int]:
    """The streaming application's JVM, stopped; its Python process goes on."""
    record = service_record(Folders.of(stack.settings), "stream")
    assert record is not None
    os.kill(record.pid, signal.SIGSTOP)
    try:
        yield record.pid
    finally:
        os.kill(record.pid, signal.SIGCONT)


def stream(stack: Stack) -> dict[str, Any]:
    services: list[dict[str, Any]] = stack.json("status")["services"]
    return next(service for service in services if service["name"] == "stream")


def test_a_stopped_jvm_is_not_ready_after_a_minute_and_works_again_when_it_goes_on(
    stack: Stack, frozen_jvm: int
) -> None:
    answered = looked_at(exposition(stack.settings))
    assert answered is not None
    stack.wait(lambda: stream(stack)["state"] != "ready", "status says that the stream does not do its work")
    found = stream(stack)
    assert found["pid"] == frozen_jvm
    assert found["state"] in {"unready", "starting"}  # by how long it has been running
    assert "its JVM has not answered for" in found["reason"]

    page = exposition(stack.settings)  # its Python process serves what it last heard, and when
    heard = looked_at(page)
    assert heard is not None
    assert heard - answered < SILENT_AFTER_S
    judge(page, heard + UNWATCHED_AFTER_S - 1)
    with pytest.raises(StreamUnhealthyError, match="the application has not looked at its queries for 600 s"):
        judge(page, heard + UNWATCHED_AFTER_S)

    os.kill(frozen_jvm, signal.SIGCONT)
    stack.wait(lambda: stream(stack)["state"] == "ready", "the stream does its work again")
    assert stream(stack)["pid"] == frozen_jvm
    stack.produce("shop.click.v1", [click("thawed", "s-thawed")])
    stack.wait_for_rows("select count(*) from silver.clicks where session_id = 's-thawed'", [(1,)])
