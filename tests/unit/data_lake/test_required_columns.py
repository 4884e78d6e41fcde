import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from data_lake.delta_rs import open_table
from data_lake.required_columns import require_columns
from data_lake.table import CHANGE_FEED, Table
from data_lake.tables import STREAMED
from tidemill.config import Settings
from tidemill.contracts.columns import Column

TABLE = Table(
    name="silver/things",
    description="things",
    columns=(
        Column("id", "BIGINT", False),
        Column("name", "STRING", True),
        Column("digest", "BIGINT", False),
        Column("month", "STRING", False),
    ),
    keys=("id",),
    partition_by=("month",),
    properties={**CHANGE_FEED, **STREAMED},
)


def written(settings: Settings, digest: int | None) -> DeltaTable:
    """The table with a digest that may be null, and a column that somebody else added."""
    required, optional = {"nullable": False}, {"nullable": True}
    schema = pa.schema(
        [
            pa.field("id", pa.int64(), **required),
            pa.field("name", pa.string(), **optional),
            pa.field("month", pa.string(), **required),
            pa.field("note", pa.string(), **optional),
            pa.field("digest", pa.int64(), **optional),
        ]
    )
    rows = [{"id": number, "name": None, "month": "2024-05", "note": "x", "digest": digest} for number in range(3)]
    path = TABLE.path(settings)
    table = pa.Table.from_pylist(rows, schema=schema)
    write_deltalake(path, table, partition_by=["month"], configuration=dict(TABLE.properties))
    return DeltaTable(path)


def test_columns_become_what_is_declared_and_nothing_else_changes(settings: Settings) -> None:
    before = written(settings, 7)
    assert require_columns(TABLE, settings)
    after = open_table(TABLE, settings)
    assert {field.name: field.nullable for field in after.schema().fields} == {
        "id": False,
        "name": True,
        "month": False,
        "note": True,
        "digest": False,
    }
    assert (after.version(), after.metadata().id) == (before.version() + 1, before.metadata().id)
    assert after.metadata().configuration == before.metadata().configuration
    assert after.metadata().partition_columns == ["month"]
    assert after.to_pyarrow_table().to_pylist() == before.to_pyarrow_table().to_pylist()


def test_a_table_that_is_as_declared_is_left_alone(settings: Settings) -> None:
    written(settings, 7)
    require_columns(TABLE, settings)
    assert not require_columns(TABLE, settings)
    assert open_table(TABLE, settings).version() == 1


def test_a_null_in_such_a_column_ends_it_with_nothing_written(settings: Settings) -> None:
    written(settings, None)
    with pytest.raises(Exception, match="digest"):
        require_columns(TABLE, settings)
    assert open_table(TABLE, settings).version() == 0
