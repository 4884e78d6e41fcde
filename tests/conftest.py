"""For all tests."""

import signal
import sys
from collections.abc import Iterator

import hypothesis
import pytest

hypothesis.settings.register_profile("tidemill", deadline=None)  # how long an example takes is the machine's affair
hypothesis.settings.load_profile("tidemill")


def pytest_configure() -> None:
    """Makes the process what libraries and what it starts take it for.

    Whoever started the tests in the background has them ignore Ctrl-C, and what they start would ignore it too.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    main = sys.modules["__main__"]
    if not hasattr(main, "__file__"):  # one of several processes: pyspark takes it for its own doctests, and ends it
        main.__file__ = __file__


@pytest.fixture(autouse=True)
def _heard_nothing_yet() -> Iterator[None]:
    """Each test is a process of its own to the states of another that used the same Redis."""
    yield
    if (heard := sys.modules.get("feature_store.states.heard")) is not None:
        heard.forget()
