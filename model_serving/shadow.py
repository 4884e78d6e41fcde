"""The challenger scores what the champion has answered, for the log alone: no answer waits for it.

Nobody waits for what a shadow says, so it gathers requests for a while and scores them with one call, which costs the
answers that are given meanwhile the least.
"""

import logging
import queue
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

from model_serving import metrics
from model_serving.challenger import Challenger
from model_serving.loaded import LoadedModel
from model_serving.prediction_log import PredictionLog
from model_serving.schemas import Arm
from model_serving.scoring import Answer, By, Scored, score, score_rows

GATHER_S = 0.25
MAX_BATCH_ROWS = 256
STOP_S = 1.0

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Shadowed:
    """An answer that was sent, and who is to score it too."""

    answer: Answer
    challenger: Challenger


class Shadow:
    """A thread that scores again; at most ``capacity`` predictions wait, further ones are dropped and counted."""

    def __init__(self, log: PredictionLog, capacity: int) -> None:
        self._log = log
        self.capacity = capacity
        self._lock = threading.Lock()
        self._rows = 0
        self._waiting: queue.SimpleQueue[Shadowed] = queue.SimpleQueue()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="shadow", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """What waits is not scored any more."""
        self._stopping.set()
        self._thread.join(STOP_S)

    def offer(self, answer: Answer, challenger: Challenger) -> bool:
        """Let ``challenger`` score the requests of ``answer`` some time; False when too many wait."""
        count = len(answer.scored)
        with self._lock:
            fits = self._rows + count <= self.capacity
            if fits:
                self._rows += count
        if fits:
            self._waiting.put(Shadowed(answer, challenger))
        else:
            metrics.shadow_dropped.labels(answer.asked.use_case).inc(count)
        return fits

    async def follow(self, answer: Answer, challenger: Challenger) -> None:
        """:meth:`offer` as what is done after a response; a plain function would cost it a thread."""
        self.offer(answer, challenger)

    def _run(self) -> None:
        while not self._stopping.wait(GATHER_S):
            while batch := self._next():
                for group in _of_one_model(batch):
                    self._score(group)
                if self._stopping.is_set():
                    return

    def _next(self) -> list[Shadowed]:
        batch: list[Shadowed] = []
        rows = 0
        while rows < MAX_BATCH_ROWS:
            try:
                shadowed = self._waiting.get_nowait()
            except queue.Empty:
                break
            batch.append(shadowed)
            rows += len(shadowed.answer.scored)
        with self._lock:
            self._rows -= rows
        return batch

    def _score(self, group: Sequence[Shadowed]) -> None:
        """Log what the challenger of ``group`` says; a batch that fails is tried request by request."""
        began = time.perf_counter()
        loaded = group[0].challenger.loaded
        try:
            scored = _scored(loaded, [shadowed.answer for shadowed in group])
        except Exception:  # noqa: BLE001 - whatever a model raises is its failure, and is logged below
            if len(group) > 1:
                for shadowed in group:
                    self._score([shadowed])
                return
            self._failed(group[0].answer, loaded, _ms_since(began))
            return
        by = By(Arm.SHADOW, loaded, _ms_since(began))
        start = 0
        for shadowed in group:
            end = start + len(shadowed.answer.scored)
            self._offer_to_log(shadowed.answer, scored[start:end], by)
            start = end

    def _failed(self, answer: Answer, loaded: LoadedModel, ms: float) -> None:
        """Rows without an answer, so that a guard who reads the log counts them."""
        use_case = answer.asked.use_case
        logger.exception("the shadow failed", extra={"use_case": use_case})
        metrics.challenger_failed.labels(use_case, "error").inc(len(answer.scored))
        has_rows = _reads_the_same(loaded, answer)
        nothing = tuple(
            Scored(scored.instance, {}, scored.row if has_rows else None, (), is_scored=False)
            for scored in answer.scored
        )
        self._offer_to_log(answer, nothing, By(Arm.SHADOW, loaded, ms, challenger_failed=True))

    def _offer_to_log(self, answer: Answer, scored: tuple[Scored, ...], by: By) -> None:
        """Half of the log's room is for the answers that were given."""
        count = len(scored)
        if self._log.waiting > self._log.capacity // 2:
            metrics.shadow_dropped.labels(answer.asked.use_case).inc(count)
            return
        said = Answer(answer.request_id, answer.asked, answer.time, answer.epoch, scored, (by,) * count)
        if self._log.offer(said):
            metrics.arm_predictions.labels(answer.asked.use_case, by.arm, by.model.version).inc(count)


def _ms_since(began: float) -> float:
    return round((time.perf_counter() - began) * 1000, 3)


def _of_one_model(batch: Sequence[Shadowed]) -> list[list[Shadowed]]:
    groups: dict[tuple[int, bool], list[Shadowed]] = {}
    for shadowed in batch:
        key = id(shadowed.challenger), _reads_the_same(shadowed.challenger.loaded, shadowed.answer)
        groups.setdefault(key, []).append(shadowed)
    return list(groups.values())


def _reads_the_same(loaded: LoadedModel, answer: Answer) -> bool:
    return all(by.loaded.source is loaded.source for by in answer.by)


def _scored(loaded: LoadedModel, sent: Sequence[Answer]) -> tuple[Scored, ...]:
    """From the very features that were answered from, where the model takes the same."""
    scored = [each for answer in sent for each in answer.scored]
    instances = [each.instance for each in scored]
    if _reads_the_same(loaded, sent[0]):
        return score_rows(loaded, instances, [each.row for each in scored], ())
    return score(loaded, instances, ())
