"""XML-RPC over a Unix socket, with a time limit: a stopped server must not stop its client."""

import http.client
import socket
import xmlrpc.client
from collections.abc import Sequence
from pathlib import Path
from typing import Any


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: Path, timeout_s: float) -> None:
        super().__init__("localhost", timeout=timeout_s)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


class _Transport(xmlrpc.client.Transport):
    def __init__(self, path: Path, timeout_s: float) -> None:
        super().__init__()
        self._path = path
        self._timeout_s = timeout_s

    def make_connection(self, host: Any) -> http.client.HTTPConnection:
        return _Connection(self._path, self._timeout_s)


def call(path: Path, method: str, arguments: Sequence[object], timeout_s: float) -> Any:
    """The result of calling ``method`` of the server that listens at ``path``.

    Raises:
        xmlrpc.client.Fault: the server refused.
        OSError, http.client.HTTPException: it does not answer.
    """
    transport = _Transport(path, timeout_s)
    try:
        proxy = xmlrpc.client.ServerProxy("http://localhost/RPC2", transport=transport)
        return getattr(proxy, method)(*arguments)
    finally:
        transport.close()
