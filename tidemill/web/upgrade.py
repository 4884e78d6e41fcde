"""Requests that offer to go on in another protocol, served in HTTP/1.1."""

import sys

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

OFFERS = {b"upgrade", b"http2-settings"}


class PlainHttpProtocol(HttpToolsProtocol):
    """uvicorn's httptools protocol, which by itself loses the body of a request with ``Upgrade``.

    Java's HTTP client offers h2c with every request. A server may ignore the offer (RFC 9110, 7.8): the request is read
    once more without it.
    """

    def data_received(self, data: bytes) -> None:
        self._data = data
        super().data_received(data)

    def on_headers_complete(self) -> None:
        if not self._offers_another():
            super().on_headers_complete()

    def on_message_complete(self) -> None:
        if not self._offers_another():
            super().on_message_complete()

    def _offers_another(self) -> bool:
        return bool(self.parser.should_upgrade()) and self.parser.get_method() != b"CONNECT"

    def _unsupported_upgrade_warning(self) -> None:
        """What uvicorn calls where the parser has stopped behind the header of such a request."""
        stopped = sys.exception()
        if not self._offers_another() or not isinstance(stopped, httptools.HttpParserUpgrade):
            super()._unsupported_upgrade_warning()
            return
        line = b" ".join([self.parser.get_method(), self.url, b"HTTP/" + self.parser.get_http_version().encode()])
        header = [name + b": " + value for name, value in map(_without_offer, self.headers) if value]
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        self.data_received(b"\r\n".join([line, *header, b"", b""]) + self._data[stopped.args[0] :])


def _without_offer(header: tuple[bytes, bytes]) -> tuple[bytes, bytes]:
    """``header`` without what is said of another protocol; its value is empty if that was all."""
    name, value = header
    if name in OFFERS:
        return name, b""
    if name != b"connection":
        return header
    return name, b", ".join(token for token in map(bytes.strip, value.split(b",")) if token.lower() not in OFFERS)
