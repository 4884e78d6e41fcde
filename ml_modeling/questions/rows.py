"""Labelled rows: what every kind of question makes, and what is the same for all of them.

A row has a column for each entity and input of its use case, and those named here.
"""

from collections.abc import Sequence
from datetime import date, timedelta

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812
from pyspark.sql.types import BooleanType, DataType, NumericType, StringType

from feature_store.definitions import Answer, Classes, Number, Threshold, YesNo
from feature_store.definitions.windows import micros
from feature_store.offline.training import EVENT_TIMESTAMP
from ml_modeling.questions.lake import QuestionError

LABEL = "label"
KEY = "row_key"
"""Tells rows of one entity and time from each other; a row at a cutoff has none."""
MATURED = "matured_at"
"""From when on the label is known."""
RESERVED = (EVENT_TIMESTAMP, LABEL, KEY, MATURED)


def answered(answer: Answer, value: Column, kind: DataType, where: str) -> Column:
    """The label that ``answer`` makes of ``value``, a column of type ``kind``: an int, for a number a double.

    Raises:
        QuestionError: it takes no value of this type; ``where`` names the column.
    """
    match answer:
        case YesNo() if isinstance(kind, BooleanType):
            return value.cast("int")
        case YesNo() if isinstance(kind, NumericType):
            wrong = F.concat(F.lit(f"{where}: neither 0 nor 1, but "), value.cast("string"))
            return F.when(value.isNull() | value.isin(0, 1), value.cast("int")).otherwise(F.raise_error(wrong))
        case Number() if isinstance(kind, NumericType):
            return _number(value)
        case Threshold(at_least) if isinstance(kind, NumericType):
            return (_number(value) >= F.lit(float(at_least))).cast("int")
        case Classes(edges=edges) if edges and isinstance(kind, NumericType):
            reached = [(_number(value) >= F.lit(float(edge))).cast("int") for edge in edges]
            return sum(reached[1:], reached[0])
        case Classes(names, edges) if not edges and isinstance(kind, StringType):
            wrong = F.concat(F.lit(f"{where}: none of {', '.join(names)}, but "), value)
            known = F.array_position(F.array(*map(F.lit, names)), value).cast("int")
            return F.when(value.isNull() | (known > 0), known - 1).otherwise(F.raise_error(wrong))
    wanted = {YesNo: "a boolean, or 0 and 1", Classes: "a number, if it has edges, else a text"}
    raise QuestionError(
        f"{where} is {kind.simpleString()}, and {type(answer).__name__} takes {wanted.get(type(answer), 'a number')}"
    )


def later(time: Column, duration: timedelta) -> Column:
    """The timestamp ``duration`` after ``time``."""
    return F.timestamp_micros(F.unix_micros(time) + F.lit(micros(duration)))


def moments(spark: SparkSession, cutoffs: Sequence[date]) -> DataFrame:
    """The cutoffs, one a row, for every task."""
    return F.broadcast(spark.createDataFrame([(day,) for day in cutoffs], "cutoff date"))


def sampled(rows: DataFrame, entity_key: str, max_rows: int) -> DataFrame:
    """``rows``, about ``max_rows`` at most: entities are kept or left out whole, by a hash of their name."""
    count = rows.count()
    if count <= max_rows:
        return rows
    bucket = F.pmod(F.xxhash64(F.lit("training sample"), F.col(entity_key)), F.lit(1_000_000))
    return rows.where(bucket < int(1_000_000 * max_rows / count))


def _number(value: Column) -> Column:
    """As a float64; null where it is none."""
    number = value.cast("double")
    return F.when(~F.isnan(number), number)
