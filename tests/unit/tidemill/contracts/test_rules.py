"""A schema that cannot serve is refused when it is read, in a sentence that names the file and the place."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from data_lake import tables
from tidemill.contracts import ContractError, registry
from tidemill.contracts.rules import SILVER_COLUMNS, problems

TOPIC = "shop.review.v1"
TEXT = {"type": "string"}


def read(folder: Path, properties: dict[str, Any], **changes: Any) -> registry.Contract:
    """The contract of a file with these properties and an id."""
    schema = {
        "$id": f"urn:tidemill:{TOPIC}",
        "x-topic": TOPIC,
        "x-table": "reviews",
        "x-key": ["id"],
        "properties": {"id": TEXT, **properties},
        "required": ["id"],
        **changes,
    }
    path = folder / f"{TOPIC}.json"
    path.write_text(json.dumps(schema), encoding="utf-8")
    return registry.read_contract(path)


@pytest.mark.parametrize("name", ["stars", "Größe", "order-id", "a1", "data", "time", "id2", "event"])
def test_a_name_that_a_column_can_have_is_taken(tmp_path: Path, name: str) -> None:
    assert list(read(tmp_path, {name: TEXT}).schema["properties"]) == ["id", name]


@pytest.mark.parametrize(
    "name",
    [
        *sorted(SILVER_COLUMNS),
        "Source",
        "_offset",
        "_anything",
        "a.b",
        "a b",
        "a`b",
        "a,b",
        "a;b",
        "a{b}",
        "a=b",
        "a/b",
        "",
    ],
)
def test_a_name_that_silver_uses_or_no_column_can_have_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ContractError) as refused:
        read(tmp_path, {name: TEXT})
    assert repr(name) in str(refused.value)
    assert f"{TOPIC}.json" in str(refused.value)


@pytest.mark.parametrize("name", ["", "a/b", "../orders", "Orders", "1st", "größen", "a b", "a-b"])
def test_a_name_that_no_table_can_have_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ContractError, match=re.escape(f"{TOPIC}.json: x-table {name!r} cannot name a table")):
        read(tmp_path, {}, **{"x-table": name})


@pytest.mark.parametrize("name", ["..", "shop review", "größe.v1", "a" * 250])
def test_a_name_that_no_topic_can_have_is_refused(name: str) -> None:
    schema = dict(registry.contract("shop.click.v1").schema) | {"x-topic": name}
    assert [problem.split(": ")[0] for problem in problems(f"x-topic {name!r}", schema)] == [f"x-topic {name!r}"]


def test_names_that_differ_only_in_case_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ContractError, match=r"shop\.review\.v1\.json.*'Stars' and 'stars'"):
        read(tmp_path, {"Stars": TEXT, "stars": TEXT})


@pytest.mark.parametrize("topic", sorted(registry.contracts()))
def test_the_names_of_silver_are_those_of_its_table(topic: str) -> None:
    own = {column.name for column in tables.silver(topic).columns} - set(registry.contract(topic).schema["properties"])
    assert {name for name in own if not name.startswith("_")} == SILVER_COLUMNS


@pytest.mark.parametrize(
    ("schema", "told"),
    [
        ({"type": "number", "x-decimal": [39, 2]}, "more .*38"),
        ({"type": "number", "x-decimal": [4, 5]}, "more .*scale <= precision"),
        ({"type": "number", "x-decimal": 4}, "more .*scale <= precision"),
        ({"type": "array"}, "more items"),
        ({"type": "array", "items": True}, "more items"),
        ({"type": "object", "additionalProperties": True}, "more additionalProperties"),
        ({"type": "object", "properties": {"a": TEXT}, "additionalProperties": {"type": "number"}}, "more"),
        ({"type": "array", "prefixItems": [TEXT], "items": {"type": "number"}}, "more"),
        ({"type": "string", "pattern": "(?=a)b"}, r"/properties/more/pattern .*linear time"),
        ({"type": "string", "pattern": r"(a)\1"}, r"/properties/more/pattern .*linear time"),
        ({"type": "array", "items": {"type": "string", "pattern": "("}}, "linear time"),
        ({"type": "string", "format": "regex"}, "/properties/more.*regex"),
        ({"type": "array", "items": TEXT, "uniqueItems": True}, "/properties/more.*maxItems"),
        ({"type": "array", "items": TEXT, "uniqueItems": True, "maxItems": 10**6}, "/properties/more.*maxItems"),
        ({"type": "string", "anyOf": [{"$ref": "#"}]}, r"/properties/more/anyOf/0.*\$ref"),
        ({"type": "string", "minLength": "three"}, "/properties/more/minLength.*no valid JSON Schema"),
    ],
)
def test_a_schema_without_a_column_or_without_a_bound_is_refused(
    tmp_path: Path, schema: dict[str, Any], told: str
) -> None:
    with pytest.raises(ContractError, match=rf"shop\.review\.v1.*{told}"):
        read(tmp_path, {"more": schema})


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "string", "pattern": "^(a+)+$"},
        {"type": "array", "items": TEXT, "uniqueItems": True, "maxItems": 100},
        {"type": "string", "enum": ["$ref"], "examples": [{"$ref": "#"}]},
        {"type": "number", "x-decimal": [38, 38]},
        {"type": "number", "multipleOf": 0.01, "anyOf": [{"minimum": 1}, {"maximum": -1}]},
    ],
)
def test_a_schema_with_a_bound_is_taken(tmp_path: Path, schema: dict[str, Any]) -> None:
    assert read(tmp_path, {"more": schema}).topic == TOPIC


@pytest.mark.parametrize("key", [["nothing"], ["tags"]])
def test_a_key_that_is_no_single_field_is_refused(tmp_path: Path, key: list[str]) -> None:
    with pytest.raises(ContractError, match=rf"shop\.review\.v1\.json.*x-key.*'{key[0]}'"):
        read(tmp_path, {"tags": {"type": "array", "items": TEXT}}, **{"x-key": key})


def test_a_contract_without_a_key_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ContractError, match=r"shop\.review\.v1\.json: x-key is empty"):
        read(tmp_path, {}, **{"x-key": []})


@pytest.mark.parametrize("text", ["{", '{"maximum": 0.30000000000000001}'])
def test_a_file_that_would_be_read_as_something_else_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / f"{TOPIC}.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ContractError, match=r"shop\.review\.v1\.json cannot be read"):
        registry.read_contract(path)
