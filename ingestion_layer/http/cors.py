"""Which web pages may send events from a browser (the Fetch standard's CORS protocol): none, unless they are named."""

from collections.abc import Collection, Mapping

HeaderList = list[tuple[bytes, bytes]]

ANY = "*"
ALLOWED = frozenset({"content-type", "idempotency-key", "x-request-id"})
PREFLIGHT_AGE_S = 600
EXPOSED = b"x-request-id, retry-after"


class Origins:
    """The pages whose scripts may send, by their origin, such as ``https://shop.example.org``."""

    def __init__(self, allowed: Collection[str]) -> None:
        self._allowed = {origin.rstrip("/").encode() for origin in allowed}
        self._is_any = ANY in allowed

    def answer_headers(self, headers: Mapping[bytes, bytes]) -> HeaderList:
        """What lets a page read an answer; nothing where it may not."""
        origin = headers.get(b"origin")
        if origin is None or not (self._is_any or origin in self._allowed):
            return []
        return [
            (b"access-control-allow-origin", origin),
            (b"access-control-expose-headers", EXPOSED),
            (b"vary", b"origin"),
        ]

    def preflight_headers(self, headers: Mapping[bytes, bytes]) -> HeaderList:
        """What lets a browser send the request that it asks for first."""
        allowed = self.answer_headers(headers)
        if not allowed:
            return []
        asked = headers.get(b"access-control-request-headers", b"").decode("latin-1").lower()
        names = sorted(name for name in map(str.strip, asked.split(",")) if name in ALLOWED or name.startswith("ce-"))
        return [
            *allowed,
            (b"access-control-allow-methods", b"POST"),
            (b"access-control-allow-headers", ", ".join(names).encode("latin-1")),
            (b"access-control-max-age", b"%d" % PREFLIGHT_AGE_S),
        ]
