"""Which ports are free, and who holds one that is not."""

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
    """Something that is not this stack listens where a service should."""


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
        if not is_free(endpoint):
            variable = f"TIDEMILL_{endpoint.setting.upper().replace('.', '__')}"
            raise PortInUseError(
                f"{service} cannot start: {endpoint} is already in use{_by(endpoint)}; "
                f"stop that process, or choose another port with {variable}"
            )


def is_free(endpoint: Endpoint) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((endpoint.host, endpoint.port))
        except OSError:
            return False
        return True


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
