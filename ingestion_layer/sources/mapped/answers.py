"""Asking a page again and again, as its server would have it: only for what is new, and not while it is tired."""

import random
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from time import monotonic
from typing import Any

import httpx

from tidemill.config.errors import TerminalError, TransientError

TIMEOUT = httpx.Timeout(10.0, connect=5.0)
DEADLINE_S = 60.0
MAX_BYTES = 8 * 2**20
"""A page, and so each row of it, is smaller than what our producer lets be sent."""
WINDOWS = {"gzip": zlib.MAX_WBITS | 16, "x-gzip": zlib.MAX_WBITS | 16, "deflate": zlib.MAX_WBITS}
PACKED = re.compile(r"gzip|deflate|compress|br|zstd")
"""What other codings are made of; what is none of a coding, as a charset, packs nothing."""
TIRED = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Statuses after which the same request may be answered later (RFC 9110, 15; RFC 6585, 4)."""
FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 300.0
LONGEST_ASKED_S = 3600.0


class PageRefusedError(TerminalError):
    """The server will not answer this request, however often it is asked."""


class PageUnavailableError(TransientError):
    """No answer, or one that cannot be used; ``retry_after_s`` is when the server wants to be asked again."""

    def __init__(self, message: str, retry_after_s: float = 0.0) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


@dataclass(frozen=True)
class Answer:
    """A page, and by what to ask whether there is a newer one."""

    body: bytes
    validators: Mapping[str, str]
    received: datetime


class Page:
    """The page at ``url``; what is told of it, ``shown``, has neither password nor query, which may hold a key."""

    def __init__(self, url: str, token: str | None = None) -> None:
        try:
            self._url = httpx.URL(url)
        except httpx.InvalidURL as error:
            raise PageRefusedError(f"the URL cannot be used: {error}") from error
        if self._url.scheme not in ("http", "https") or not self._url.host:
            raise PageRefusedError("the URL is none of a page: it begins with http:// or https:// and a host")
        asked = self._url.copy_with(fragment=None, username=None, password=None)
        self.url, self.shown = str(asked), str(asked.copy_with(query=None))
        headers = {"accept": "application/json", "accept-encoding": "gzip", "user-agent": "tidemill"}
        if token:
            headers["authorization"] = f"Bearer {token}"
        self._client = httpx.Client(headers=headers, timeout=TIMEOUT, follow_redirects=True)

    def close(self) -> None:
        self._client.close()

    def ask(self, validators: Mapping[str, str]) -> Answer | None:
        """What the page says now; None when it says what it said with these ``validators``.

        Raises:
            PageUnavailableError: it may be answered later.
            PageRefusedError: it will not.
        """
        try:
            with self._client.stream("GET", self._url, headers=_conditions(validators)) as response:
                if response.status_code == 304:
                    return None
                self._check(response)
                body = self._body(response)
        except httpx.HTTPError as error:
            raise PageUnavailableError(f"{self.shown} does not answer: {type(error).__name__}: {error}") from error
        told = {name: response.headers[name] for name in ("etag", "last-modified") if name in response.headers}
        return Answer(body, told, datetime.now(UTC))

    def _check(self, response: httpx.Response) -> None:
        status = response.status_code
        if status in TIRED:
            wait_s = retry_after(response.headers.get("retry-after"), datetime.now(UTC))
            raise PageUnavailableError(f"{self.shown} answers {status} {response.reason_phrase}", wait_s)
        if status != 200:
            raise PageRefusedError(
                f"{self.shown} answers {status} {response.reason_phrase}: check the URL and TIDEMILL_SECRET_POLL_TOKEN"
            )

    def _body(self, response: httpx.Response) -> bytes:
        """All of it, unless it is longer than any page is, also unpacked, or comes drop by drop."""
        deadline, body = monotonic() + DEADLINE_S, bytearray()
        packed = self._unpacking(response)
        for part in response.iter_raw():
            body += part if packed is None else self._unpacked(packed, part, MAX_BYTES + 1 - len(body))
            if len(body) > MAX_BYTES:
                raise PageRefusedError(f"{self.shown} sends more than {MAX_BYTES // 2**20} MiB: ask for fewer rows")
            if monotonic() > deadline:
                raise PageUnavailableError(f"{self.shown} did not send all within {DEADLINE_S:.0f} s")
        if packed is not None and (not packed.eof or packed.unused_data.strip(b"\0")):
            raise PageUnavailableError(f"{self.shown} sends a gzip that does not end where the answer ends")
        return bytes(body)

    def _unpacking(self, response: httpx.Response) -> Any:
        """What unpacks it, no further than it is told to; None where it is not packed."""
        encoding = response.headers.get("content-encoding", "").strip().lower()
        if encoding in WINDOWS:
            return zlib.decompressobj(WINDOWS[encoding])
        if PACKED.search(encoding):
            raise PageRefusedError(f"{self.shown} sends {encoding[:40]!r}, and was asked for gzip at most")
        return None

    def _unpacked(self, packed: Any, part: bytes, most: int) -> bytes:
        try:
            return bytes(packed.decompress(part, most))
        except zlib.error as error:
            raise PageUnavailableError(f"{self.shown} sends what is no gzip: {error}") from error


def _conditions(validators: Mapping[str, str]) -> dict[str, str]:
    """A validator that cannot be sent back as it came (obs-text, RFC 9110, 5.5) is none: all is asked for."""
    names = {"etag": "if-none-match", "last-modified": "if-modified-since"}
    return {names[name]: value for name, value in validators.items() if name in names and value.isascii()}


def retry_after(header: str | None, now: datetime) -> float:
    """The seconds that a Retry-After asks for, given as such or as a date (RFC 9110, 10.2.3); at most an hour."""
    if header is None:
        return 0.0
    text = header.strip()
    if text.isascii() and text.isdigit():
        return min(float(text), LONGEST_ASKED_S)
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return 0.0
    aware = at if at.tzinfo else at.replace(tzinfo=UTC)
    return min(max((aware - now).total_seconds(), 0.0), LONGEST_ASKED_S)


def pause_s(failures: int, asked_s: float, random_share: float | None = None) -> float:
    """How long to wait after so many failures in a row: at random up to twice as long each time, never less than asked.

    "Full jitter": those whom the same outage sent away do not come back at one moment (M. Brooker, "Exponential
    Backoff and Jitter", AWS Architecture Blog, 2015).
    """
    share = random.random() if random_share is None else random_share  # noqa: S311 - nobody guards a secret with it
    longest = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0 ** min(failures, 20))
    return max(asked_s, share * longest)
