"""What may change in a published contract, and that nothing published was broken."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from tidemill import contracts
from tidemill.contracts.evolution import breaking_changes
from tidemill.contracts.registry import SCHEMAS

PUBLISHED = Path(contracts.__file__).parent / "published"
TOPICS = sorted(path.stem for path in PUBLISHED.glob("*.json"))


def published(topic: str) -> dict[str, Any]:
    schema: dict[str, Any] = json.loads((PUBLISHED / f"{topic}.json").read_text(encoding="utf-8"))
    return schema


def edited(path: str, value: Any) -> dict[str, Any]:
    """The transaction contract with ``value`` at ``path``; ``...`` takes away what is there."""
    schema = published("shop.transaction.v1")
    *parents, last = path.split("/")
    place: Any = schema
    for name in parents:
        place = place[name]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return schema


@pytest.mark.parametrize("topic", TOPICS)
def test_no_published_contract_is_broken(topic: str) -> None:
    today = json.loads((SCHEMAS / f"{topic}.json").read_text(encoding="utf-8"))
    assert breaking_changes(published(topic), today) == []


def test_every_contract_is_published() -> None:
    assert sorted(contracts.contracts()) == TOPICS, (
        "copy a new contract from tidemill/contracts/schemas to tidemill/contracts/published"
    )


@pytest.mark.parametrize(
    ("path", "value"),
    [
        pytest.param("properties/coupon", {"type": ["string", "null"]}, id="a new optional field"),
        pytest.param("properties/kind/enum", ["purchase", "return", "exchange"], id="one more value"),
        pytest.param("properties/quantity/maximum", 10**12, id="a higher maximum"),
        pytest.param("properties/quantity/maximum", ..., id="no maximum"),
        pytest.param("properties/quantity/minimum", 0, id="a lower minimum"),
        pytest.param("properties/description/maxLength", 900, id="longer texts"),
        pytest.param("properties/country/description", "where it goes", id="another text"),
        pytest.param("title", "An order line", id="another title"),
    ],
)
def test_a_compatible_change_is_allowed(path: str, value: Any) -> None:
    assert breaking_changes(published("shop.transaction.v1"), edited(path, value)) == []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        pytest.param("properties/quantity", ..., id="a field removed"),
        pytest.param("properties/quantity/type", "string", id="another type"),
        pytest.param("properties/quantity/type", ["integer", "null"], id="null allowed"),
        pytest.param("properties/quantity/minimum", 2, id="a higher minimum"),
        pytest.param("properties/quantity/maximum", 100, id="a lower maximum"),
        pytest.param("properties/product_id/maxLength", 8, id="shorter texts"),
        pytest.param("properties/country/maxLength", 8, id="shorter countries"),
        pytest.param("properties/currency/pattern", "^[A-Z]{4}$", id="another pattern"),
        pytest.param("properties/currency/pattern", ..., id="no pattern"),
        pytest.param("properties/country/pattern", "^U", id="a pattern added"),
        pytest.param("properties/kind/enum", ["purchase"], id="a value less"),
        pytest.param("properties/kind/enum", ..., id="any value"),
        pytest.param("properties/country/enum", ["EIRE"], id="values listed"),
        pytest.param("properties/unit_price/x-decimal", [18, 2], id="another scale"),
        pytest.param("properties/line/multipleOf", 2, id="a keyword added"),
        pytest.param("additionalProperties", False, id="no further fields"),
        pytest.param("required", ["order_id"], id="required less"),
        pytest.param("required", [*published("shop.transaction.v1")["required"], "description"], id="required more"),
        pytest.param("not", {"required": ["coupon"]}, id="an unknown keyword"),
        pytest.param("x-key", ["order_id"], id="another key"),
        pytest.param("x-table", "sales", id="another table"),
        pytest.param("$id", "urn:other", id="another name"),
    ],
)
def test_a_breaking_change_is_named(path: str, value: Any) -> None:
    assert breaking_changes(published("shop.transaction.v1"), edited(path, value))


def test_values_that_are_lists_are_compared() -> None:
    old, more = {"enum": [["a"], ["b", 1]]}, {"enum": [["b", 1], ["c"], ["a"]]}
    assert breaking_changes(old, more) == []
    assert breaking_changes(more, old) == ["/: enum lost values"]


def test_a_change_inside_a_map_is_seen() -> None:
    old = published("serving.prediction.v1")
    new = copy.deepcopy(old)
    new["properties"]["features"]["additionalProperties"]["type"] = "string"
    assert breaking_changes(old, new) == ["/features/additionalProperties: type ['number', 'null'] became 'string'"]
