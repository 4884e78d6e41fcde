"""How long a connection without a request stays open, over real sockets."""

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from config import Settings, load_settings
from model_serving.__main__ import options
from tests.unit.model_serving.test_header_limit import sizes

USUAL_PROXY_S = 60  # nginx' proxy_read_timeout, an AWS load balancer's idle timeout
PATIENCE_S = 3  # less than uvicorn's own 5 s


@contextmanager
def served(settings: Settings) -> Iterator[int]:
    """The port of a server with the options of the model server."""
    server = uvicorn.Server(uvicorn.Config(sizes, port=0, lifespan="off", **options(settings)))
    thread = threading.Thread(target=lambda: asyncio.run(server.serve()))
    thread.start()
    try:
        deadline = time.monotonic() + 20
        while not server.started:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        yield int(server.servers[0].sockets[0].getsockname()[1])
    finally:
        server.should_exit = True
        thread.join(20)


def test_a_connection_is_kept_for_as_long_as_the_setting_says() -> None:
    settings = load_settings({"TIDEMILL_SERVING__KEEP_ALIVE_S": "0.2"})
    with served(settings) as port, socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert client.makefile("rb").read().startswith(b"HTTP/1.1 200")  # it reads until the server closes


def test_without_a_setting_the_server_outlasts_the_usual_proxy() -> None:
    assert uvicorn.Config(sizes, **options(Settings())).timeout_keep_alive > USUAL_PROXY_S
