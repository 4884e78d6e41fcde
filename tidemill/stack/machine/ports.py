"""Which ports are free, and who holds one that is not."""

import contextlib
import socket
from collections.abc import Iterable

import psutil

from tidemill.config.errors import TerminalError
from tidemill.stack.service import Endpoint


class PortInUseError(TerminalError):
    """Something that is not this stack listens where a service should."""


def free_ports(count: int) -> list[int]:
    """``count`` different ports nothing listens on; taken from the kernel, so two callers rarely get the same."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


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
