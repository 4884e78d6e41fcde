"""A circuit breaker: while a dependency is away, nobody waits for it."""

import threading


class CircuitBreaker:
    """Opens after ``failures`` failures in a row; closes at the next success.

    While it is open only a background probe calls the dependency, so no request pays for finding out.
    """

    def __init__(self, failures: int) -> None:
        self._limit = failures
        self._lock = threading.Lock()
        self._in_a_row = 0
        self._error: str | None = None

    @property
    def is_open(self) -> bool:
        return self._in_a_row >= self._limit

    @property
    def error(self) -> str | None:
        """The message of the last failure, None after a success."""
        return self._error

    def succeeded(self) -> None:
        with self._lock:
            self._in_a_row, self._error = 0, None

    def failed(self, error: str) -> None:
        with self._lock:
            self._in_a_row += 1
            self._error = error
