"""A thread that many queries share ends the application when it dies."""

import threading
from functools import partial

import pytest

from stream_processing.spark_streaming.queries.shared_thread import SharedThread, SharedThreadError


def test_one_that_dies_stops_all_and_says_why() -> None:
    stop = threading.Event()

    def die() -> None:
        raise OSError("503 Slow Down")

    thread = SharedThread("bronze", die, stop)
    thread.start()
    assert stop.wait(60)
    with pytest.raises(SharedThreadError, match=r"queries of bronze has ended \(503 Slow Down\)") as raised:
        thread.join(60)
    assert raised.value.exit_status == 75


def test_one_that_was_told_to_stop_just_ends() -> None:
    stop = threading.Event()
    thread = SharedThread("silver", partial(stop.wait, 60), stop)
    thread.start()
    stop.set()
    thread.join(60)
    assert not thread.is_alive()
