"""Which ports are free, and who holds one that is not."""

import errno
import fcntl
import os
import random
import socket
import tempfile
from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import IO

import psutil

from tidemill.config.errors import TerminalError
from tidemill.stack.service import Endpoint

PORTS = range(20_000, 32_000)
RESERVED = Path(tempfile.gettempdir()) / f"tidemill-ports-{os.getuid()}"
_held: list[IO[bytes]] = []


class PortInUseError(TerminalError):
    """A service could not listen where it should, most often as something that is not this stack does."""


def free_ports(count: int) -> list[int]:
    """``count`` different ports nothing listens on, reserved until this process ends among all who ask here.

    They lie below those that kernels give to connections by themselves, which would take one before it is used.

    Raises:
        PortInUseError: there are not so many.
    """
    RESERVED.mkdir(exist_ok=True)
    candidates = random.sample(PORTS, len(PORTS))
    ports = list(islice(filter(_reserve, candidates), count))
    if len(ports) < count:
        raise PortInUseError(f"no {count} ports are free from {PORTS[0]} to {PORTS[-1]}: stop what listens on them")
    return ports


def _reserve(port: int) -> bool:
    """Whether ``port`` is free, and this process's from now on."""
    file = (RESERVED / str(port)).open("wb")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return False
    _held.append(file)  # a reservation lasts as long as its open file
    return is_free(Endpoint("127.0.0.1", port, ""))


def check_free(service: str, endpoints: Iterable[Endpoint]) -> None:
    """Raises PortInUseError when ``service`` could not listen on one of its ``endpoints``."""
    for endpoint in endpoints:
        error = _error_of_listening(endpoint)
        if error is None:
            continue
        variable = f"TIDEMILL_{endpoint.setting.upper().replace('.', '__')}"
        if error.errno == errno.EADDRINUSE:
            raise PortInUseError(
                f"{service} cannot start: {endpoint} is already in use{_by(endpoint)}; "
                f"stop that process, or choose another port with {variable}"
            )
        raise PortInUseError(
            f"{service} cannot start: it could not listen on {endpoint}: {error.strerror}; "
            f"choose another address with {variable}"
        )


def is_free(endpoint: Endpoint) -> bool:
    return _error_of_listening(endpoint) is None


def _error_of_listening(endpoint: Endpoint) -> OSError | None:
    try:
        with socket.socket(socket.AF_INET6 if ":" in endpoint.host else socket.AF_INET) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((endpoint.host, endpoint.port))
    except OSError as error:
        return error
    return None


def _by(endpoint: Endpoint) -> str:
    try:
        connections = psutil.net_connections("tcp")
    except psutil.AccessDenied:
        return ""
    for connection in connections:
        listens = connection.status == psutil.CONN_LISTEN and connection.laddr[1:2] == (endpoint.port,)
        if listens and connection.pid:
            return f" by process {connection.pid} ({psutil.Process(connection.pid).name()})"
    return ""
