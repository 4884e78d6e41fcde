"""For all tests."""

import signal
import sys
from collections.abc import Iterator

import hypothesis
import pytest

hypothesis.settings.register_profile("tidemill", deadline=None)  # how long an example takes is the machine's affair
hypothesis.settings.load_profile("tidemill")


def pytest_configure() -> None:
    """Whoever started the tests in the background has them ignore Ctrl-C, and what they start would ignore it too."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _heard_nothing_yet() -> Iterator[None]:
    """Each test is a process of its own to the states of another that used the same Redis."""
    yield
    if (heard := sys.modules.get("feature_store.states.heard")) is not None:
        heard.forget()
