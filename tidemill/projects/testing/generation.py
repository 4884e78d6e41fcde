"""Events made from a contract alone: valid ones, with the values at its bounds, and those that a definition names."""

import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random
from typing import Any

from tidemill.contracts.checker import checker
from tidemill.contracts.events import event
from tidemill.contracts.registry import Contract
from tidemill.projects.testing.given import SOURCE

TIME = datetime(2026, 1, 1, tzinfo=UTC)
LARGEST = 1_000_000
FORMATS = {
    "date": ("2024-02-29", "2026-01-01"),
    "date-time": ("2024-02-29T23:59:59.999999Z", "2026-01-01T00:00:00Z"),
    "uuid": ("00000000-0000-4000-8000-000000000000", "f47ac10b-58cc-4372-a567-0e02b2c3d479"),
    "email": ("a@example.com", "b.c@example.org"),
    "ipv4": ("127.0.0.1", "10.0.0.255"),
    "uri": ("https://example.com/", "urn:example:1"),
}
TRIES = 20


@dataclass(frozen=True)
class Generator:
    """``entities`` are keys for ``entity_column``, few of them; ``hints`` are values to try, by property."""

    contract: Contract
    random: Random
    entity_column: str = ""
    entities: Sequence[Any] = ()
    hints: Mapping[str, Sequence[Any]] = field(default_factory=dict)

    def data(self) -> dict[str, Any] | None:
        """The data of an event that the contract takes; None when none of some tries is such."""
        for _ in range(TRIES):
            made = self._data()
            if self.is_valid(made):
                return made
        return None

    def is_valid(self, data: Mapping[str, Any]) -> bool:
        topic = self.contract.topic
        return checker(topic).check(event(self.contract, SOURCE, "generated", TIME, data)) is None

    def _data(self) -> dict[str, Any]:
        schema = self.contract.schema
        required = {*schema["required"], self.entity_column}
        return {
            name: self._property(name, declared)
            for name, declared in schema["properties"].items()
            if name in required or self.random.random() < 0.7
        }

    def _property(self, name: str, schema: Mapping[str, Any]) -> Any:
        if name == self.entity_column and self.entities:
            return self.random.choice(self.entities)
        if name in self.hints and self.hints[name] and self.random.random() < 0.6:
            return self.random.choice(self.hints[name])
        return self.value(schema)

    def value(self, schema: Mapping[str, Any]) -> Any:
        """A value that ``schema`` allows, but for what no generator can know, such as a pattern."""
        if "const" in schema:
            return schema["const"]
        if schema.get("enum"):
            return self.random.choice(schema["enum"])
        if schema.get("examples") and ("pattern" in schema or self.random.random() < 0.3):
            return self.random.choice(schema["examples"])
        declared = schema.get("type", "string")
        kinds = [declared] if isinstance(declared, str) else list(declared)
        if "null" in kinds and self.random.random() < 0.2:
            return None
        return self._of_kind(next(kind for kind in kinds if kind != "null"), schema)

    def _of_kind(self, kind: str, schema: Mapping[str, Any]) -> Any:
        match kind:
            case "string":
                return self._text(schema)
            case "integer":
                return self._integer(schema)
            case "number":
                return self._number(schema)
            case "boolean":
                return self.random.random() < 0.5
            case "array":
                low = schema.get("minItems", 0)
                length = self.random.randint(low, min(schema.get("maxItems", low + 3), low + 3))
                return [self.value(schema.get("items", {})) for _ in range(length)]
        inner = schema.get("additionalProperties")
        return {key: self.value(inner) for key in ("a", "b")} if isinstance(inner, Mapping) else {}

    def _text(self, schema: Mapping[str, Any]) -> str:
        if known := FORMATS.get(schema.get("format", "")):
            return self.random.choice(known)
        low, high = schema.get("minLength", 0), schema.get("maxLength", 12)
        length: int = min(max(low, self.random.randint(1, 6)), high)
        if self.random.random() < 0.5:  # the same few come again, so that something is counted twice
            return ("abc" * (length + 1))[self.random.randrange(3) :][:length]
        return "".join(self.random.choice(string.ascii_letters) for _ in range(length))

    def _integer(self, schema: Mapping[str, Any]) -> int:
        low, high = _bounds(schema, -LARGEST)
        whole = self._at_bounds(int(low), int(high), self.random.randint(int(low), int(high)))
        step = schema.get("multipleOf")
        return int(whole // step * step) if isinstance(step, int) and step else int(whole)

    def _number(self, schema: Mapping[str, Any]) -> float:
        low, high = _bounds(schema, -float(LARGEST))
        scale = schema["x-decimal"][1] if "x-decimal" in schema else 3
        number = self._at_bounds(low, high, round(self.random.uniform(low, high), scale))
        return round(float(number), scale)

    def _at_bounds(self, low: float, high: float, between: float) -> float:
        small = min(max(low, self.random.choice((0, 1, 2))), high)
        return self.random.choice((low, high, small, small, between, between, between))


def _bounds(schema: Mapping[str, Any], lowest: float) -> tuple[float, float]:
    low = schema.get("minimum", schema.get("exclusiveMinimum", lowest) + ("exclusiveMinimum" in schema))
    high = schema.get("maximum", schema.get("exclusiveMaximum", LARGEST) - ("exclusiveMaximum" in schema))
    return max(low, -float(2**53)), max(min(high, float(2**53)), low)
