"""Asking a page: conditions, what is tried again, what is not, and how long the pauses are."""

import gzip
import tracemalloc
import zlib
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime

import httpx
import pytest

from ingestion_layer.sources.mapped import answers
from ingestion_layer.sources.mapped.answers import Page, PageRefusedError, PageUnavailableError, pause_s, retry_after
from tests.cases.pages import Pages, answer, broken_off, serving, tagged


@pytest.fixture
def pages() -> Iterator[Pages]:
    with serving() as pages:
        yield pages


@pytest.fixture
def page(pages: Pages) -> Iterator[Page]:
    with closing(Page(pages.url, "a-token")) as page:
        yield page


def test_a_page_is_asked_for_again_by_its_tag(pages: Pages, page: Page) -> None:
    pages.script = [tagged(b"[1]", '"one"')]
    first = page.ask({})
    assert first is not None
    assert (first.body, dict(first.validators)) == (b"[1]", {"etag": '"one"'})
    assert page.ask(first.validators) is None
    pages.script = [tagged(b"[2]", '"two"')]
    second = page.ask(first.validators)
    assert second is not None
    assert second.body == b"[2]"
    assert [asked.get("if-none-match") for asked in pages.asked] == [None, '"one"', '"one"']
    assert {asked["authorization"] for asked in pages.asked} == {"Bearer a-token"}


def test_a_page_without_a_tag_is_asked_for_by_its_time(pages: Pages, page: Page) -> None:
    at = "Wed, 21 Oct 2026 07:28:00 GMT"
    pages.script = [answer(200, b"[]", last_modified=at)]
    first = page.ask({})
    assert first is not None
    page.ask(first.validators)
    assert pages.asked[1]["if-modified-since"] == at


@pytest.mark.parametrize(("status", "header", "wait_s"), [(429, "7", 7), (503, "2", 2), (500, None, 0), (502, "x", 0)])
def test_what_may_be_answered_later_says_when(
    pages: Pages, page: Page, status: int, header: str | None, wait_s: float
) -> None:
    pages.script = [answer(status, **({"retry_after": header} if header else {}))]
    with pytest.raises(PageUnavailableError, match=str(status)) as raised:
        page.ask({})
    assert raised.value.retry_after_s == wait_s
    assert "hidden" not in str(raised.value)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410])
def test_what_will_not_be_answered_ends(pages: Pages, page: Page, status: int) -> None:
    pages.script = [answer(status)]
    with pytest.raises(PageRefusedError, match=str(status)) as raised:
        page.ask({})
    assert "hidden" not in str(raised.value)


def test_an_answer_that_breaks_off_is_none(pages: Pages, page: Page) -> None:
    pages.script = [broken_off]
    with pytest.raises(PageUnavailableError, match="does not answer"):
        page.ask({})


def test_a_slow_server_is_not_waited_for(pages: Pages, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "TIMEOUT", httpx.Timeout(0.2))
    with closing(Page(pages.url)) as page:
        pages.script = [lambda handler: handler.rfile.read(1)]  # waits for what the client never sends
        with pytest.raises(PageUnavailableError, match="Timeout"):
            page.ask({})


def test_a_page_beyond_the_limit_is_refused(pages: Pages, page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "MAX_BYTES", 1_000)
    pages.script = [answer(200, b"x" * 5_000)]
    with pytest.raises(PageRefusedError, match="ask for fewer rows"):
        page.ask({})


@pytest.mark.parametrize("url", ["ftp://host/x", "prices.json", "http://"])
def test_what_is_no_page_is_refused(url: str) -> None:
    with pytest.raises(PageRefusedError):
        Page(url)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, 0),
        ("120", 120),
        ("Fri, 27 Nov 2026 12:00:30 GMT", 30),
        ("Fri, 27 Nov 2026 11:00:00 GMT", 0),
        ("-5", 0),
        ("soon", 0),
        ("99999999999", 3600),
    ],
)
def test_retry_after_is_read_in_both_forms(header: str | None, seconds: float) -> None:
    assert retry_after(header, datetime(2026, 11, 27, 12, tzinfo=UTC)) == seconds


def test_pauses_double_have_a_limit_and_are_never_shorter_than_asked() -> None:
    assert [pause_s(failures, 0, 1.0) for failures in (1, 2, 3)] == [2, 4, 8]
    assert pause_s(10_000, 0, 1.0) == 300
    assert pause_s(3, 0, 0.25) == 2
    assert pause_s(1, 60, 0.5) == 60
    assert 0 <= pause_s(3, 0) <= 8


def packed(body: bytes, times: int = 1) -> bytes:
    for _ in range(times):
        body = gzip.compress(body, mtime=0)
    return body


def test_a_page_may_be_packed(pages: Pages, page: Page) -> None:
    pages.script = [answer(200, packed(b"[1, 2]"), content_encoding="gzip")]
    told = page.ask({})
    assert told is not None
    assert told.body == b"[1, 2]"
    assert pages.asked[0]["accept-encoding"] == "gzip"


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("", b"[1]"),
        ("utf-8", b"[1]"),
        ("identity", b"[1]"),
        ("deflate", zlib.compress(b"[1]")),
        ("x-gzip", packed(b"[1]") + bytes(8)),
    ],
    ids=["none", "charset", "identity", "deflate", "x-gzip"],
)
def test_a_page_is_read_however_its_server_names_what_it_sends(
    pages: Pages, page: Page, encoding: str, body: bytes
) -> None:
    pages.script = [answer(200, body, content_encoding=encoding)]
    told = page.ask({})
    assert told is not None
    assert told.body == b"[1]"


def test_a_page_is_not_unpacked_beyond_its_bound(pages: Pages, page: Page) -> None:
    pages.script = [answer(200, packed(bytes(200 * 2**20)), content_encoding="gzip")]
    tracemalloc.start()
    with pytest.raises(PageRefusedError, match="more than 8 MiB"):
        page.ask({})
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 40 * 2**20


@pytest.mark.parametrize("encoding", ["gzip, gzip", "br", "compress", "zstd"])
def test_a_page_that_is_packed_as_nobody_asked_is_refused(pages: Pages, page: Page, encoding: str) -> None:
    pages.script = [answer(200, packed(b"[]", 2), content_encoding=encoding)]
    with pytest.raises(PageRefusedError, match="asked for gzip at most"):
        page.ask({})


@pytest.mark.parametrize(
    "body",
    [packed(b"[1, 2]")[:-3], packed(b"[1]") + packed(b"[2]"), b"[1, 2]"],
    ids=["cut off", "two members", "not packed"],
)
def test_a_page_whose_gzip_is_damaged_is_asked_for_again(pages: Pages, page: Page, body: bytes) -> None:
    pages.script = [answer(200, body, content_encoding="gzip")]
    with pytest.raises(PageUnavailableError, match="gzip"):
        page.ask({})


def test_a_tag_that_cannot_be_sent_back_is_none(pages: Pages, page: Page) -> None:
    pages.script = [tagged(b"[1]", '"\xe9"')]
    told = page.ask({})
    assert told is not None
    assert page.ask(told.validators) is not None
    assert "if-none-match" not in pages.asked[1]


def test_another_query_is_another_page() -> None:
    def of(url: str) -> tuple[str, str]:
        with closing(Page(url)) as page:
            return page.url, page.shown

    first, second = of("https://w.example/obs?station=1"), of("https://w.example/obs?station=2#now")
    assert first[0] != second[0]
    assert first[1] == second[1] == "https://w.example/obs"
    assert of("https://ann:secret@w.example/obs?station=1")[0] == first[0]
