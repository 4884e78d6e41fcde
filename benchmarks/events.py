"""Events over HTTP against a bare FastAPI application on the same machine, one after the other, in turns.

    python -m benchmarks.events [--connections 64] [--batch 500] [--seconds 3] [--rounds 3]

It starts a broker and the server of their own in a temporary folder. Each single event is one request, which is
answered when the broker has acknowledged it with acks=all; the bare application answers with a constant, and has no
broker beside it. Batches are sent over four connections. The ratio is of requests/s to the bare application.
"""

import argparse
import multiprocessing
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import orjson

from benchmarks.serving import BARE, Load, Result, await_port, measure, median, serve_bare
from tidemill.config import Settings, load_settings
from tidemill.stack.machine.ports import free_ports
from tidemill.stack.services import events, kafka
from tidemill.stack.supervision.running import running

TOPIC = "shop.transaction.v1"
DISTINCT = 1_000
BATCHES = 20
BATCH_CONNECTIONS = 4


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--batch", type=int, default=500, help="events of one")
    parser.add_argument("--seconds", type=float, default=3.0, help="of one measurement")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with stack() as settings, bare() as port:
        loads = loads_of(settings, port, options)
        rounds = [{name: measure(load) for name, load in loads.items()} for _ in range(options.rounds)]
    tell({name: median([results[name] for results in rounds]) for name in loads}, options.batch)


def loads_of(settings: Settings, bare_port: int, options: argparse.Namespace) -> dict[str, Load]:
    served = urlsplit(settings.events.url)
    port = served.port or 80
    single = tuple(structured(number) for number in range(DISTINCT))
    headers = tuple(binary(number) for number in range(DISTINCT))
    size = options.batch
    batches = tuple(batch(range(first * size, (first + 1) * size)) for first in range(BATCHES))
    lines = tuple(till(number, size) for number in range(BATCHES))
    common = {"connections": options.connections, "seconds": options.seconds}
    few = common | {"connections": BATCH_CONNECTIONS}
    host = "127.0.0.1"
    return {
        BARE: Load(host, bare_port, (request("GET /"),), **common),
        "one event, structured": Load(host, port, single, **common),
        "one event, binary": Load(host, port, headers, **common),
        f"{size} events, batch": Load(host, port, batches, **few),
        f"{size} events, lines": Load(host, port, lines, **few),
    }


def tell(results: dict[str, Result], size: int) -> None:
    base = results[BARE].rate
    for name, result in results.items():
        many = size if name.startswith(f"{size} ") else 1
        events_a_second = "" if name == BARE else f"{result.rate * many:>9,.0f} events/s"
        print(
            f"{name:24} {result.rate:>8,.0f} requests/s   {result.rate / base:5.2f} x bare   "
            f"p50 {result.p50_ms:6.1f} ms   p99 {result.p99_ms:6.1f} ms   {events_a_second}",
            flush=True,
        )


def order_line(number: int) -> dict[str, object]:
    return {
        "order_id": str(number // 20),
        "line": number % 20 + 1,
        "customer_id": str(12_000 + number % 4_000),
        "product_id": f"P{number % 3_000}",
        "description": "WHITE HANGING HEART T-LIGHT HOLDER",
        "quantity": 6,
        "unit_price": 2.55,
        "currency": "GBP",
        "country": "United Kingdom",
        "kind": "purchase",
    }


def attributes(number: int) -> dict[str, str]:
    return {
        "specversion": "1.0",
        "id": f"benchmark-{number}",
        "source": "urn:example:benchmark",
        "type": TOPIC,
        "time": "2026-11-27T10:00:00Z",
    }


def structured(number: int) -> bytes:
    body = orjson.dumps({**attributes(number), "data": order_line(number)})
    return request(f"POST /events/{TOPIC}", {"content-type": "application/cloudevents+json"}, body)


def binary(number: int) -> bytes:
    headers = {f"ce-{name}": value for name, value in attributes(number).items()}
    body = orjson.dumps(order_line(number))
    return request(f"POST /events/{TOPIC}", {"content-type": "application/json", **headers}, body)


def batch(numbers: range) -> bytes:
    body = orjson.dumps([{**attributes(number), "data": order_line(number)} for number in numbers])
    return request(f"POST /events/{TOPIC}", {"content-type": "application/cloudevents-batch+json"}, body)


def till(number: int, size: int) -> bytes:
    first = number * size
    lines = [{"time": attributes(0)["time"], "data": order_line(line)} for line in range(first, first + size)]
    headers = {"content-type": "application/jsonl", "idempotency-key": f"benchmark-{number}"}
    body = b"\n".join(map(orjson.dumps, lines))
    return request(f"POST /batches/{TOPIC}?source=urn:example:benchmark", headers, body)


def request(line: str, headers: dict[str, str] | None = None, body: bytes = b"") -> bytes:
    lines = [f"{line} HTTP/1.1", "host: 127.0.0.1", f"content-length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    return "\r\n".join((*lines, "", "")).encode() + body


@contextmanager
def stack() -> Iterator[Settings]:
    """A broker and the server in a temporary home."""
    with tempfile.TemporaryDirectory(prefix="tidemill-events-") as home:
        broker, controller, port = free_ports(3)
        settings = load_settings(
            {
                "TIDEMILL_HOME": home,
                "TIDEMILL_KAFKA__BOOTSTRAP_SERVERS": f"127.0.0.1:{broker}",
                "TIDEMILL_KAFKA__CONTROLLER_PORT": str(controller),
                "TIDEMILL_EVENTS__URL": f"http://127.0.0.1:{port}",
            }
        )
        with running(kafka.services(settings)[0], settings), running(events.services(settings)[0], settings):
            yield settings


@contextmanager
def bare() -> Iterator[int]:
    (port,) = free_ports(1)
    process = multiprocessing.get_context("spawn").Process(target=serve_bare, args=(port,), daemon=True)
    process.start()
    try:
        await_port(port)
        yield port
    finally:
        process.terminate()
        process.join()


if __name__ == "__main__":
    main()
