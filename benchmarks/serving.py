"""The running model server against a bare FastAPI application on the same machine, one after the other, in turns.

Run it beside a stack that serves a model:

    tidemill up && python benchmarks/serving.py

It asks ``serving.url`` for predictions of the newest events of silver that a request of ``--use-case`` may be about (or
of the instances in ``--instances FILE``, one in JSON a line) over keep-alive connections on loopback, and prints
requests/s and latency; the ratio is to the bare application.
"""

import argparse
import asyncio
import itertools
import multiprocessing
import socket
import statistics
import time
from collections.abc import Iterator
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

import orjson
import uvicorn
import uvloop
from fastapi import FastAPI

from model_serving.asked import asked_of
from tidemill.config import load_settings
from tidemill.config.errors import TerminalError
from tidemill.demo.predictions import newest_instances

BARE = "bare FastAPI"
GOOD = (b"HTTP/1.1 200", b"HTTP/1.1 202")
MAX_SECONDS = 60.0
GRACE_S = 30.0
INSTANCES = 2_000


@dataclass(frozen=True)
class Load:
    """``connections`` clients, each sending its next request when the last is answered, for ``seconds``."""

    host: str
    port: int
    requests: tuple[bytes, ...]
    connections: int
    seconds: float


@dataclass(frozen=True)
class Result:
    rate: float
    p50_ms: float
    p99_ms: float


class Connection(asyncio.Protocol):
    """One keep-alive connection; notes how long each answer took, and any that is not a good one."""

    def __init__(self, requests: Iterator[bytes], until: float) -> None:
        self.seconds: list[float] = []
        self.failures: list[bytes] = []
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._requests = requests
        self._until = until
        self._received = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._send()

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, separator, body = self._received.partition(b"\r\n\r\n")
        if not separator or len(body) < _content_length(head):
            return
        now = time.perf_counter()
        self.seconds.append(now - self._started)
        if not head.startswith(GOOD):
            self.failures.append(bytes(self._received[:300]))
        self._received.clear()
        if now >= self._until:
            self._transport.close()
        else:
            self._send()

    def connection_lost(self, error: Exception | None) -> None:
        if time.perf_counter() < self._until:
            self.failures.append(f"closed early: {error}".encode())
        self.closed.set_result(None)

    def _send(self) -> None:
        self._started = time.perf_counter()
        self._transport.write(next(self._requests))


def measure(load: Load) -> Result:
    """The rate and latency under ``load``.

    Raises:
        TerminalError: a request was not answered with 200 or 202.
    """
    return uvloop.run(_measure(load))


async def _measure(load: Load) -> Result:
    started = time.perf_counter()
    requests = itertools.cycle(load.requests)
    loop = asyncio.get_running_loop()
    made = [
        loop.create_connection(lambda: Connection(requests, started + load.seconds), load.host, load.port)
        for _ in range(load.connections)
    ]
    connections = [protocol for _, protocol in await asyncio.gather(*made)]
    async with asyncio.timeout(load.seconds + GRACE_S):
        await asyncio.gather(*(connection.closed for connection in connections))
    failures = [failure for connection in connections for failure in connection.failures]
    if failures:
        raise TerminalError(f"{len(failures)} requests failed, the first with {failures[0]!r}")
    seconds = [value for connection in connections for value in connection.seconds]
    cuts = statistics.quantiles(seconds, n=100)
    return Result(len(seconds) / (time.perf_counter() - started), cuts[49] * 1000, cuts[98] * 1000)


def predict_requests(address: str, use_case: str, instances: list[dict[str, Any]], batch: int) -> tuple[bytes, ...]:
    """HTTP requests, each for the next ``batch`` instances."""
    endless = itertools.cycle(instances)
    chosen = [list(itertools.islice(endless, batch)) for _ in range(200)]
    bodies = (orjson.dumps({"instances": some}) for some in chosen)
    return tuple(_request(f"POST /predict/{use_case}", address, body) for body in bodies)


def serve_bare(port: int) -> None:
    """FastAPI that answers with a constant, on the same event loop and parser as the model server."""
    app = FastAPI()

    @app.get("/")
    async def constant() -> dict[str, str]:
        return {"status": "ok"}

    uvicorn.run(app, port=port, loop="uvloop", http="httptools", access_log=False, log_level="error")


def _request(line: str, address: str, body: bytes = b"") -> bytes:
    lines = (f"{line} HTTP/1.1", f"Host: {address}", "Content-Type: application/json", f"Content-Length: {len(body)}")
    return "\r\n".join((*lines, "", "")).encode() + body


def _content_length(head: bytes | bytearray) -> int:
    for line in bytes(head).lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line.partition(b":")[2])
    raise TerminalError(f"an answer without Content-Length: {bytes(head)!r}")


def await_port(port: int) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with socket.socket() as client:
            if client.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise TerminalError("the bare application did not start")


def _free_port() -> int:
    with socket.socket() as each:
        each.bind(("127.0.0.1", 0))
        return int(each.getsockname()[1])


def median(results: list[Result]) -> Result:
    rows = [astuple(result) for result in results]
    return Result(*(statistics.median(column) for column in zip(*rows, strict=True)))


def _print(results: dict[str, Result]) -> None:
    bare = results[BARE]
    for name, result in results.items():
        print(
            f"{name:<24} {result.rate:7.0f} requests/s  ratio {result.rate / bare.rate:5.3f}  "
            f"p50 {result.p50_ms:7.2f} ms  p99 {result.p99_ms:7.2f} ms"
        )


def _loads(arguments: argparse.Namespace, bare_port: int) -> dict[str, Load]:
    settings = load_settings()
    use_case = arguments.use_case or settings.serving.first
    file = arguments.instances
    given = [orjson.loads(line) for line in file.read_bytes().splitlines()] if file else []
    instances = given or newest_instances(settings, asked_of(use_case), INSTANCES)
    served = urlsplit(settings.serving.url)

    def load(port: int | None, *requests: bytes) -> Load:
        seconds = min(arguments.seconds, MAX_SECONDS)
        return Load("127.0.0.1", port or 80, requests, arguments.connections, seconds)

    return {
        BARE: load(bare_port, _request("GET /", served.netloc)),
        "healthz": load(served.port, _request("GET /healthz", served.netloc)),
        "predict, 1 instance": load(served.port, *predict_requests(served.netloc, use_case, instances, 1)),
        "predict, 100 instances": load(served.port, *predict_requests(served.netloc, use_case, instances, 100)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--use-case", help="the first that is served unless given")
    parser.add_argument("--instances", type=Path, help="a file of instances, one in JSON a line")
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=3.0, help="of one measurement")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    port = _free_port()
    loads = _loads(arguments, port)
    bare = multiprocessing.get_context("spawn").Process(target=serve_bare, args=(port,), daemon=True)
    bare.start()
    try:
        await_port(port)
        rounds = [{name: measure(load) for name, load in loads.items()} for _ in range(arguments.rounds)]
    finally:
        bare.terminate()
        bare.join()
    _print({name: median([results[name] for results in rounds]) for name in loads})


if __name__ == "__main__":
    main()
