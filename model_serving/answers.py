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


def answers(model: ServedModel, matrix: NDArray[np.float64]) -> list[Fields | None]:
    """The answer of each row of ``matrix`` (n, features); None for one without probabilities, or a finite number.

    Raises:
        UnusableModelError: there are more answers or fewer than rows, or than classes.
    """
    columns = answer(model.spec, model.pipeline, matrix)
    is_answered = _is_answered(columns, len(matrix)).tolist()
    return [fields if there else None for fields, there in zip(_rows(columns, len(matrix)), is_answered, strict=True)]


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
    if not _is_answered(found, len(matrix)).all():
        raise _unusable(found, len(matrix))


def _is_answered(found: Scores | ClassScores | Values, rows: int) -> NDArray[np.bool_]:
    """For which rows (n,) there are probabilities, or finite numbers."""
    numbers = _numbers(found)
    if numbers.shape != _shape(found, rows):
        raise _unusable(found, rows)
    if not isinstance(found, Values):
        return np.asarray(((numbers >= 0) & (numbers <= 1)).reshape(rows, -1).all(axis=1))
    ends = [end for end in (found.low, found.high) if end is not None]
    return np.asarray(np.isfinite([numbers, *ends]).all(axis=0))


def _unusable(found: Scores | ClassScores | Values, rows: int) -> UnusableModelError:
    wanted = " x ".join(map(str, _shape(found, rows)))
    kind = "numbers" if isinstance(found, Values) else "probabilities"
    return UnusableModelError(f"it scores {_numbers(found).ravel()[:SHOWN].tolist()}, which are not {wanted} {kind}")


def _numbers(found: Scores | ClassScores | Values) -> NDArray[np.float64]:
    return found.values if isinstance(found, Values) else found.scores


def _shape(found: Scores | ClassScores | Values, rows: int) -> tuple[int, ...]:
    return (rows, len(found.classes)) if isinstance(found, ClassScores) else (rows,)


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
