"""Counts differences batch by batch, in bounded memory."""

import heapq
import itertools
import math
from collections import Counter
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from ml_modeling.registry.scorer import Floats
from ml_modeling.replay.logged import LoggedAnswers
from ml_modeling.replay.report import Behind, Differences, Example, Proof

EXAMPLES = 10
SAMPLE = 50_000
RANGES = 5
BEHIND = 5
QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
ARROW = " -> "


@dataclass(frozen=True)
class Replayed:
    """What the model says now, a row an answer: as :class:`LoggedAnswers` has them."""

    answers: Floats
    decisions: npt.NDArray[np.object_]


@dataclass
class Proving:
    """Own answers against the log."""

    answers: int = 0
    different: int = 0
    examples: list[Example] = field(default_factory=list)
    matrix: Floats | None = None

    def add(self, logged: LoggedAnswers, now: Replayed) -> None:
        """Count answers that are not the same to the last bit."""
        is_other = (logged.answers != now.answers).any(axis=1) | (logged.decisions != now.decisions)
        self.answers += len(logged)
        self.different += int(is_other.sum())
        if self.matrix is None and is_other.any():
            self.matrix = logged.matrix[is_other]
        for row in np.flatnonzero(is_other)[: EXAMPLES - len(self.examples)].tolist():
            self.examples.append(_example(logged, now, row))

    def result(self, why: str) -> Proof | None:
        if not self.answers:
            return None
        return Proof(answers=self.answers, different=self.different, why=why, examples=tuple(self.examples))


@dataclass
class Comparing:
    """Others' answers against the model's; the rows of the sample are drawn evenly, with keys from ``seed``."""

    features: tuple[str, ...]
    seed: int = 0
    _answers: int = 0
    _sum: float = 0.0
    _absolute: float = 0.0
    _changes: Counter[str] = field(default_factory=Counter)
    _examples: list[tuple[float, int, Example]] = field(default_factory=list)
    _told: int = 0
    _keys: Floats = field(default_factory=lambda: np.empty(0))
    _differences: Floats = field(default_factory=lambda: np.empty(0))
    _rows: Floats | None = None

    def __post_init__(self) -> None:
        self._random = np.random.default_rng(self.seed)

    def add(self, logged: LoggedAnswers, now: Replayed) -> None:
        """Count the differences of a batch."""
        differences = _differences(logged.answers, now.answers)
        known = ~np.isnan(differences)
        if not known.all():
            logged, now = logged.where(known), Replayed(now.answers[known], now.decisions[known])
            differences = differences[known]
        self._answers += len(differences)
        self._sum += float(differences.sum())
        self._absolute += float(np.abs(differences).sum())
        is_other = logged.decisions != now.decisions
        pairs = zip(logged.decisions[is_other], now.decisions[is_other], strict=True)
        self._changes.update(f"{before}{ARROW}{after}" for before, after in pairs)
        for row in np.argsort(-np.abs(differences), kind="stable")[:EXAMPLES].tolist():
            self._keep(float(abs(differences[row])), _example(logged, now, row))
        self._draw(logged.matrix, differences)

    def result(self) -> Differences | None:
        if not self._answers:
            return None
        found = sorted(self._examples, key=lambda kept: (-kept[0], -kept[1]))
        return Differences(
            answers=self._answers,
            mean=self._sum / self._answers,
            mean_absolute=self._absolute / self._answers,
            largest=found[0][0],
            sampled=len(self._differences),
            quantiles={f"{at:g}": float(np.quantile(self._differences, at)) for at in QUANTILES},
            decisions=dict(sorted(self._changes.items(), key=lambda change: (-change[1], change[0]))),
            behind=self._behind(),
            examples=tuple(example for _, _, example in found),
        )

    def _keep(self, size: float, example: Example) -> None:
        self._told -= 1  # of equal sizes the first told stays
        heapq.heappush(self._examples, (size, self._told, example))
        if len(self._examples) > EXAMPLES:
            heapq.heappop(self._examples)

    def _draw(self, matrix: Floats, differences: Floats) -> None:
        """Keep the rows with the smallest of evenly drawn keys: of all rows so far an even sample."""
        keys = np.concatenate([self._keys, self._random.random(len(differences))])
        rows = matrix if self._rows is None else np.vstack([self._rows, matrix])
        values = np.concatenate([self._differences, differences])
        kept = np.argpartition(keys, SAMPLE)[:SAMPLE] if len(keys) > SAMPLE else np.arange(len(keys))
        self._keys, self._rows, self._differences = keys[kept], rows[kept], values[kept]

    def _behind(self) -> tuple[Behind, ...]:
        if self._rows is None or not self._differences.var():
            return ()
        columns = zip(self.features, self._rows.T, strict=True)
        found = (behind(name, column, self._differences) for name, column in columns)
        ranked = sorted((one for one in found if one is not None), key=lambda one: -one.share)
        return tuple(ranked[:BEHIND])


def behind(name: str, column: Floats, differences: Floats) -> Behind | None:
    """How much of the differences' variance lies between the ranges of a feature: the correlation ratio, eta squared.

    The ranges are its quintiles and, where it has none, a missing value; None when all rows are in one range.
    K. Pearson, "On the general theory of skew correlation and non-linear regression" (1905).
    """
    known = column[~np.isnan(column)]
    edges = np.unique(np.quantile(known, np.linspace(0, 1, RANGES + 1)[1:-1])) if len(known) else np.empty(0)
    places = np.where(np.isnan(column), len(edges) + 1, np.searchsorted(edges, column, side="right"))
    counts = np.bincount(places, minlength=len(edges) + 2)
    is_used = counts > 0
    if is_used.sum() < 2:
        return None
    means = np.bincount(places, weights=differences, minlength=len(counts))[is_used] / counts[is_used]
    share = float((counts[is_used] * (means - differences.mean()) ** 2).sum() / (len(differences) * differences.var()))
    names = [text for text, used in zip(_ranges(edges), is_used, strict=True) if used]
    low, high = int(means.argmin()), int(means.argmax())
    return Behind(
        feature=name,
        share=share,
        low=float(means[low]),
        low_range=names[low],
        high=float(means[high]),
        high_range=names[high],
    )


def _ranges(edges: Floats) -> list[str]:
    ends = [-math.inf, *edges.tolist(), math.inf]
    texts = [f"[{begin:.4g}, {end:.4g})" for begin, end in itertools.pairwise(ends)]
    return [*texts, "missing"]


def _differences(before: Floats, now: Floats) -> Floats:
    """The signed difference (n,) of one output, half the sum of the absolute ones of several."""
    changes: Floats = now - before
    is_one = changes.shape[1] == 1
    found: Floats = changes[:, 0] if is_one else np.abs(changes).sum(axis=1) / 2
    return found


def _example(logged: LoggedAnswers, now: Replayed, row: int) -> Example:
    return Example(
        request_id=logged.request_ids[row],
        entity_id=logged.entity_ids[row],
        logged=tuple(logged.answers[row].tolist()),
        logged_decision=str(logged.decisions[row]),
        replayed=tuple(now.answers[row].tolist()),
        replayed_decision=str(now.decisions[row]),
    )
