"""For all tests."""

import signal


def pytest_configure() -> None:
    """Whoever started the tests in the background has them ignore Ctrl-C, and what they start would ignore it too."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
