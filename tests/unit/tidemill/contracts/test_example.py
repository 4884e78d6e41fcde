from datetime import UTC, datetime
from typing import Any

import pytest

from tidemill.contracts.checker import Checker, Rejection
from tidemill.contracts.example import example
from tidemill.contracts.registry import Contract, contracts

AT = datetime(2024, 5, 2, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize("topic", contracts())
def test_the_example_of_every_contract_is_a_valid_event(topic: str) -> None:
    value = example(contracts()[topic], AT)
    read = Checker(contracts()[topic]).read(value)
    assert not isinstance(read, Rejection), read
    assert read.time == int(AT.timestamp() * 1_000_000)


@pytest.mark.parametrize(
    "schema",
    [
        {"type": ["null", "string"], "minLength": 3},
        {"type": "string", "format": "date-time"},
        {"type": "string", "pattern": "^[A-Z]{2}$", "examples": ["GB"]},
        {"type": "string", "const": "only this"},
        {"type": "integer", "minimum": 7},
        {"type": "number", "exclusiveMinimum": 0, "x-decimal": [18, 4]},
        {"type": "number", "maximum": -2.5},
        {"type": "integer", "exclusiveMaximum": 0},
        {"type": "array", "items": {"type": "boolean"}, "minItems": 2},
        {"type": "object", "additionalProperties": {"type": "string"}},
    ],
    ids=lambda schema: " ".join(map(str, schema.values())),
)
def test_a_value_of_each_type_is_valid(schema: dict[str, Any]) -> None:
    properties = {"id": {"type": "string", "minLength": 1}, "field": schema}
    whole = {"$id": "urn:t", "type": "object", "properties": properties, "required": ["id", "field"]}
    made = Contract("tests.example.v1", "examples", ("id",), whole)
    assert Checker(made).check_bytes(example(made, AT)) is None
