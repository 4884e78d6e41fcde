"""What a newer schema may change: old events must stay valid and old readers must still find their fields."""

from collections.abc import Iterator, Mapping
from typing import Any

UPPER_BOUNDS = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")
LOWER_BOUNDS = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
IDENTITY = ("x-topic", "x-table", "x-key", "$id")
ANNOTATIONS = frozenset(("$schema", "$comment", "title", "description", "default", "examples", "deprecated"))
COMPARED = frozenset(
    ("type", "enum", "required", "properties", "items", "additionalProperties", *UPPER_BOUNDS, *LOWER_BOUNDS)
)


def breaking_changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Why ``new`` may not replace the published ``old``; empty when it may.

    Allowed: new optional fields, wider bounds, more enum values, and texts. Whatever else differs is a break, also a
    keyword unknown here; a break needs a new topic version.
    """
    changes = [f"{key} changed" for key in IDENTITY if old.get(key) != new.get(key)]
    return changes + list(_compare(old, new, ""))


def _compare(old: Mapping[str, Any], new: Mapping[str, Any], path: str) -> Iterator[str]:
    where = path or "/"
    if _type_set(old) != _type_set(new):
        yield f"{where}: type {old.get('type')!r} became {new.get('type')!r}"
    for key in sorted((old.keys() | new.keys()) - ANNOTATIONS - COMPARED - set(IDENTITY)):
        if old.get(key) != new.get(key):
            yield f"{where}: {key} {old.get(key)!r} became {new.get(key)!r}"
    yield from _compare_ranges(old, new, where)
    yield from _compare_properties(old, new, path)
    for key in ("items", "additionalProperties"):
        if isinstance(old.get(key), Mapping) and isinstance(new.get(key), Mapping):
            yield from _compare(old[key], new[key], f"{path}/{key}")
        elif old.get(key) != new.get(key):
            yield f"{where}: {key} changed"


def _compare_ranges(old: Mapping[str, Any], new: Mapping[str, Any], where: str) -> Iterator[str]:
    for key in UPPER_BOUNDS:
        if key in new and new[key] < old.get(key, float("inf")):
            yield f"{where}: {key} is tighter"
    for key in LOWER_BOUNDS:
        if key in new and new[key] > old.get(key, float("-inf")):
            yield f"{where}: {key} is tighter"
    if "enum" in new and not all(value in new["enum"] for value in old.get("enum", [object()])):
        yield f"{where}: enum lost values"
    if "enum" in old and "enum" not in new:
        yield f"{where}: enum was dropped"


def _compare_properties(old: Mapping[str, Any], new: Mapping[str, Any], path: str) -> Iterator[str]:
    before, after = old.get("properties", {}), new.get("properties", {})
    for name in before:
        if name not in after:
            yield f"{path}/{name}: was removed"
        elif isinstance(before[name], Mapping) and isinstance(after[name], Mapping):
            yield from _compare(before[name], after[name], f"{path}/{name}")
        elif before[name] != after[name]:
            yield f"{path}/{name}: changed"
    became_required = set(new.get("required", [])) - set(old.get("required", []))
    became_optional = set(old.get("required", [])) - set(new.get("required", []))
    yield from (f"{path}/{name}: became required" for name in sorted(became_required))
    yield from (f"{path}/{name}: became optional" for name in sorted(became_optional))


def _type_set(schema: Mapping[str, Any]) -> frozenset[str]:
    declared = schema.get("type", [])
    return frozenset([declared] if isinstance(declared, str) else declared)
