"""A thread that does the work of many queries: none of them goes on when it dies, and none can tell."""

import threading
from collections.abc import Callable

from tidemill.config.errors import TransientError


class SharedThreadError(TransientError):
    """A thread that queries share has died; the application must be started again."""


class SharedThread(threading.Thread):
    """Does ``work`` until ``stop`` is set; when it dies before that, it sets ``stop``, and :meth:`join` says why."""

    def __init__(self, name: str, work: Callable[[], object], stop: threading.Event) -> None:
        super().__init__(name=name, daemon=True)
        self._work = work
        self._until = stop
        self._died_of: Exception | None = None

    def run(self) -> None:
        try:
            self._work()
        except Exception as error:
            if self._until.is_set():
                raise
            self._died_of = error
            self._until.set()

    def join(self, timeout: float | None = None) -> None:
        """Wait for its end.

        Raises:
            SharedThreadError: it died before it was told to stop.
        """
        super().join(timeout)
        if self._died_of is not None:
            raise SharedThreadError(
                f"what runs the queries of {self.name} has ended ({self._died_of}): the application must be started "
                "again"
            ) from self._died_of
