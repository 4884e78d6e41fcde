"""A background thread that does one thing again and again."""

import logging
import threading
from collections.abc import Callable

logger = logging.getLogger(__name__)


class Periodic:
    """Calls ``action`` at once and then ``interval_s`` after each call has ended, until stopped."""

    def __init__(self, name: str, interval_s: float, action: Callable[[], None]) -> None:
        self._interval_s = interval_s
        self._action = action
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, timeout_s: float) -> None:
        """Ask it to end, and wait for a call in progress at most ``timeout_s``."""
        self._stopping.set()
        self._thread.join(timeout_s)

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._call()
            self._stopping.wait(self._interval_s)

    def _call(self) -> None:
        try:
            self._action()
        except Exception:
            logger.exception("%s failed; it runs again in %s s", self._thread.name, self._interval_s)
