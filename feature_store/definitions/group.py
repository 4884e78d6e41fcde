"""A feature group: aggregations of one source for one entity."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property

from feature_store.definitions.aggregations import Aggregation, Function, Windows
from feature_store.definitions.errors import DefinitionError, check_name
from feature_store.definitions.expressions import Expression
from feature_store.definitions.filters import Filter, Scalar
from feature_store.definitions.fingerprint import fingerprint
from feature_store.definitions.source import Entity, Source
from feature_store.definitions.spelling import check_windows, spell
from feature_store.definitions.windows import LIFETIME, micros


@dataclass(frozen=True)
class Feature(Expression):
    """One number: a function of a column over a window. ``argument`` is its position, share or category."""

    group: "FeatureGroup" = field(repr=False)
    function: Function
    column: str | None
    argument: Scalar | None
    window: timedelta

    @cached_property
    def name(self) -> str:
        """``<group>__<column>_<function>_<window>``."""
        words = (self.column, _spell_function(self.function, self.argument), spell(self.window))
        return f"{self.group.name}__{'_'.join(word for word in words if word)}"

    @property
    def own_meaning(self) -> list[object]:
        """What it computes from the events of its group."""
        window = None if self.window == LIFETIME else micros(self.window)
        return [self.function.value, self.column, self.argument, window]

    @property
    def meaning(self) -> object:
        return {"group": self.group.fingerprint, "feature": self.own_meaning}


@dataclass(frozen=True)
class FeatureGroup:
    """Features of ``entity`` from the events of ``source`` that pass all ``filters``.

    An aggregation without windows of its own is computed over ``windows``. Online values are reported as stale when
    the state behind them was last written longer than ``stale_after`` ago.
    """

    name: str
    entity: Entity
    source: Source
    aggregations: tuple[Aggregation, ...]
    windows: Windows = ()
    filters: tuple[Filter, ...] = ()
    stale_after: timedelta | None = None

    def __post_init__(self) -> None:
        check_name("FeatureGroup.name", self.name)
        where = f"FeatureGroup {self.name}"
        _check_types(f"{where}: entity", (self.entity,), Entity)
        _check_types(f"{where}: source", (self.source,), Source)
        _check_types(f"{where}: aggregations", self.aggregations, Aggregation)
        _check_types(f"{where}: filters", self.filters, Filter)
        check_windows(f"{where}: windows", self.windows)
        if self.stale_after is not None and self.stale_after <= timedelta(0):
            raise DefinitionError(f"{where}: stale_after: {self.stale_after} is not positive")
        if not self.aggregations:
            raise DefinitionError(f"{where}: aggregations: there is none")
        for one in self.aggregations:
            if not (one.windows or self.windows):
                raise DefinitionError(f"{where}: windows: {one.function.value} has none, and neither has the group")
        names = [feature.name for feature in self.features]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise DefinitionError(f"{where}: aggregations: {', '.join(twice)} stands there twice")

    @cached_property
    def features(self) -> tuple[Feature, ...]:
        """Every feature, in the order of the definition."""
        return tuple(self._features())

    def _features(self) -> Iterator[Feature]:
        for one in self.aggregations:
            for window in one.windows or self.windows:
                for argument in one.arguments or (None,):
                    yield Feature(self, one.function, one.column, argument, window)

    def __hash__(self) -> int:
        # Each request looks things up by group: the fingerprint is worked out once.
        return hash(self.fingerprint)

    def __getitem__(self, short_name: str) -> Feature:
        """The feature called so after the group's name, such as ``amount_mean_7d``.

        Raises:
            DefinitionError: the group has none.
        """
        for feature in self.features:
            if feature.name == f"{self.name}__{short_name}":
                return feature
        known = ", ".join(feature.name.removeprefix(f"{self.name}__") for feature in self.features)
        raise DefinitionError(f"FeatureGroup {self.name}: no feature {short_name!r}; known: {known}")

    @property
    def entity_column(self) -> str:
        """The source's column that holds the entity's key."""
        return self.source.entity_column or self.entity.key

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the source that filters and features read, beside the ones that the source names."""
        read = {one.column for one in self.filters} | {one.column for one in self.aggregations if one.column}
        return tuple(sorted(read))

    @property
    def _whose(self) -> list[str]:
        """The entity as the source calls it and, where that is something else, as the online store does."""
        key = [self.entity.key] if self.entity.key != self.entity_column else []
        return [self.entity.name, self.entity_column, *key]

    @cached_property
    def fingerprint(self) -> str:
        """A hash of what the group means: equal for definitions that differ only in order, docs or formatting."""
        return fingerprint(
            {
                "group": self.name,
                "entity": self._whose,
                "source": [
                    self.source.table,
                    self.source.event_time,
                    self.source.known_time,
                    list(self.source.tie_breaker),
                ],
                "filters": sorted((one.meaning for one in self.filters), key=repr),
                "features": sorted((feature.own_meaning for feature in self.features), key=repr),
                "columns": [[name, self.source.meaning_of(name)] for name in self.columns],
            }
        )


def _spell_function(function: Function, argument: Scalar | None) -> str:
    if function is Function.LAST_K:
        return f"last_{argument}"
    if function is Function.QUANTILE:
        return f"p{float(argument or 0) * 100:.10g}".replace(".", "_")
    if function is Function.COUNT_CATEGORY:
        return f"count_{_spell_category(str(argument))}"
    return function.value


def _spell_category(category: str) -> str:
    """Its letters and digits of ASCII; of one that has none, the code point of each character."""
    words = re.sub("[^a-z0-9]+", "_", category.lower()).strip("_")
    return words or "_".join(f"u{ord(character):x}" for character in category)


def _check_types(where: str, values: object, kind: type) -> None:
    if not isinstance(values, tuple) or not all(isinstance(value, kind) for value in values):
        raise DefinitionError(f"{where}: {values!r} is not made of {kind.__name__}")
