"""What a look profiles of an answer: the features it was made from, and what the model said."""

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from ml_modeling.registry.answers import ClassScores, Scores, answer
from ml_modeling.registry.scorer import Floats
from ml_modeling.registry.served import MulticlassServing, RegressionServing, Serving
from monitoring.profiles import ColumnDefinition, Kind, TableDefinition


def prediction_names(spec: Serving) -> tuple[str, ...]:
    """The columns of what a model says. No feature is called so: names of features have no blank."""
    match spec:
        case MulticlassServing():
            return tuple(f"predicted {name}" for name in spec.classes)
        case RegressionServing():
            return ("predicted value",)
    return ("predicted score",)


def predictions(spec: Serving, pipeline: Any, matrix: Floats) -> Floats:
    """What the model says of rows of features: shape (n, ``prediction_names``)."""
    said = answer(spec, pipeline, matrix)
    match said:
        case Scores():
            return said.scores.reshape(-1, 1)
        case ClassScores():
            return said.scores
    return said.values.reshape(-1, 1)


def feature_definition(features: Sequence[str], categorical: Collection[str]) -> TableDefinition:
    """Of features: numbers, but for those that are ``categorical``, whose numbers are names."""
    kinds = ((name, Kind.CATEGORICAL if name in categorical else Kind.NUMERIC) for name in features)
    return TableDefinition(tuple(ColumnDefinition(name, kind) for name, kind in kinds))


def prediction_definition(spec: Serving) -> TableDefinition:
    return TableDefinition(tuple(ColumnDefinition(name, Kind.NUMERIC) for name in prediction_names(spec)))


def batch_of(matrix: Floats, definition: TableDefinition) -> pa.RecordBatch:
    """The columns (n, columns of ``definition``) as Arrow data; what is nan has no value."""
    columns = [pa.array(column, pa.float64(), mask=np.isnan(column)) for column in matrix.T]
    return pa.RecordBatch.from_arrays(columns, names=[column.name for column in definition.columns])
