"""An event made from its contract's schema, for what is to be tried with a message that is surely harmless."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from tidemill.contracts.events import event
from tidemill.contracts.registry import Contract
from tidemill.contracts.serialise import to_json

SOURCE = "urn:tidemill:example"
FORMATS = {"date": "2024-05-01", "date-time": "2024-05-01T12:00:00Z", "uuid": "00000000-0000-4000-8000-000000000000"}


def example(contract: Contract, time: datetime) -> bytes:
    """The message of an event at ``time`` (aware) with the required fields and the key, each as small as it may be.

    It is valid unless a keyword such as ``pattern`` asks for what the schema's ``examples`` do not show.
    """
    properties = contract.schema["properties"]
    names = dict.fromkeys((*contract.schema["required"], contract.key_fields[0]))
    return to_json(event(contract, SOURCE, "example", time, {name: example_value(properties[name]) for name in names}))


def example_value(schema: Mapping[str, Any]) -> Any:
    """The first of the ``examples`` of a property, or the smallest value that it may have."""
    for keyword in ("examples", "enum"):
        if schema.get(keyword):
            return schema[keyword][0]
    if "const" in schema:
        return schema["const"]
    kinds = [schema["type"]] if isinstance(schema["type"], str) else schema["type"]
    return _smallest(next(kind for kind in kinds if kind != "null"), schema)


def _smallest(kind: str, schema: Mapping[str, Any]) -> Any:
    match kind:
        case "string":
            return FORMATS.get(schema.get("format", ""), "x" * schema.get("minLength", 0))
        case "integer" | "number":
            return _number(schema)
        case "boolean":
            return False
        case "array":
            return [example_value(schema["items"])] * schema.get("minItems", 0)
        case _:
            return {}


def _number(schema: Mapping[str, Any]) -> Any:
    """0, or the whole number nearest to it."""
    low = max(schema.get("minimum", 0), schema.get("exclusiveMinimum", -1) + 1)
    high = min(schema.get("maximum", 0), schema.get("exclusiveMaximum", 1) - 1)
    return low if low > 0 else high
