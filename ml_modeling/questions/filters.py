"""The filters of definitions as conditions of Spark; ``feature_store.columns.filters`` is the same in memory."""

from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F  # noqa: N812
from pyspark.sql.types import BooleanType, DataType, FractionalType, NumericType, StringType

from feature_store.columns.events import LARGEST
from feature_store.definitions import Filter, Source
from feature_store.definitions.filters import Comparison, Scalar
from feature_store.lake.silver import source_column
from ml_modeling.questions.lake import QuestionError

COMPARED: Mapping[Comparison, Callable[[Column, Any], Column]] = {
    Comparison.EQUAL: lambda value, operand: value == operand,
    Comparison.NOT_EQUAL: lambda value, operand: value != operand,
    Comparison.LESS: lambda value, operand: value < operand,
    Comparison.LESS_OR_EQUAL: lambda value, operand: value <= operand,
    Comparison.GREATER: lambda value, operand: value > operand,
    Comparison.GREATER_OR_EQUAL: lambda value, operand: value >= operand,
}


def passing(filters: Sequence[Filter], rows: DataFrame, source: Source) -> Column:
    """True for the ``rows`` of ``source`` that pass all of ``filters``.

    Raises:
        QuestionError: a column is compared with what it cannot be.
    """
    return reduce(Column.__and__, (_passing(one, rows, source) for one in filters), F.lit(True))


def _passing(one: Filter, rows: DataFrame, source: Source) -> Column:
    value = source_column(rows, source, one.column)
    kind = rows.select(value).schema[0].dataType
    if isinstance(kind, FractionalType):
        value = F.when(F.abs(value) <= F.lit(LARGEST), value)  # what is no measurement is null, not a number too large
    if one.comparison is Comparison.IS_NULL:
        return value.isNull()
    if one.comparison is Comparison.IS_NOT_NULL:
        return value.isNotNull()
    operands = [_operand(one, operand, kind) for operand in one.operands]
    if one.comparison is Comparison.IN:
        compared = reduce(Column.__or__, (value == operand for operand in operands))
    else:
        compared = COMPARED[one.comparison](value, operands[0])
    return F.coalesce(compared, F.lit(False))


def _operand(one: Filter, operand: Scalar, kind: DataType) -> Column:
    if isinstance(kind, StringType) and isinstance(operand, str):
        return F.lit(operand)
    if isinstance(kind, BooleanType) and not isinstance(operand, str) and operand in (0, 1):
        return F.lit(bool(operand))
    if isinstance(kind, NumericType) and not isinstance(operand, str):
        return F.lit(int(operand) if isinstance(operand, bool) else operand)
    raise QuestionError(f"filter on {one.column}: a column of {kind.simpleString()} is not compared with {operand!r}")
