"""Requests that arrive while others are being scored are scored together.

Reading and scoring a hundred rows costs little more than one, so nobody waits for a batch to fill: a batch is what
came in while the one before it was worked on.
"""

import asyncio
import logging
import queue
import threading
from collections.abc import Sequence
from dataclasses import dataclass

from model_serving.asked import Instance
from model_serving.loaded import LoadedModel
from model_serving.schemas import DegradedReason
from model_serving.scoring import Scored, score

logger = logging.getLogger(__name__)
Result = tuple[Scored, ...] | Exception


@dataclass(frozen=True, slots=True, eq=False)
class Request:
    champion: LoadedModel
    instances: Sequence[Instance]
    standing: tuple[DegradedReason, ...]
    answered: asyncio.Future[tuple[Scored, ...]]
    loop: asyncio.AbstractEventLoop


class Batcher:
    """Threads that score; a request's own order and champion are kept, whatever it is batched with."""

    def __init__(self, threads: int, max_rows: int) -> None:
        self._max_rows = max_rows
        self._waiting: queue.SimpleQueue[Request | None] = queue.SimpleQueue()
        self._threads = [threading.Thread(target=self._run, name=f"score-{n}", daemon=True) for n in range(threads)]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self, timeout_s: float | None = None) -> None:
        """Score what waits, then end; this waits for it at most ``timeout_s``."""
        for _ in self._threads:
            self._waiting.put(None)
        for thread in self._threads:
            thread.join(timeout_s)

    async def score(
        self, champion: LoadedModel, instances: Sequence[Instance], standing: tuple[DegradedReason, ...]
    ) -> tuple[Scored, ...]:
        """What :func:`model_serving.scoring.score` answers; raises what it raises."""
        loop = asyncio.get_running_loop()
        answered: asyncio.Future[tuple[Scored, ...]] = loop.create_future()
        self._waiting.put(Request(champion, instances, standing, answered, loop))
        return await answered

    def _run(self) -> None:
        while (first := self._waiting.get()) is not None:
            batch, is_last = self._collect(first)
            for group in _same_model(batch):
                _deliver(group, _results(group))
            if is_last:
                return

    def _collect(self, first: Request) -> tuple[list[Request], bool]:
        batch, rows = [first], len(first.instances)
        while rows < self._max_rows:
            try:
                request = self._waiting.get_nowait()
            except queue.Empty:
                break
            if request is None:
                return batch, True
            batch.append(request)
            rows += len(request.instances)
        return batch, False


def _same_model(batch: Sequence[Request]) -> list[list[Request]]:
    groups: dict[tuple[int, tuple[DegradedReason, ...]], list[Request]] = {}
    for request in batch:
        groups.setdefault((id(request.champion), request.standing), []).append(request)
    return list(groups.values())


def _results(group: Sequence[Request]) -> list[Result]:
    """The result of each request; when the batch fails, each is tried alone, so that it fails for itself only."""
    first = group[0]
    try:
        scored = score(
            first.champion, [instance for request in group for instance in request.instances], first.standing
        )
    except Exception as error:  # noqa: BLE001 - a thread's error belongs to the requests that wait for it
        return [error] if len(group) == 1 else [result for request in group for result in _results([request])]
    parts, start = [], 0
    for request in group:
        parts.append(scored[start : start + len(request.instances)])
        start += len(request.instances)
    return list(parts)


def _deliver(group: Sequence[Request], results: Sequence[Result]) -> None:
    def set_results() -> None:
        for request, result in zip(group, results, strict=True):
            if request.answered.done():
                continue
            if isinstance(result, Exception):
                request.answered.set_exception(result)
            else:
                request.answered.set_result(result)

    try:
        group[0].loop.call_soon_threadsafe(set_results)
    except RuntimeError:  # the loop is closed: who asked has left long ago
        logger.warning("%d answers came after the server had stopped", len(group))
