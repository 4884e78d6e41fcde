"""One definition: the columns agree with the schemas they are made from."""

import json
from typing import Any

import pytest

from tidemill.contracts import Contract, ContractError, contract, contracts, data_columns, data_ddl
from tidemill.contracts.registry import SCHEMAS


def with_field(schema: dict[str, Any]) -> Contract:
    return Contract("t", "t", ("f",), {"$id": "t", "properties": {"f": schema}, "required": ["f"]})


def test_transactions_have_these_columns() -> None:
    assert data_ddl(contract("shop.transaction.v1")) == (
        "`order_id` STRING, `line` BIGINT, `customer_id` STRING, `product_id` STRING, `description` STRING, "
        "`quantity` BIGINT, `unit_price` DECIMAL(18,4), `currency` STRING, `country` STRING, `kind` STRING"
    )


def test_card_payments_and_verdicts_have_these_columns() -> None:
    assert data_ddl(contract("payment.card_transaction.v1")) == (
        "`transaction_id` STRING, `customer_id` STRING, `terminal_id` STRING, `amount` DECIMAL(18,4), `currency` STRING"
        ", `terminal_latitude` DOUBLE, `terminal_longitude` DOUBLE"
    )
    assert data_ddl(contract("payment.card_verdict.v1")) == (
        "`transaction_id` STRING, `customer_id` STRING, `terminal_id` STRING, `is_fraud` BOOLEAN"
    )


def test_what_comes_from_outside_has_exact_numbers() -> None:
    assert data_ddl(contract("shop.inventory.v1")) == (
        "`product_id` STRING, `location_id` STRING, `on_hand` BIGINT, `reserved` BIGINT, `unit_cost` DECIMAL(18,4), "
        "`currency` STRING"
    )
    assert data_ddl(contract("shop.promotion.v1")) == (
        "`promotion_id` STRING, `product_id` STRING, `name` STRING, `discount_percent` DECIMAL(5,2), "
        "`starts_at` TIMESTAMP, `ends_at` TIMESTAMP"
    )
    assert data_ddl(contract("market.competitor_price.v1")) == (
        "`product_id` STRING, `competitor` STRING, `price` DECIMAL(18,4), `currency` STRING, `in_stock` BOOLEAN"
    )
    assert data_ddl(contract("market.weather.v1")) == (
        "`station_id` STRING, `temperature_c` DECIMAL(5,2), `precipitation_mm` DECIMAL(6,2), `wind_m_s` DECIMAL(5,2), "
        "`humidity_percent` DECIMAL(5,2)"
    )


def test_only_what_an_event_may_lack_is_nullable() -> None:
    nullable = {column.name for column in data_columns(contract("shop.transaction.v1")) if column.nullable}
    assert nullable == {"customer_id", "description"}


@pytest.mark.parametrize("topic", sorted(contracts()))
def test_every_property_is_one_column(topic: str) -> None:
    schema = json.loads((SCHEMAS / f"{topic}.json").read_text(encoding="utf-8"))
    assert [column.name for column in data_columns(contract(topic))] == list(schema["properties"])


@pytest.mark.parametrize(
    ("schema", "sql_type"),
    [
        ({"type": "integer"}, "BIGINT"),
        ({"type": ["null", "boolean"]}, "BOOLEAN"),
        ({"type": "number"}, "DOUBLE"),
        ({"type": "number", "x-decimal": [10, 2]}, "DECIMAL(10,2)"),
        ({"type": "string", "format": "date-time"}, "TIMESTAMP"),
        ({"type": "array", "items": {"type": "string"}}, "ARRAY<STRING>"),
        ({"type": "object", "additionalProperties": {"type": ["number", "null"]}}, "MAP<STRING,DOUBLE>"),
    ],
)
def test_a_type_has_its_column_type(schema: dict[str, Any], sql_type: str) -> None:
    assert data_columns(with_field(schema))[0].sql_type == sql_type


@pytest.mark.parametrize("schema", [{}, {"type": ["string", "integer"]}, {"type": "object"}, {"type": "null"}])
def test_a_type_without_a_column_type_is_an_error(schema: dict[str, Any]) -> None:
    with pytest.raises(ContractError, match="f "):
        data_columns(with_field(schema))
