"""What a model answers, a row at a time: the fields of the answer, by the model's task."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml_modeling.registry import ServedModel
from ml_modeling.registry.answers import ClassScores, Scores, Values, answer, cold_start
from tidemill.config.errors import TerminalError

SHOWN = 10
Fields = dict[str, Any]
"""``score`` and ``decision``, ``scores`` and ``decision``, or ``value`` and ``interval``."""


class UnusableModelError(TerminalError):
    """A registered model that cannot score, or whose scores are no probabilities."""


def answers(model: ServedModel, matrix: NDArray[np.float64]) -> list[Fields]:
    """The answer of each row of ``matrix`` (n, features)."""
    return _rows(answer(model.spec, model.pipeline, matrix), len(matrix))


def checked_answers(model: ServedModel, matrix: NDArray[np.float64]) -> list[Fields]:
    """As :func:`answers`.

    Raises:
        UnusableModelError: they are no probabilities, or no numbers.
    """
    columns = answer(model.spec, model.pipeline, matrix)
    _check_columns(columns, len(matrix))
    return _rows(columns, len(matrix))


def cold_answer(model: ServedModel) -> Fields:
    """The answer for who has no features."""
    return _rows(cold_start(model.spec), 1)[0]


def warm(model: ServedModel) -> None:
    """Let ``model`` score once, so that no request pays for what it does lazily.

    Raises:
        UnusableModelError: it fails, or answers with something else than probabilities, or than numbers.
    """
    matrix = np.vstack([np.full(len(model.features), np.nan), np.zeros(len(model.features))])
    try:
        found = answer(model.spec, model.pipeline, matrix)
    except Exception as error:
        raise UnusableModelError(f"it cannot score {len(matrix)} rows: {error}") from error
    _check_columns(found, len(matrix))


def _check_columns(found: Scores | ClassScores | Values, rows: int) -> None:
    match found:
        case Values():
            _check(found.values, (rows,), np.isfinite(found.values), "numbers")
        case ClassScores():
            _check(found.scores, (rows, len(found.classes)), _is_probability(found.scores), "probabilities")
        case Scores():
            _check(found.scores, (rows,), _is_probability(found.scores), "probabilities")


def _is_probability(scores: NDArray[np.float64]) -> NDArray[np.bool_]:
    return np.asarray((scores >= 0) & (scores <= 1))


def _check(scores: NDArray[np.float64], shape: tuple[int, ...], is_right: NDArray[np.bool_], kind: str) -> None:
    if scores.shape != shape or not is_right.all():
        wanted = " x ".join(map(str, shape))
        raise UnusableModelError(f"it scores {scores.ravel()[:SHOWN].tolist()}, which are not {wanted} {kind}")


def _rows(columns: Scores | ClassScores | Values, rows: int) -> list[Fields]:
    match columns:
        case Scores():
            decisions = columns.decisions or (None,) * rows
            scores = columns.scores.tolist()
            return [{"score": score, "decision": made} for score, made in zip(scores, decisions, strict=True)]
        case ClassScores():
            decisions = columns.decisions or (None,) * rows
            by_class = [dict(zip(columns.classes, row, strict=True)) for row in columns.scores.tolist()]
            return [{"scores": scores, "decision": made} for scores, made in zip(by_class, decisions, strict=True)]
        case Values():
            values = columns.values.tolist()
            if columns.low is None or columns.high is None:
                return [{"value": value, "interval": None} for value in values]
            ends = zip(columns.low.tolist(), columns.high.tolist(), strict=True)
            return [{"value": value, "interval": [*pair]} for value, pair in zip(values, ends, strict=True)]
