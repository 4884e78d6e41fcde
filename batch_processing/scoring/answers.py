"""What the model says of rows of features, in Arrow batches: the code that answers requests, asked of partitions."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from batch_processing.scoring.asked import IS_KNOWN
from batch_processing.scoring.model import StoredModel
from ml_modeling.registry.answers import ClassScores, Scores, Values, answer, cold_start

Answers = Scores | ClassScores | Values
Flags = NDArray[np.bool_]
FIELDS = {
    "score": pa.float64(),
    "scores": pa.map_(pa.string(), pa.float64()),
    "value": pa.float64(),
    "interval": pa.list_(pa.float64()),
    "decision": pa.string(),
}
FIELDS_DDL = "score DOUBLE, scores MAP<STRING, DOUBLE>, value DOUBLE, interval ARRAY<DOUBLE>, decision STRING"


def answering(
    stored: StoredModel, kept: Sequence[str]
) -> Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    """For ``mapInArrow``: of batches with the model's features, the columns ``kept`` and :data:`FIELDS`.

    Who is unknown stands in a column :data:`IS_KNOWN`; without it, everybody is known.
    """

    def answered(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        model = stored.load()
        for batch in batches:
            is_known = _flags(batch)
            features = [batch[name].to_numpy(zero_copy_only=False) for name in model.features]
            matrix = np.stack(features, axis=1).astype(np.float64)[is_known]
            asked = answer(model.spec, model.pipeline, matrix) if len(matrix) else None
            columns = fields(asked, cold_start(model.spec), is_known)
            arrays = [*(batch[name] for name in kept), *columns]
            yield pa.RecordBatch.from_arrays(arrays, names=[*kept, *FIELDS])

    return answered


def _flags(batch: pa.RecordBatch) -> Flags:
    if IS_KNOWN not in batch.schema.names:
        return np.ones(len(batch), dtype=np.bool_)
    flags: Flags = batch[IS_KNOWN].to_numpy(zero_copy_only=False)
    return flags


def fields(asked: Answers | None, cold: Answers, is_known: Flags) -> list[pa.Array]:
    """:data:`FIELDS` of rows: the known ones have what was ``asked``, in order, the others the ``cold`` answer."""
    parts = [*([_columns(asked, int(is_known.sum()))] if asked is not None else []), _columns(cold, 1)]
    places = np.where(is_known, np.cumsum(is_known) - 1, int(is_known.sum()))
    found = []
    for name, kind in FIELDS.items():
        column = pa.concat_arrays([part.get(name, pa.nulls(rows, kind)) for part, rows in _sized(parts, is_known)])
        found.append(column.take(pa.array(places)))
    return found


def _sized(parts: list[dict[str, pa.Array]], is_known: Flags) -> list[tuple[dict[str, pa.Array], int]]:
    """The parts with their rows: those asked about, and the one of a cold start."""
    return list(zip(parts, [int(is_known.sum()), 1] if len(parts) > 1 else [1], strict=True))


def _columns(answers: Answers, rows: int) -> dict[str, pa.Array]:
    match answers:
        case Scores():
            return {"score": pa.array(answers.scores), "decision": _decisions(answers.decisions, rows)}
        case ClassScores():
            return {"scores": _by_class(answers), "decision": _decisions(answers.decisions, rows)}
        case Values(low=low, high=high) if low is not None and high is not None:
            return {"value": pa.array(answers.values), "interval": _ends(np.stack([low, high], axis=1))}
    return {"value": pa.array(answers.values)}


def _decisions(decisions: Sequence[str], rows: int) -> pa.Array:
    """Null where none is taken."""
    return pa.array(decisions or (None,) * rows, pa.string())


def _by_class(answers: ClassScores) -> pa.Array:
    rows, classes = answers.scores.shape
    keys = pa.array(answers.classes, pa.string()).take(pa.array(np.tile(np.arange(classes), rows)))
    return pa.MapArray.from_arrays(_offsets(rows, classes), keys, pa.array(answers.scores.ravel()))


def _ends(pairs: NDArray[np.float64]) -> pa.Array:
    return pa.ListArray.from_arrays(_offsets(len(pairs), 2), pa.array(pairs.ravel()))


def _offsets(rows: int, each: int) -> pa.Array:
    return pa.array(np.arange(rows + 1) * each, pa.int32())
