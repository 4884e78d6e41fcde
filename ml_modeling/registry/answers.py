"""What a stored model of any task answers for rows of features: what the model server sends, in columns."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ml_modeling.registry.scorer import Floats, numbers, probabilities
from ml_modeling.registry.served import MulticlassServing, RegressionServing, Serving, ServingSpec


@dataclass(frozen=True)
class Scores:
    """Yes or no: the probability (n,) of the positive decision, and the decision of each row."""

    scores: Floats
    decisions: tuple[str, ...]


@dataclass(frozen=True)
class ClassScores:
    """One of some classes: a probability for each (n, classes), and the most likely one of each row."""

    classes: tuple[str, ...]
    scores: Floats
    decisions: tuple[str, ...]


@dataclass(frozen=True)
class Values:
    """A number (n,), and the ends (n,) of an interval around it where the model has one."""

    values: Floats
    low: Floats | None
    high: Floats | None


def answer(spec: Serving, pipeline: Any, matrix: Floats) -> Scores | ClassScores | Values:
    """The answers of a fitted pipeline; ``matrix`` (n, features) is ordered like ``spec.features``, nan is missing."""
    match spec:
        case ServingSpec():
            scores = probabilities(pipeline, matrix)[:, 1]
            return Scores(scores, tuple(spec.decisions[score >= spec.threshold] for score in scores.tolist()))
        case MulticlassServing():
            of_classes = probabilities(pipeline, matrix)
            chosen = tuple(spec.classes[number] for number in of_classes.argmax(axis=1).tolist())
            return ClassScores(spec.classes, of_classes, chosen)
        case RegressionServing():
            return _values(spec, numbers(pipeline, matrix))


def cold_start(spec: Serving) -> Scores | ClassScores | Values:
    """The answer for one entity without features; a decision that is not taken is not there."""
    match spec:
        case ServingSpec():
            decided = (spec.cold_start_decision,) if spec.cold_start_decision else ()
            return Scores(np.array([spec.cold_start_score]), decided)
        case MulticlassServing():
            decided = (spec.cold_start_decision,) if spec.cold_start_decision else ()
            return ClassScores(spec.classes, np.array([spec.cold_start_scores]), decided)
        case RegressionServing():
            return Values(np.array([spec.cold_start_value]), None, None)


def _values(spec: RegressionServing, raw: Floats) -> Values:
    floor = -np.inf if spec.minimum is None else spec.minimum
    values = np.maximum(raw, floor)
    if spec.interval is None:
        return Values(values, None, None)
    return Values(values, np.maximum(values + spec.interval.below, floor), values + spec.interval.above)
