"""A server on this machine whose answers a test sets, one after the other."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Respond = Callable[[BaseHTTPRequestHandler], None]


class Pages:
    """Answers each request by the next of ``script``, and by the last one ever after; ``asked`` has their headers."""

    def __init__(self) -> None:
        self.script: list[Respond] = []
        self.asked: list[dict[str, str]] = []
        self.url = ""

    def next(self) -> Respond:
        return self.script.pop(0) if len(self.script) > 1 else self.script[0]


def answer(status: int, body: bytes = b"", **headers: str) -> Respond:
    """An answer with ``headers``, in whose names ``_`` stands for ``-``."""

    def respond(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("content-length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return respond


def tagged(body: bytes, etag: str) -> Respond:
    """The page of this tag: 304 for those who have it."""

    def respond(handler: BaseHTTPRequestHandler) -> None:
        if handler.headers.get("if-none-match") == etag:
            answer(304, etag=etag)(handler)
        else:
            answer(200, body, etag=etag)(handler)

    return respond


def broken_off(handler: BaseHTTPRequestHandler) -> None:
    """Promises more than it sends."""
    handler.send_response(200)
    handler.send_header("content-length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"prices": [')


@contextmanager
def serving() -> Iterator[Pages]:
    pages = Pages()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            pages.asked.append({name.lower(): value for name, value in self.headers.items()})
            pages.next()(self)

        def log_message(self, *_: Any) -> None:
            """Nothing: the test looks at what was asked."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    pages.url = f"http://127.0.0.1:{server.server_port}/prices?key=hidden"
    try:
        yield pages
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
