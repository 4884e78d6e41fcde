"""A small application behind the model server's HTTP protocol, and what it answers, byte by byte."""

import asyncio
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from starlette.types import Receive, Scope, Send


async def sizes(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers with the size of the body it was sent."""
    size, more = 0, True
    while more:
        message = await receive()
        size += len(message.get("body", b""))
        more = message.get("more_body", False)
    body = str(size).encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})


@contextmanager
def served(**options: Any) -> Iterator[int]:
    """The port of a server with these options of uvicorn."""
    server = uvicorn.Server(uvicorn.Config(sizes, port=0, lifespan="off", **options))
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


def exchange(port: int, *parts: bytes) -> bytes:
    """What the server answers until it closes, or until it has nothing to say for a moment."""
    received = b""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as client:
        try:
            for part in parts:
                client.sendall(part)
            while b"\r\n\r\n" not in received and (data := client.recv(65_536)):
                received += data
            while b"connection: close" in received and (data := client.recv(65_536)):
                received += data
        except (ConnectionResetError, BrokenPipeError):
            pass  # it may close before it has read all that was sent
    return received


def check_problem(answer: bytes, detail: str) -> None:
    head, _, body = answer.partition(b"\r\n\r\n")
    status, *lines = head.decode().split("\r\n")
    header = dict(line.split(": ", 1) for line in lines)
    problem = json.loads(body)
    assert status == "HTTP/1.1 400 Bad Request"
    assert header["content-type"] == "application/problem+json"
    assert header["connection"] == "close"
    assert int(header["content-length"]) == len(body)
    assert (problem["status"], problem["detail"]) == (400, detail)
    assert problem["request_id"] == header["x-request-id"]
