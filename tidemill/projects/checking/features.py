"""Features: that each service is one, that its columns are in the contract, and that their types fit."""

import importlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from data_lake.tables import silver_columns
from feature_store.definitions import Aggregation, FeatureGroup, FeatureService, Filter, Function
from feature_store.definitions.filters import Comparison, Scalar
from tidemill.config.errors import nearest
from tidemill.contracts.registry import Contract
from tidemill.projects.checking.problems import Problem, line_of_constant, of_exception
from tidemill.projects.modules import own_module

ANY_TYPE = frozenset((Function.COUNT, Function.TIME_SINCE_LAST))
NUMBERS = ("BIGINT", "INT", "DOUBLE", "BOOLEAN", "DECIMAL")
KEYS = ("STRING", "BIGINT", "INT")
NESTED = ("ARRAY", "MAP")


def service_problems(name: str, folder: Path, contracts: Mapping[str, Contract], *, has_all: bool) -> Iterator[Problem]:
    """What is wrong with the feature service of the use case ``name`` and with its groups.

    Unless ``contracts`` ``has_all``, a group of a table that none of them has is not held against any.
    """
    file = folder / "features.py"
    module = f"use_cases.{name}.features"
    try:
        service = getattr(importlib.import_module(module), "SERVICE", None)
    except Exception as error:  # noqa: BLE001 - whatever the user's module raises is what is wrong with it
        yield of_exception(own_module(error, file), error)
        return
    if not isinstance(service, FeatureService):
        yield Problem(str(file), 0, f"SERVICE is missing: write SERVICE = FeatureService(name={name!r}, features=...)")
        return
    if service.name != name:
        line = line_of_constant(file, service.name)
        yield Problem(str(file), line, f"FeatureService {service.name!r}: it is called like its folder, {name!r}")
    for group in service.groups:
        found = list(_of_group(file, group, contracts, has_all))
        yield from (Problem(str(file), line, message) for line, message in found)


def shared_problems(services: Mapping[str, tuple[Path, FeatureService]]) -> Iterator[Problem]:
    """Groups of one name that differ between services."""
    first: dict[str, tuple[str, FeatureGroup]] = {}
    for name, (folder, service) in services.items():
        for group in service.groups:
            owner, other = first.setdefault(group.name, (name, group))
            if other != group:
                file = folder / "features.py"
                why = f"FeatureGroup {group.name!r} is not that of use case {owner!r}: give it another name"
                yield Problem(str(file), line_of_constant(file, group.name), why)


def _of_group(
    file: Path, group: FeatureGroup, contracts: Mapping[str, Contract], has_all: bool
) -> Iterator[tuple[int, str]]:
    """The line and the sentence of each thing that is wrong with the group."""
    tables = {f"silver/{contract.table}": contract for contract in contracts.values()}
    contract = tables.get(group.source.table)
    if contract is None:
        line = line_of_constant(file, group.source.table, group.name)
        advice = nearest(group.source.table, tables)
        if has_all:
            yield line, f"FeatureGroup {group.name}: no contract has the table {group.source.table!r}{advice}"
        return
    looked_at = _Group(file, group, contract)
    for problems in (looked_at.of_products, looked_at.of_source, looked_at.of_filters, looked_at.of_aggregations):
        yield from problems()


