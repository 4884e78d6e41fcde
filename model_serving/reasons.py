"""The reasons of one answer: beside the requests for predictions, one at a time, and never for longer than a while."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from ml_modeling.evaluation.reasons import Reasons
from model_serving import metrics
from model_serving.asked import Instance
from model_serving.loaded import LoadedModel
from model_serving.schemas import DegradedReason
from model_serving.scoring import Scored, score

_seconds = metrics.stage_seconds.labels("reasons")


@dataclass(frozen=True, slots=True)
class Reasoned:
    """An answer with its reasons; None where it was not made of features."""

    scored: Scored
    reasons: Reasons | None


class ReasonDesk:
    """One thread, so that reasons take no more than their share of the machine from predictions."""

    def __init__(self, timeout_s: float) -> None:
        self.timeout_s = timeout_s
        self._pool = ThreadPoolExecutor(1, "reasons")

    def stop(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def reasons(self, loaded: LoadedModel, instance: Instance, standing: tuple[DegradedReason, ...]) -> Reasoned:
        """The answer of ``instance`` and its reasons, from features that are read once.

        Raises:
            TimeoutError: others are before it, or it takes too long.
            UnexplainableModelError: this model has no reasons.
        """
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(self.timeout_s):
            return await loop.run_in_executor(self._pool, reasoned, loaded, instance, standing)


def reasoned(loaded: LoadedModel, instance: Instance, standing: tuple[DegradedReason, ...]) -> Reasoned:
    """Raises UnexplainableModelError when the model has no reasons."""
    reasoner = loaded.reasons.reasoner()
    scored = score(loaded, [instance], standing)[0]
    if scored.row is None or not scored.is_scored:
        return Reasoned(scored, None)
    with _seconds.time():
        return Reasoned(scored, reasoner.reasons(np.array(scored.row.values, dtype=np.float64)))


def largest(reasons: Reasons, names: Sequence[str], values: Sequence[float | None], top: int) -> list[dict[str, Any]]:
    """The ``top`` features that moved the answer most, whichever way."""
    order = np.argsort(-np.abs(reasons.contributions), kind="stable")[:top]
    return [
        {"feature": names[place], "value": values[place], "contribution": reasons.contributions[place]}
        for place in order.tolist()
    ]
