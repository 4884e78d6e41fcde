"""Requests that offer another protocol, over real sockets."""

import socket
from collections.abc import Iterator

import pytest

from tests.unit.tidemill.web.sockets import check_problem, exchange, served
from tidemill.web.protocol import HEADER_TOO_LARGE, MAX_HEADER_BYTES, BoundedHttpProtocol

OFFER = (
    b"POST / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings, close\r\n"
    b"Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n"
)
CHUNKED = OFFER + b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with served(http=BoundedHttpProtocol, log_level="critical") as port:
        yield port


@pytest.mark.parametrize(
    "parts",
    [
        pytest.param([OFFER + b"Content-Length: 5\r\n\r\nhello"], id="at once"),
        pytest.param([OFFER + b"Content-Length: 5\r\n\r\n", b"he", b"llo"], id="in pieces"),
        pytest.param([OFFER[:70], OFFER[70:] + b"Content-Length: 5\r\n\r\nhel", b"lo"], id="a header in pieces"),
        pytest.param([CHUNKED + b"3\r\nhel\r\n", b"2\r\nlo\r\n0\r\n\r\n"], id="chunked"),
    ],
)
def test_a_request_that_offers_another_protocol_is_served_with_its_body(port: int, parts: list[bytes]) -> None:
    answer = exchange(port, *parts)

    assert answer.startswith(b"HTTP/1.1 200")
    assert answer.endswith(b"\r\n\r\n5")


def test_a_connection_goes_on_after_an_offer(port: int) -> None:
    offer = OFFER.replace(b", close", b"") + b"Content-Length: 2\r\n\r\nhi"
    with socket.create_connection(("127.0.0.1", port), timeout=5) as client:
        client.sendall(offer + b"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 3\r\n\r\nabc")
        answers = client.makefile("rb").read()
    assert [part[:1] for part in answers.split(b"\r\n\r\n")[1:]] == [b"2", b"3"]


def test_an_offer_does_not_get_around_the_bound(port: int) -> None:
    answer = exchange(port, OFFER, b"X-Long: " + b"a" * MAX_HEADER_BYTES + b"\r\n\r\n")
    if answer:  # else the client could not read it: the connection was closed before it had sent all
        check_problem(answer, HEADER_TOO_LARGE)


def test_an_offer_without_a_body_is_served(port: int) -> None:
    answer = exchange(port, OFFER.replace(b"POST", b"GET") + b"\r\n")

    assert answer.startswith(b"HTTP/1.1 200")
    assert answer.endswith(b"\r\n\r\n0")
