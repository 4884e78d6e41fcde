"""Delta tables made from their declarations: created, compared, and widened by new optional columns."""

import json
from collections.abc import Iterator, Mapping
from typing import cast

from deltalake import DeltaTable, Schema
from pyspark.sql import SparkSession
from pyspark.sql.types import StructField, StructType

from config.errors import TerminalError
from config.settings import Settings
from data_lake.delta_rs import MissingTableError, location, open_table
from data_lake.schema import schema_json
from data_lake.tables import Table


class TableMismatchError(TerminalError):
    """A table on disk that is not what its declaration says; the message names the column."""


def ensure_table(spark: SparkSession, table: Table, settings: Settings) -> None:
    """Create ``table`` if it is not there; give it the optional columns and the properties it lacks.

    Raises:
        TableMismatchError: it exists and differs by more than new optional columns.
    """
    path = table.path(settings)
    try:
        delta = open_table(table, settings)
    except MissingTableError:
        create_table(table, settings)
        return
    actual = StructType.fromJson(json.loads(delta.schema().to_json()))
    metadata = delta.metadata()
    partitions = tuple(metadata.partition_columns)
    differences = [*column_differences(table, actual), *_partition_differences(table, partitions)]
    if differences:
        raise TableMismatchError(f"{table.name} at {path} differs from its declaration: {'; '.join(differences)}")
    _add_columns(spark, table, actual, path)
    _set_properties(spark, table, metadata.configuration, path)


def column_differences(table: Table, actual: StructType) -> Iterator[str]:
    """Why a table with the columns ``actual`` cannot serve as ``table``; empty when it can."""
    declared = {field.name: field for field in _declared(table)}
    for field in actual:
        if field.name not in declared:
            yield f"column {field.name} is in the table but not declared: declare it, or drop the column"
        elif _type(field) != _type(declared[field.name]):
            yield f"column {field.name} is {_type(field)}, declared {_type(declared[field.name])}"
        elif field.nullable != declared[field.name].nullable:
            yield f"column {field.name} {_presence(field)}, declared {_presence(declared[field.name])}"
    for field in missing_columns(table, actual):
        if not field.nullable:
            yield f"column {field.name} is declared as always present but the table lacks it: rows of before have none"


def missing_columns(table: Table, actual: StructType) -> list[StructField]:
    """The declared columns that ``actual`` lacks."""
    return [field for field in _declared(table) if field.name not in actual.names]


def _declared(table: Table) -> StructType:
    return cast("StructType", StructType.fromDDL(table.ddl))


def create_table(table: Table, settings: Settings) -> None:
    """Create ``table`` unless it is there, through delta-rs: in milliseconds, where Spark takes seconds."""
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


def _set_properties(spark: SparkSession, table: Table, current: Mapping[str, str | None], path: str) -> None:
    changed = {key: value for key, value in table.properties.items() if current.get(key) != value}
    if changed:
        pairs = ", ".join(f"'{key}' = '{value}'" for key, value in changed.items())
        spark.sql(f"ALTER TABLE delta.`{path}` SET TBLPROPERTIES ({pairs})")


def _type(field: StructField) -> str:
    return field.dataType.simpleString()


def _presence(field: StructField) -> str:
    return "may be null" if field.nullable else "is always present"
