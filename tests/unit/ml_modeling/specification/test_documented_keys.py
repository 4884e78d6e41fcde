"""docs/models.md has each key of a ``model.yaml`` with its default and unit: none is missing, none is left over."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, get_args, get_origin

import pytest
import yaml
from pydantic.fields import FieldInfo
from pydantic_core import to_jsonable_python

from ml_modeling.specification import BinarySpec, MulticlassSpec, Range, RegressionSpec
from ml_modeling.specification.parts import Part
from tidemill.config.settings import REPO

PAGE = (REPO / "docs" / "models.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| `([^`]+)` \| [^|]+ \| ([^|]*)\| ([^|]+) \|$", re.MULTILINE)
REQUIRED = "required"
UNITS = {"days": "days", "hours": "hours", "h": "hours", "minutes": "minutes", "s": "seconds", "ms": "milliseconds"}
"""What the last word of a key says of its unit."""

Keys = Mapping[str, FieldInfo]


def keys(part: type[Part], above: str = "") -> Iterator[tuple[str, FieldInfo]]:
    """The keys of a part by their paths; that of a part within it only where it may be left out."""
    for name, field in part.model_fields.items():
        path, within = above + name, list(parts_in(field.annotation))
        is_mapping = any(below for _, below in within)
        if not within or is_mapping or field.default is None:
            yield path, field
        for inner, below in within:
            yield from keys(inner, f"{path}.{below}")


def parts_in(annotation: Any, below: str = "") -> Iterator[tuple[type[Part], str]]:
    """The parts that a value of this type may be, or may have by any name; a range is a value."""
    if isinstance(annotation, type) and issubclass(annotation, Part):
        yield from [] if annotation is Range else [(annotation, below)]
    for inner in get_args(annotation):
        yield from parts_in(inner, "*." if get_origin(annotation) is dict else below)


def default_of(field: FieldInfo) -> Any:
    return REQUIRED if field.is_required() else to_jsonable_python(field.get_default(call_default_factory=True))


def documented(heading: str) -> list[tuple[str, str, Any]]:
    """Each key in the table below a heading, its unit and its default; a default without value is told in words."""
    table = PAGE.partition(f"\n### {heading}\n")[2].partition("\n#")[0]
    rows = ROW.findall(table)
    return [(re.sub(r"<\w+>", "*", key), unit.strip(), said_default(default)) for key, unit, default in rows]


def said_default(cell: str) -> Any:
    value = re.match(r"`([^`]+)`", cell)
    if value is not None:
        return yaml.safe_load(value[1])
    return REQUIRED if cell == REQUIRED else None


BINARY, MULTICLASS, REGRESSION = (dict(keys(spec)) for spec in (BinarySpec, MulticlassSpec, RegressionSpec))
TABLES: Mapping[tuple[str, ...], Keys] = {
    ("All tasks", "Yes or no", "Groups of people"): BINARY,
    ("All tasks", "Classes"): {path: field for path, field in MULTICLASS.items() if not path.startswith("fairness")},
    ("All tasks", "Numbers", "Groups of people"): REGRESSION,
    ("A range",): dict(keys(Range)),
}
"""Which tables together have the keys; classes refuse the part ``fairness``."""


@pytest.mark.parametrize("headings", TABLES, ids=", ".join)
def test_the_page_has_each_key_once_with_its_default(headings):
    rows = [(path, default) for heading in headings for path, _, default in documented(heading)]
    expected = {path: default_of(field) for path, field in TABLES[headings].items()}
    assert dict(rows) == expected
    assert len(rows) == len(expected)


@pytest.mark.parametrize("heading", sorted({heading for headings in TABLES for heading in headings}))
def test_a_key_that_ends_with_a_unit_is_of_that_unit(heading):
    units = {path: unit for path, unit, _ in documented(heading)}
    named = {path: UNITS[last] for path in units if (last := path.rpartition("_")[2]) in UNITS}
    assert {path: unit for path, unit in units.items() if path in named} == named
