import pytest

from data_lake import tables
from data_lake.delta_rs import location
from data_lake.sql import sql_name
from data_lake.table import Table
from tidemill.config import Settings
from tidemill.contracts import contracts


@pytest.mark.parametrize("table", tables.tables().values(), ids=lambda table: table.name)
def test_keys_and_partitions_are_columns_that_always_have_a_value(table: Table) -> None:
    required = {column.name for column in table.columns if not column.nullable}
    # Bronze is never rewritten: its rows of before generations were noted have none, which means the first.
    of_old = {"generation"} if table.name.startswith("bronze/") else set()
    assert set(table.keys) <= required | of_old
    assert set(table.partition_by) <= required
    assert len({column.name for column in table.columns}) == len(table.columns)


def test_every_topic_has_a_table_in_each_layer_of_the_stream() -> None:
    for topic, contract in contracts().items():
        assert tables.bronze(topic).name == f"bronze/{topic}"
        assert tables.silver(topic).name == f"silver/{contract.table}"
        assert tables.quarantine(topic).name == f"quarantine/{topic}"


def test_an_unknown_table_is_answered_with_the_known_ones() -> None:
    with pytest.raises(tables.UnknownTableError, match=r"no table 'silver/nothing'; known: bronze/.*silver/clicks"):
        tables.table("silver/nothing")


def test_delta_rs_gets_the_scheme_it_knows(settings: Settings) -> None:
    on_s3 = settings.model_copy(update={"lake": settings.lake.model_copy(update={"root": "s3a://bucket/lake"})})
    assert location(tables.silver("shop.click.v1"), on_s3) == "s3://bucket/lake/silver/clicks"


def test_a_name_with_dots_is_quoted_in_sql() -> None:
    assert sql_name(tables.silver("shop.click.v1")) == "silver.clicks"
    assert sql_name(tables.quarantine("shop.click.v1")) == 'quarantine."shop.click.v1"'
