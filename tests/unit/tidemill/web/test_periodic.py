import threading

import pytest

from tidemill.web.periodic import Periodic


def test_it_runs_at_once_and_again_until_stopped() -> None:
    calls: list[int] = []
    thrice = threading.Event()

    def action() -> None:
        calls.append(1)
        if len(calls) == 3:
            thrice.set()

    periodic = Periodic("counting", 0.001, action)
    periodic.start()
    assert thrice.wait(10)
    periodic.stop(10)
    after = len(calls)

    assert not [thread for thread in threading.enumerate() if thread.name == "counting"]
    assert len(calls) == after


def test_a_failing_action_is_logged_and_runs_again(caplog: pytest.LogCaptureFixture) -> None:
    again = threading.Event()
    calls: list[int] = []

    def action() -> None:
        calls.append(1)
        if len(calls) > 1:
            again.set()
        raise RuntimeError("broken once more")

    periodic = Periodic("failing", 0.001, action)
    periodic.start()
    came_again = again.wait(10)
    periodic.stop(10)

    assert came_again
    assert "broken once more" in caplog.text
