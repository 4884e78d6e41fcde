"""The query of a gold table, asked of Spark: what is wrong with it ends in one sentence that names its file."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast
from uuid import uuid4

from py4j.protocol import Py4JJavaError  # type: ignore[import-untyped]
from pyspark.errors import (
    AnalysisException,
    ArithmeticException,
    ArrayIndexOutOfBoundsException,
    DateTimeException,
    NumberFormatException,
    PySparkException,
    SparkRuntimeException,
)
from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812
from pyspark.sql.types import StructType

from data_lake.gold import DAY, EVENTS, MONTH, GoldTable, GoldTableError
from data_lake.table import Table

OF_THE_QUERY = (
    AnalysisException,
    ArithmeticException,
    ArrayIndexOutOfBoundsException,
    DateTimeException,
    NumberFormatException,
    SparkRuntimeException,
)
"""What Spark raises for what a query says or finds in its rows."""
OF_THE_QUERY_TOO = re.compile(r"\[[A-Z0-9_.]+\] .*SQLSTATE: (?:21|22|42)\w{3}")
"""Where Spark raises no kind of its own, SQL's classes do: a subquery of several rows, a bad value, a bad query."""
REPLACED_OTHERS = "DELTA_REPLACE_WHERE_MISMATCH"
NO_VALUE = "DELTA_NOT_NULL_CONSTRAINT_VIOLATED"


def query_rows(declared: GoldTable, target: Table, events: DataFrame) -> DataFrame:
    """The rows that the query makes of ``events``, and their partition.

    Raises:
        GoldTableError: Spark refuses the query, or its columns are not those declared.
    """
    rows = _asked(declared, events)
    differences = list(_differences(target, rows.schema))
    if differences:
        raise GoldTableError(f"{declared.file}: the query does not give the columns declared: {'; '.join(differences)}")
    return rows.withColumn(MONTH, F.date_format(DAY, "yyyy-MM"))


def _asked(declared: GoldTable, events: DataFrame) -> DataFrame:
    """``events`` under that name for this query alone: a session may run several at a time."""
    spark, view = events.sparkSession, f"{EVENTS}_{uuid4().hex}"
    events.createOrReplaceTempView(view)
    try:
        with refusals(declared):  # as a part of another query it can be nothing but one
            asked = f"WITH {EVENTS} AS (SELECT * FROM {view}) SELECT * FROM ({declared.query}\n)"  # noqa: S608
            return spark.sql(asked)
    finally:
        spark.catalog.dropTempView(view)


def _differences(target: Table, given: StructType) -> Iterator[str]:
    for name in sorted({name for name in given.names if given.names.count(name) > 1}):
        yield f"{name} is there twice"
    wanted, types = _types(cast("StructType", StructType.fromDDL(target.ddl))), _types(given)
    del wanted[MONTH]
    for name, kind in wanted.items():
        if name not in types:
            yield f"{name} {kind} is missing"
        elif types[name] != kind:
            yield f"{name} should be {kind}, and is {types[name]}"
    for name, kind in types.items():
        if name not in wanted:
            yield f"{name} {kind} is not declared"


def _types(columns: StructType) -> dict[str, str]:
    return {field.name: field.dataType.simpleString() for field in columns}


@contextmanager
def refusals(declared: GoldTable) -> Iterator[None]:
    """Turns what Spark says against the query into one sentence.

    Raises:
        GoldTableError: Spark refused the query, or a row that it made.
    """
    try:
        yield
    except (PySparkException, Py4JJavaError) as error:
        text = str(error)
        if NO_VALUE in text or isinstance(error, OF_THE_QUERY):
            raise GoldTableError(f"{declared.file}: {_sentence(text)}") from error
        if said := OF_THE_QUERY_TOO.search(text):
            raise GoldTableError(f"{declared.file}: {_sentence(said[0])}") from error
        raise


def _sentence(text: str) -> str:
    """Of Spark's message and the trace behind it; Delta tells a null in days to replace as a row of other days."""
    if NO_VALUE in text:
        reason = text[text.index(f"[{NO_VALUE}") :].splitlines()[0].strip()
        return f"a column is null that is declared without a ?: {reason}"
    reason = next(line for line in text.splitlines() if line.strip()).strip()
    if REPLACED_OTHERS in text:
        return (
            f"the query gives rows of other days than those of its events: {DAY} must be that of the events: {reason}"
        )
    return f"Spark refuses the query: {reason}"