@dataclass(frozen=True)
class _Group:
    """A group and the contract of its source."""

    file: Path
    group: FeatureGroup
    contract: Contract

    @cached_property
    def types(self) -> Mapping[str, str]:
        """The type of each column of the source."""
        return {column.name: column.sql_type for column in silver_columns(self.contract)}

    @cached_property
    def known(self) -> Mapping[str, str]:
        """The type of each column that filters and features may read."""
        return {**self.types, **{product.name: "DOUBLE" for product in self.group.source.computed}}

    @property
    def properties(self) -> Mapping[str, Mapping[str, object]]:
        properties: Mapping[str, Mapping[str, object]] = self.contract.schema["properties"]
        return properties

    def of_products(self) -> Iterator[tuple[int, str]]:
        for product in self.group.source.computed:
            for part in (product.left, product.right):
                if part not in self.types:
                    yield self._missing(f"computed {product.name}", part)
                elif not self.types[part].startswith(NUMBERS):
                    why = f"computed {product.name}: {part!r} is {self.types[part]}, and a product is of numbers"
                    yield self._said(why, part)

    def of_source(self) -> Iterator[tuple[int, str]]:
        source, key = self.group.source, self.group.entity_column
        fields = [("entity", key), ("event_time", source.event_time), ("known_time", source.known_time)]
        for field, name in (*fields, *(("tie_breaker", part) for part in source.tie_breaker)):
            if name not in self.types:
                yield self._missing(field, name)
        if self.types.get(key, KEYS[0]) not in KEYS:
            yield self._said(f"entity: {key!r} is {self.types[key]}, and a key is a text or a whole number", key)

    def of_filters(self) -> Iterator[tuple[int, str]]:
        for condition in self.group.filters:
            if condition.column not in self.known:
                yield self._missing("filters", condition.column)
            elif why := _filter_misfit(condition, self.known[condition.column], self.properties):
                yield self._said(f"filters: {why}", *condition.operands, condition.column)

    def of_aggregations(self) -> Iterator[tuple[int, str]]:
        for aggregation in self.group.aggregations:
            if aggregation.column is not None and aggregation.column not in self.known:
                yield self._missing(aggregation.function.value, aggregation.column)
            elif why := _misfit(aggregation, self.known, self.properties):
                yield self._said(why, *aggregation.arguments, aggregation.column)

    def _missing(self, field: str, name: str) -> tuple[int, str]:
        computed = {product.name for product in self.group.source.computed}
        return self._said(
            f"{field}: {self.contract.topic} has no {name!r}{nearest(name, {*self.properties, *computed})}", name
        )

    def _said(self, why: str, *constants: object) -> tuple[int, str]:
        return line_of_constant(self.file, *constants, self.group.name), f"FeatureGroup {self.group.name}: {why}"


def _misfit(aggregation: Aggregation, types: Mapping[str, str], properties: Mapping[str, Mapping[str, object]]) -> str:
    """Why the function cannot be of its column; empty when it can."""
    function, name = aggregation.function, aggregation.column
    if name is None or function in ANY_TYPE:
        return ""
    kind = types[name]
    if function is Function.COUNT_CATEGORY:
        if kind != "STRING":
            return f"count_categories of {name!r}, which is {kind}: categories are texts"
        return _not_listed("count_categories", name, aggregation.arguments, properties)
    if function is Function.COUNT_DISTINCT:
        return f"count_distinct of {name!r}, which is {kind}: count single values" if kind.startswith(NESTED) else ""
    if kind.startswith(NUMBERS):
        return ""
    instead = "count, count_distinct, count_categories or time_since_last" if kind == "STRING" else "another column"
    return f"{function.value} of {name!r}, which is {kind}, needs numbers: use {instead}"


def _filter_misfit(condition: Filter, kind: str, properties: Mapping[str, Mapping[str, object]]) -> str:
    """Why the filter cannot be of its column, or lets no event of the contract pass; empty when it can."""
    name, comparison = condition.column, condition.comparison
    if comparison in (Comparison.IS_NULL, Comparison.IS_NOT_NULL):
        return ""
    for operand in condition.operands:
        is_text = isinstance(operand, str)
        if is_text != (kind == "STRING") or not (is_text or kind.startswith(NUMBERS)):
            return f"{name!r} is {kind}, and is compared with {operand!r}: compare it with a value of its own type"
    if comparison in (Comparison.EQUAL, Comparison.IN):
        return _not_listed(comparison.value, name, condition.operands, properties)
    return ""


def _not_listed(
    where: str, name: str, values: tuple[Scalar, ...], properties: Mapping[str, Mapping[str, object]]
) -> str:
    listed = properties.get(name, {}).get("enum")
    if not isinstance(listed, list):
        return ""
    other = [value for value in values if value not in listed]
    if not other:
        return ""
    advice = nearest(str(other[0]), map(str, listed))
    return f"{name!r} {where} {other[0]!r} never holds: the contract's enum does not list it{advice}"
