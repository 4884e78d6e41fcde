"""Groups: that their columns are in the contract of their source, and that their types fit."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from data_lake.tables import silver_columns
from feature_store.definitions import Aggregation, FeatureGroup, Filter, Function, Source
from feature_store.definitions.filters import Comparison, Scalar
from tidemill.config.errors import nearest
from tidemill.contracts.registry import Contract
from tidemill.projects.checking.problems import Problem, line_of, line_of_constant

ANY_TYPE = frozenset((Function.COUNT, Function.TIME_SINCE_LAST))
NUMBERS = ("BIGINT", "INT", "DOUBLE", "BOOLEAN", "DECIMAL")
KEYS = ("STRING", "BIGINT", "INT")
NESTED = ("ARRAY", "MAP")
TIME = "TIMESTAMP"


@dataclass(frozen=True)
class Place:
    """Where a definition is written: its file, what a message calls it, and a text in its line."""

    file: Path
    subject: str
    text: str

    def problem(self, why: str, *constants: object) -> Problem:
        """At the line of the first of ``constants`` that is there, else of the definition."""
        line = line_of_constant(self.file, *constants, self.text) or line_of(self.file, self.text)
        return Problem(str(self.file), line, f"{self.subject}: {why}")


def group_problems(
    place: Place, group: FeatureGroup, contracts: Mapping[str, Contract], has_all: bool
) -> Iterator[Problem]:
    """What the contract of its source says against the group."""
    contract = contract_of(group.source, contracts)
    if contract is None:
        if has_all:
            yield no_table(place, group.source, contracts)
        return
    looked_at = _Group(place, group, contract)
    for problems in (looked_at.of_products, looked_at.of_source, looked_at.of_filters, looked_at.of_aggregations):
        yield from problems()


def contract_of(source: Source, contracts: Mapping[str, Contract]) -> Contract | None:
    """The contract of a source's table; None when none of these has it."""
    return next((of for of in contracts.values() if f"silver/{of.table}" == source.table), None)


def no_table(place: Place, source: Source, contracts: Mapping[str, Contract]) -> Problem:
    advice = nearest(source.table, (f"silver/{of.table}" for of in contracts.values()))
    return place.problem(f"no contract has the table {source.table!r}{advice}", source.table)


def missing(place: Place, field: str, name: str, contract: Contract, source: Source) -> Problem:
    """That the source has no column ``name``."""
    computed = {product.name for product in source.computed}
    advice = nearest(name, {*contract.schema["properties"], *computed})
    return place.problem(f"{field}: {contract.topic} has no {name!r}{advice}", name)


@dataclass(frozen=True)
class _Group:
    """A group and the contract of its source."""

    place: Place
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

    def of_products(self) -> Iterator[Problem]:
        for product in self.group.source.computed:
            for part in (product.left, product.right):
                if part not in self.types:
                    yield self._missing(f"computed {product.name}", part)
                elif self.types[part] == "BOOLEAN" or not self.types[part].startswith(NUMBERS):
                    why = f"computed {product.name}: {part!r} is {self.types[part]}, and a product is of numbers"
                    yield self.place.problem(why, part)

    def of_source(self) -> Iterator[Problem]:
        source, key = self.group.source, self.group.entity_column
        fields = [("entity", key), ("event_time", source.event_time), ("known_time", source.known_time)]
        for field, name in (*fields, *(("tie_breaker", part) for part in source.tie_breaker)):
            if name not in self.types:
                yield self._missing(field, name)
        for field, name in (("event_time", source.event_time), ("known_time", source.known_time)):
            if self.types.get(name, TIME) != TIME:
                yield self.place.problem(f"{field}: {name!r} is {self.types[name]}, and a time is a date-time", name)
        if self.types.get(key, KEYS[0]) not in KEYS:
            yield self.place.problem(
                f"entity: {key!r} is {self.types[key]}, and a key is a text or a whole number", key
            )

    def of_filters(self) -> Iterator[Problem]:
        for condition in self.group.filters:
            if condition.column not in self.known:
                yield self._missing("filters", condition.column)
            elif why := _filter_misfit(condition, self.known[condition.column], self.properties):
                yield self.place.problem(f"filters: {why}", *condition.operands, condition.column)

    def of_aggregations(self) -> Iterator[Problem]:
        for aggregation in self.group.aggregations:
            if aggregation.column is not None and aggregation.column not in self.known:
                yield self._missing(aggregation.function.value, aggregation.column)
            elif why := _misfit(aggregation, self.known, self.properties):
                yield self.place.problem(why, *aggregation.arguments, aggregation.column)

    def _missing(self, field: str, name: str) -> Problem:
        return missing(self.place, field, name, self.contract, self.group.source)


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
