"""How long a connection without a request stays open, over real sockets."""

import socket

import uvicorn

from model_serving.__main__ import options
from tests.unit.tidemill.web.sockets import served, sizes
from tidemill.config import Settings, load_settings

USUAL_PROXY_S = 60  # nginx' keepalive_timeout of an upstream, an AWS load balancer's idle timeout
PATIENCE_S = 3  # less than uvicorn's own 5 s


def test_a_connection_is_kept_for_as_long_as_the_setting_says() -> None:
    settings = load_settings({"TIDEMILL_SERVING__KEEP_ALIVE_S": "0.2"})
    with (
        served(**options(settings)) as port,
        socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) as client,
    ):
        client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert client.makefile("rb").read().startswith(b"HTTP/1.1 200")  # it reads until the server closes


def test_without_a_setting_the_server_outlasts_the_usual_proxy() -> None:
    assert uvicorn.Config(sizes, **options(Settings())).timeout_keep_alive > USUAL_PROXY_S
