"""What a model says to all that was asked, as a distribution, in bounded memory."""

from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from ml_modeling.registry.scorer import Floats
from ml_modeling.replay.comparing import SAMPLE, Replayed
from ml_modeling.replay.report import Said

QUANTILES = 201


@dataclass
class Saying:
    """The sample is drawn evenly, with keys from ``seed``."""

    seed: int = 0
    _answers: int = 0
    _decisions: Counter[str] = field(default_factory=Counter)
    _keys: Floats = field(default_factory=lambda: np.empty(0))
    _values: Floats = field(default_factory=lambda: np.empty(0))

    def __post_init__(self) -> None:
        self._random = np.random.default_rng(self.seed)

    def add(self, now: Replayed) -> None:
        """Count a batch of answers."""
        self._answers += len(now.answers)
        self._decisions.update(map(str, now.decisions))
        if now.answers.shape[1] != 1:
            return
        keys = np.concatenate([self._keys, self._random.random(len(now.answers))])
        values = np.concatenate([self._values, now.answers[:, 0]])
        kept = np.argpartition(keys, SAMPLE)[:SAMPLE] if len(keys) > SAMPLE else np.arange(len(keys))
        self._keys, self._values = keys[kept], values[kept]

    def result(self) -> Said | None:
        if not self._answers:
            return None
        quantiles = np.quantile(self._values, np.linspace(0, 1, QUANTILES)).tolist() if len(self._values) else []
        decisions = dict(sorted(self._decisions.items()))
        return Said(answers=self._answers, quantiles=tuple(quantiles), decisions=decisions)
