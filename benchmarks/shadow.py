"""What a shadow costs the answers: the running model server with and without one, in turns.

Run it beside a stack that serves a model of which there is another version:

    tidemill up && python benchmarks/shadow.py --challenger VERSION

It changes the traffic of the use case in the control store and leaves it without a challenger, so it refuses to start
while there is one. Requests come as from ``benchmarks/serving.py``: one after the other over keep-alive connections, or
with ``--pause-ms`` between an answer and the next request, as when the server is not at its limit. The ratio is that of
the latency with a shadow to the latency without, the median of all rounds.
"""

import argparse
import asyncio
import itertools
import json
import statistics
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import uvloop

from benchmarks.serving import GRACE_S, INSTANCES, Connection, predict_requests
from ml_modeling.registry.versions import get_version
from model_serving.asked import asked_of
from monitoring.control import ControlStore, ModelRef, Policy, Traffic, control_store
from tidemill.config import Settings, load_settings
from tidemill.config.errors import TerminalError
from tidemill.demo.predictions import newest_instances

PATIENCE_S = 60.0
SETTLE_S = 1.0


@dataclass(frozen=True)
class Latency:
    rate: float
    p50_ms: float
    p99_ms: float


class Paced(Connection):
    """A client that thinks for ``pause_s`` after each answer."""

    pause_s = 0.0

    def _send(self) -> None:
        asyncio.get_running_loop().call_later(self.pause_s, super()._send)


class Switch:
    """Puts the shadow on and off, and waits until the server goes by it."""

    def __init__(self, settings: Settings, store: ControlStore, use_case: str, challenger: ModelRef) -> None:
        self._url = f"{settings.serving.url}/model-info/{use_case}"
        self._store = store
        self._use_case = use_case
        self._challenger = challenger
        now = store.rollouts.current(use_case)
        if now is not None and now.traffic.challenger is not None:
            raise TerminalError(f"{use_case} has a challenger at epoch {now.epoch}: end its rollout first")

    def put(self, *, is_on: bool) -> None:
        now = self._store.rollouts.current(self._use_case)
        traffic = Traffic(Policy.SHADOW, None, self._challenger) if is_on else Traffic(Policy.DIRECT, None)
        epoch = 0 if now is None else now.epoch
        self._store.rollouts.change(
            self._use_case, epoch, traffic, actor="benchmarks/shadow.py", reason="what a shadow costs"
        )
        self._await(lambda traffic: traffic["epoch"] > epoch and (not is_on or _is_loaded(traffic)))

    def _await(self, holds: Callable[[dict[str, Any]], bool]) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            with urllib.request.urlopen(self._url, timeout=10) as answer:  # noqa: S310 - of serving.url
                traffic = json.load(answer)["traffic"]
            if traffic is not None and holds(traffic):
                time.sleep(SETTLE_S)
                return
            time.sleep(0.2)
        raise TerminalError(f"the server does not follow the traffic: see {self._url} and /readyz")


def _is_loaded(traffic: dict[str, Any]) -> bool:
    challenger = traffic["challenger"]
    if challenger is not None and challenger["trouble"]:
        raise TerminalError(challenger["trouble"])
    return challenger is not None and bool(challenger["is_loaded"])


async def measure(address: str, requests: Iterator[bytes], connections: int, seconds: float, pause_s: float) -> Latency:
    """Rate and latency of paced clients.

    Raises:
        TerminalError: a request was not answered with 200.
    """
    host, _, port = address.partition(":")
    began = time.perf_counter()
    kind = type("Client", (Paced if pause_s else Connection,), {"pause_s": pause_s})
    loop = asyncio.get_running_loop()
    made = [
        loop.create_connection(lambda: kind(requests, began + seconds), host, int(port)) for _ in range(connections)
    ]
    clients = [protocol for _, protocol in await asyncio.gather(*made)]
    async with asyncio.timeout(seconds + GRACE_S):
        await asyncio.gather(*(client.closed for client in clients))
    if failures := [failure for client in clients for failure in client.failures]:
        raise TerminalError(f"{len(failures)} requests failed, the first with {failures[0]!r}")
    took = [value for client in clients for value in client.seconds]
    cuts = statistics.quantiles(took, n=100)
    return Latency(len(took) / (time.perf_counter() - began), cuts[49] * 1000, cuts[98] * 1000)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--challenger", required=True, metavar="VERSION", help="a version that is not the champion")
    parser.add_argument("--use-case", help="the first that is served unless given")
    parser.add_argument("--instances", type=Path, help="a file of instances, one in JSON a line")
    parser.add_argument("--connections", type=int, default=1)
    parser.add_argument("--pause-ms", type=float, default=0.0, help="between an answer and the next request")
    parser.add_argument("--seconds", type=float, default=3.0, help="of one measurement")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    settings = load_settings()
    use_case = arguments.use_case or settings.serving.first
    given = (
        [orjson.loads(line) for line in arguments.instances.read_bytes().splitlines()] if arguments.instances else []
    )
    instances = given or newest_instances(settings, asked_of(use_case), INSTANCES)
    address = settings.serving.url.removeprefix("http://")
    requests = itertools.cycle(predict_requests(address, use_case, instances, 1))
    version = get_version(settings, use_case, arguments.challenger)
    ref = ModelRef(version.version, version.run_id, version.model_id, version.digest)

    def measured() -> Latency:
        load = measure(address, requests, arguments.connections, arguments.seconds, arguments.pause_ms / 1000)
        return uvloop.run(load)

    without, with_shadow = [], []
    with control_store(settings) as store:
        switch = Switch(settings, store, use_case, ref)
        try:
            for _ in range(arguments.rounds):
                switch.put(is_on=False)
                without.append(measured())
                switch.put(is_on=True)
                with_shadow.append(measured())
        finally:
            switch.put(is_on=False)
    _print(without, with_shadow)


def _print(without: list[Latency], with_shadow: list[Latency]) -> None:
    for name, results in (("without a shadow", without), ("with a shadow", with_shadow)):
        rate, p50, p99 = (statistics.median(values) for values in zip(*map(_fields, results), strict=True))
        print(f"{name:<18} {rate:7.0f} requests/s  p50 {p50:7.3f} ms  p99 {p99:7.3f} ms")
    pairs = list(zip(map(_fields, without), map(_fields, with_shadow), strict=True))
    ratios = [statistics.median(on[field] / off[field] for off, on in pairs) for field in range(3)]
    print(f"{'ratio':<18} {ratios[0]:7.3f}             p50 {ratios[1]:7.3f}     p99 {ratios[2]:7.3f}")


def _fields(latency: Latency) -> tuple[float, float, float]:
    return latency.rate, latency.p50_ms, latency.p99_ms


if __name__ == "__main__":
    main()
