"""Headers above the bound and what is no request, over real sockets."""

from collections.abc import Iterator

import pytest

from tests.unit.tidemill.web.sockets import check_problem, exchange, served
from tidemill.web.protocol import HEADER_TOO_LARGE, MAX_HEADER_BYTES, NOT_HTTP, BoundedHttpProtocol


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with served(http=BoundedHttpProtocol, log_level="critical") as port:
        yield port


def check_refused(answer: bytes) -> None:
    """The connection was closed, and where the client could still read: on a problem that says why."""
    if answer:
        check_problem(answer, HEADER_TOO_LARGE)


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(b"garbage\r\n\r\n", id="no request"),
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", id="TLS"),
        pytest.param(b"BREW / HTTP/1.1\r\nHost: x\r\n\r\n", id="an unknown method"),
        pytest.param(b"GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n", id="an address that is not ASCII"),
        pytest.param(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n", id="two lengths"),
    ],
)
def test_what_is_no_request_is_a_problem_too(port: int, sent: bytes) -> None:
    check_problem(exchange(port, sent), NOT_HTTP)


def test_a_header_within_the_bound_is_served(port: int) -> None:
    header = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Long: " + b"a" * (MAX_HEADER_BYTES - 100)

    assert exchange(port, header + b"\r\n\r\n").startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(
    "parts",
    [
        pytest.param([b"X-Long: " + b"a" * MAX_HEADER_BYTES + b"\r\n\r\n"], id="one long header"),
        pytest.param([b"X-%d: a\r\n" % n for n in range(20_000)], id="many headers"),
        pytest.param([b"X-Long: "] + [b"a" * 10_000] * 100, id="a header that never ends"),
    ],
)
def test_a_header_above_the_bound_is_refused(port: int, parts: list[bytes]) -> None:
    check_refused(exchange(port, b"GET / HTTP/1.1\r\nHost: x\r\n", *parts))


def test_a_long_address_is_refused(port: int) -> None:
    check_refused(exchange(port, b"GET /" + b"a" * MAX_HEADER_BYTES + b" HTTP/1.1\r\nHost: x\r\n\r\n"))


@pytest.mark.parametrize("is_chunked", [False, True], ids=["Content-Length", "chunked"])
def test_the_bound_does_not_concern_bodies(port: int, is_chunked: bool) -> None:
    size = 10 * MAX_HEADER_BYTES
    head = b"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
    if is_chunked:
        parts = [head + b"Transfer-Encoding: chunked\r\n\r\n", b"%x\r\n" % size + b"a" * size + b"\r\n0\r\n\r\n"]
    else:
        parts = [head + b"Content-Length: %d\r\n\r\n" % size, b"a" * size]

    assert exchange(port, *parts).startswith(b"HTTP/1.1 200")
