"""What a schema must not say, since a table, or a bounded time a byte, could not come of it."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import jsonschema_rs

from tidemill.contracts.columns import types
from tidemill.contracts.errors import ContractError

SILVER_COLUMNS = frozenset(
    ("event_id", "event_time", "event_date", "source", "event_month", "broker_time", "ingested_at")
)
"""What silver calls its own columns, beside those that begin with an underscore."""

COLUMN_NAME = re.compile(r"[\w-]+")
TABLE_NAME = re.compile(r"[a-z][a-z0-9_]*")
TOPIC_NAME = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9._-]{1,249}")
"""What Kafka takes (``org.apache.kafka.common.internals.Topic``)."""
MAX_UNIQUE_ITEMS = 1_000
DIALECT = "https://json-schema.org/draft/2020-12/schema"
# A reference may lead back to itself: with alternatives at each step, the time doubles with each level of a message.
# What is unevaluated is found by evaluating everything again at each level.
UNBOUNDED = ("$ref", "$dynamicRef", "$recursiveRef", "unevaluatedItems", "unevaluatedProperties")


def check_schema(where: str, schema: Mapping[str, Any]) -> None:
    """Refuse what cannot serve as a contract.

    Raises:
        ContractError: the first of its :func:`problems`.
    """
    for problem in problems(where, schema):
        raise ContractError(problem)


def check_keywords(where: str, schema: Mapping[str, Any]) -> None:
    """Refuse what JSON Schema does not take as the value of its keyword, such as ``"type": 5``: nobody can read on.

    Raises:
        ContractError: there is one, or the schema is nested too deeply.
    """
    try:
        jsonschema_rs.meta.validate({**schema, "$schema": DIALECT})
    except jsonschema_rs.ValidationError as error:
        raise ContractError(_refused(where, error)) from error
    except ValueError as error:
        raise ContractError(f"{where}: is no valid JSON Schema: {error}") from error


def problems(where: str, schema: Mapping[str, Any]) -> Iterator[str]:
    """A name that no topic, table or column can have, a keyword without a bound in time, a pattern that would have to
    backtrack, a key that is no field, or no valid JSON Schema; ``where`` begins each sentence."""
    topic, table = schema["x-topic"], schema["x-table"]
    if TOPIC_NAME.fullmatch(topic) is None:
        yield f"{where}: x-topic {topic!r} cannot name a topic: use up to 249 letters (a-z, A-Z), digits and ._-"
    if TABLE_NAME.fullmatch(table) is None:
        yield f"{where}: x-table {table!r} cannot name a table: use lower-case letters, digits and underscores"
    yield from _of_names(where, schema["properties"])
    yield from _of_key(where, schema)
    for path, keyword, value, parent in _keywords(schema, ""):
        yield from _of_keyword(f"{where}: {path or '/'}", keyword, value, parent)
    try:
        validator(schema)
    except jsonschema_rs.ValidationError as error:
        yield _refused(where, error)


def validator(schema: Mapping[str, Any]) -> jsonschema_rs.Draft202012Validator:
    """One whose patterns run in time linear in the text.

    Raises:
        jsonschema_rs.ValidationError: no valid schema, or a pattern that this cannot run.
    """
    return jsonschema_rs.Draft202012Validator(
        dict(schema), validate_formats=True, pattern_options=jsonschema_rs.RegexOptions()
    )


def _of_names(where: str, properties: Mapping[str, Any]) -> Iterator[str]:
    before: dict[str, str] = {}
    for name in properties:
        lower = name.lower()
        if lower.startswith("_") or lower in SILVER_COLUMNS:
            yield f"{where}: property {name!r} is called like a column of silver's own: rename it"
        elif COLUMN_NAME.fullmatch(name) is None:
            yield f"{where}: property {name!r} cannot name a column: use letters, digits, underscores and hyphens"
        if lower in before:
            yield f"{where}: properties {before[lower]!r} and {name!r} differ only in case: rename one"
        before[lower] = name


def _of_key(where: str, schema: Mapping[str, Any]) -> Iterator[str]:
    if not schema["x-key"]:
        yield f"{where}: x-key is empty: name the property that says what an event is about"
    for name in schema["x-key"]:
        if not isinstance(name, str) or name not in schema["properties"]:
            yield f"{where}: x-key names {name!r}, which is no property"
        elif not {"array", "object"}.isdisjoint(types(schema["properties"][name])):
            yield f"{where}: x-key names {name!r}, which is no single value"


def _keywords(schema: Any, path: str) -> Iterator[tuple[str, str, Any, Mapping[str, Any]]]:
    """Each keyword of a schema and of those within it: where, its name, its value, and the schema it is in."""
    if not isinstance(schema, Mapping):
        return
    for keyword, value in schema.items():
        yield path, keyword, value, schema
        for name, inner in _schemas(keyword, value):
            yield from _keywords(inner, f"{path}/{keyword}{name}")


def _schemas(keyword: str, value: Any) -> Iterator[tuple[str, Any]]:
    if keyword in ("const", "enum", "default", "examples"):
        return
    if keyword in ("properties", "patternProperties", "$defs", "dependentSchemas") and isinstance(value, Mapping):
        yield from ((f"/{name}", inner) for name, inner in value.items())
    elif isinstance(value, list):
        yield from ((f"/{index}", inner) for index, inner in enumerate(value))
    else:
        yield "", value


def _of_keyword(where: str, keyword: str, value: Any, parent: Mapping[str, Any]) -> Iterator[str]:
    if keyword in UNBOUNDED:
        yield f"{where} has {keyword}, whose cost a message could drive up: write the schema out instead"
    if keyword == "uniqueItems" and value and not 0 <= parent.get("maxItems", -1) <= MAX_UNIQUE_ITEMS:
        yield f"{where} has uniqueItems: state maxItems too, at most {MAX_UNIQUE_ITEMS:,}"
    if keyword == "format" and value == "regex":
        yield f"{where} has format regex: compiling what a message brings has no bound"


def _refused(where: str, error: jsonschema_rs.ValidationError) -> str:
    path = "/".join(map(str, error.instance_path))
    if path.endswith("pattern") or "patternProperties" in path:
        return (
            f"{where}: /{path} {error.instance!r} cannot be matched in linear time: "
            "write it without look-around and back-references"
        )
    return f"{where}: /{path} is no valid JSON Schema: {error.message}"
