"""Delta tables made from their declarations: created, compared, and widened by new optional columns."""

import json
import threading
from collections.abc import Iterator, Mapping

from deltalake import DeltaTable, Schema
from pyspark.sql import SparkSession
from pyspark.sql.types import StructField, StructType

from data_lake.commits import exists
from data_lake.delta_rs import MissingTableError, location, open_table
from data_lake.schema import schema_json
from data_lake.table import Table
from tidemill.config.errors import TerminalError
from tidemill.config.settings import Settings

_CREATION = threading.Lock()


class TableMismatchError(TerminalError):
    """A table on disk that is not what its declaration says; the message names the column."""


def ensure_table(spark: SparkSession, table: Table, settings: Settings) -> None:
    """Create ``table`` if it is not there; give it the optional columns and the properties it lacks.

    A column that was always there and may now be null is made so. Nothing is written but the table's metadata.

    Raises:
        TableMismatchError: it exists and differs by more than that.
    """
    path = table.path(settings)
    try:
        delta = open_table(table, settings)
    except MissingTableError:
        delta = create_table(table, settings)
    actual = StructType.fromJson(json.loads(delta.schema().to_json()))
    metadata = delta.metadata()
    partitions = tuple(metadata.partition_columns)
    differences = [*column_differences(table, actual, path), *_partition_differences(table, partitions)]
    if differences:
        raise TableMismatchError(f"{table.name} at {path} differs from its declaration: {'; '.join(differences)}")
    _add_columns(spark, table, actual, path)
    _let_be_null(spark, table, actual, path)
    _set_properties(spark, table, metadata.configuration, path)


def column_differences(table: Table, actual: StructType, path: str) -> Iterator[str]:
    """Why a table at ``path`` with the columns ``actual`` cannot serve as ``table``, and what to do; empty when it can.

    A column that others added is left alone as long as it may be null: rows written here have none.
    """
    declared = {field.name.lower(): field for field in _declared(table)}
    for field in actual:
        ours = declared.get(field.name.lower())
        if ours is None and not field.nullable:
            yield (
                f"column {field.name} is not declared, so new rows have none, and in the table it must have a value: "
                f"run in Spark SQL: {_drop_not_null(field.name, path)}"
            )
        elif ours is not None:
            yield from _field_differences(field, ours)
    for field in missing_columns(table, actual):
        if not field.nullable:
            yield (
                f"column {field.name} is declared as always present but the table lacks it: rows of before have none,"
                f" so {_for_rows_of_before(table)}"
            )


def _for_rows_of_before(table: Table) -> str:
    if table.name.split("/")[0] in {"silver", "quarantine"}:
        return "make the topic's rows anew from bronze: `tidemill down stream`, then `tidemill lake rejudge TOPIC`"
    return "declare it as one that may be null"


def _field_differences(actual: StructField, declared: StructField) -> Iterator[str]:
    if actual.name != declared.name:
        yield f"column {actual.name} is declared as {declared.name}: declare it as it is"
    elif _type(actual) != _type(declared):
        yield (
            f"column {actual.name} is {_type(actual)}, declared {_type(declared)}: "
            "declare it as it is, or give the new type a column of its own"
        )
    elif actual.nullable and not declared.nullable:
        yield f"column {actual.name} may be null, declared is always present: declare it as one that may be null"


def missing_columns(table: Table, actual: StructType) -> list[StructField]:
    """The declared columns that ``actual`` lacks."""
    present = {name.lower() for name in actual.names}
    return [field for field in _declared(table) if field.name.lower() not in present]


def _declared(table: Table) -> StructType:
    return StructType.fromJson(schema_json(table.columns))


def create_table(table: Table, settings: Settings) -> DeltaTable:
    """Create ``table`` unless it is there, through delta-rs: in milliseconds, where Spark takes seconds.

    Two queries that need it start at the same moment. Of two creations at once delta-rs commits both, and the second
    gives the table another identity.
    """
    with _CREATION:
        if not exists(table, settings):
            _commit_first_version(table, settings)
    return open_table(table, settings)


def _commit_first_version(table: Table, settings: Settings) -> None:
    DeltaTable.create(
        location(table, settings),
        schema=Schema.from_json(json.dumps(schema_json(table.columns))),
        mode="ignore",
        partition_by=list(table.partition_by),
        description=table.description,
        configuration=dict(table.properties),
        storage_options=settings.lake.storage_options or None,
        raise_if_key_not_exists=False,
    )


def _partition_differences(table: Table, actual: tuple[str, ...]) -> Iterator[str]:
    if actual != table.partition_by:
        yield f"partitioned by {list(actual)}, declared {list(table.partition_by)}"


def _add_columns(spark: SparkSession, table: Table, actual: StructType, path: str) -> None:
    added = ", ".join(f"`{field.name}` {_type(field)}" for field in missing_columns(table, actual))
    if added:
        spark.sql(f"ALTER TABLE delta.`{path}` ADD COLUMNS ({added})")


def _let_be_null(spark: SparkSession, table: Table, actual: StructType, path: str) -> None:
    declared = {field.name for field in _declared(table) if field.nullable}
    for field in actual:
        if field.name in declared and not field.nullable:
            spark.sql(_drop_not_null(field.name, path))


def _drop_not_null(column: str, path: str) -> str:
    return f"ALTER TABLE delta.`{path}` ALTER COLUMN `{column}` DROP NOT NULL"


def _set_properties(spark: SparkSession, table: Table, current: Mapping[str, str | None], path: str) -> None:
    changed = {key: value for key, value in table.properties.items() if current.get(key) != value}
    if changed:
        pairs = ", ".join(f"'{key}' = '{value}'" for key, value in changed.items())
        spark.sql(f"ALTER TABLE delta.`{path}` SET TBLPROPERTIES ({pairs})")


def _type(field: StructField) -> str:
    return field.dataType.simpleString()
