"""The shared query of bronze and whom it tells of trouble, without Spark."""

import threading
from types import SimpleNamespace
from typing import Any

import pytest

from stream_processing.spark_streaming.bronze import sharing
from stream_processing.spark_streaming.bronze.sharing import SharedBronze
from tests.cases.waiting import eventually

TOPIC = "shop.click.v1"


class Query(SimpleNamespace):
    """A query that waits for messages."""

    name, isActive, lastProgress = "bronze", True, None  # noqa: N815
    status = {"message": "Waiting for data to arrive", "isTriggerActive": False}  # noqa: RUF012

    def stop(self) -> None:
        self.isActive = False


def test_old_runs_that_cannot_be_removed_are_each_topics_trouble_and_it_goes_on_when_they_can(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    refusals = [OSError("503 Slow Down")]

    def remove(*_: Any) -> None:
        if refusals:
            raise refusals.pop()

    monkeypatch.setattr(sharing, "remove", remove)
    monkeypatch.setattr(sharing, "checkpoint", lambda *_: "")
    monkeypatch.setattr(sharing, "prepare", lambda *_: None)
    monkeypatch.setattr(sharing, "Landing", lambda *_: SimpleNamespace(start=Query))
    stop, nothing = threading.Event(), SimpleNamespace()
    bronze = SharedBronze(nothing, nothing, stop, lambda _: None)  # type: ignore[arg-type]
    thread = threading.Thread(target=bronze.run)
    thread.start()
    try:
        first = bronze.start(TOPIC)
        eventually(lambda: not first.isActive, "the topic is not told")
        assert str(first.exception()) == "503 Slow Down"
        again = bronze.start(TOPIC)  # as who keeps it running does
        eventually(lambda: again.status["message"] != "", "it does not run")
        assert again.isActive
    finally:
        stop.set()
        thread.join()
