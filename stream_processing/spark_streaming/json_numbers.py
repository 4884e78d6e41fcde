"""Exact numbers from JSON.

Spark's parser rounds a number to its column's scale, which would change money silently, and takes no whole number that
is written with a point (``2.0``), which JSON Schema calls an integer.
"""

import re

from pyspark.sql import Column
from pyspark.sql import functions as F  # noqa: N812

from contracts.columns import Column as DataColumn

MAX_PRECISION = 38
WHOLE = "DECIMAL(38,18)"
_DECIMAL = re.compile(r"DECIMAL\((\d+),(\d+)\)")


def widened(sql_type: str) -> str:
    """The type to parse a column as: a number gets every digit after the point that Spark can hold."""
    if sql_type == "BIGINT":
        return WHOLE
    decimal = _DECIMAL.fullmatch(sql_type)
    if decimal is None:
        return sql_type
    precision, scale = (int(digits) for digits in decimal.groups())
    return f"DECIMAL({MAX_PRECISION},{MAX_PRECISION - precision + scale})"


def exact(parsed: Column, column: DataColumn) -> Column:
    """``parsed`` in the column's type, or null where that would change the number."""
    if widened(column.sql_type) == column.sql_type:
        return parsed
    narrowed = parsed.try_cast(column.sql_type.lower())
    return F.when(narrowed == parsed, narrowed)
