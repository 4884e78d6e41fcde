"""One deadline for all that a read asks of Redis, however many exchanges it takes and however slowly answers come.

A socket's own timeout begins anew with each piece that arrives: an answer that trickles never reaches it.
"""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from redis.connection import Connection


class _Deadline(threading.local):
    at: float | None = None


_DEADLINE = _Deadline()


@contextmanager
def within(timeout_s: float) -> Iterator[None]:
    """What this thread sends and receives meanwhile, by a :class:`BoundedConnection`, ends with redis' TimeoutError."""
    _DEADLINE.at = time.monotonic() + timeout_s
    try:
        yield
    finally:
        _DEADLINE.at = None


class BoundedConnection(Connection):
    def _connect(self) -> socket.socket:
        connected: socket.socket = super()._connect()  # type: ignore[no-untyped-call]
        bounded = _BoundedSocket(fileno=connected.detach())
        bounded.settimeout(self.socket_timeout)
        return bounded


class _BoundedSocket(socket.socket):
    def recv(self, *args: Any) -> bytes:
        self._bound()
        return super().recv(*args)

    def recv_into(self, *args: Any) -> int:
        self._bound()
        return super().recv_into(*args)

    def sendall(self, *args: Any) -> None:
        self._bound()
        super().sendall(*args)

    def _bound(self) -> None:
        """Wait no longer than until the deadline; a look at what is there already does not wait."""
        if _DEADLINE.at is None or self.gettimeout() == 0:
            return
        left_s = _DEADLINE.at - time.monotonic()
        if left_s <= 0:
            raise TimeoutError("the time for the whole read is over")
        self.settimeout(left_s)
