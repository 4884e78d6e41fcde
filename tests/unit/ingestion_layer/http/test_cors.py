"""Which pages a browser lets send, by the words of the Fetch standard."""

import pytest

from ingestion_layer.http.cors import Origins

ASKED = {b"access-control-request-headers": b"Content-Type, ce-id, cookie"}


def preflight(allowed: list[str], origin: bytes) -> dict[bytes, bytes]:
    return dict(Origins(allowed).preflight_headers({b"origin": origin, **ASKED}))


@pytest.mark.parametrize("allowed", [["https://shop.example"], ["https://shop.example/"], ["*"]])
def test_a_page_that_is_named_may_send_with_the_headers_that_events_have(allowed: list[str]) -> None:
    assert preflight(allowed, b"https://shop.example") == {
        b"access-control-allow-origin": b"https://shop.example",
        b"access-control-expose-headers": b"x-request-id, retry-after",
        b"vary": b"origin",
        b"access-control-allow-methods": b"POST",
        b"access-control-allow-headers": b"ce-id, content-type",
        b"access-control-max-age": b"600",
    }


@pytest.mark.parametrize("origin", [b"https://shop.example.evil", b"http://shop.example", b"null", b""])
def test_another_page_may_not(origin: bytes) -> None:
    assert preflight(["https://shop.example"], origin) == {}
    assert preflight([], origin) == {}


def test_what_is_no_page_gets_no_header() -> None:
    assert Origins(["*"]).answer_headers({}) == []
