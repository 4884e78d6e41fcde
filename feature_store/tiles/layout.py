"""What the state of a group holds, derived from its definition alone."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from typing import Any, Final, Self

import numpy as np

from feature_store.columns.events import Ints
from feature_store.columns.readings import Kind, Reading
from feature_store.definitions import LIFETIME, Feature, FeatureGroup, Function
from feature_store.definitions.filters import Scalar
from feature_store.definitions.windows import HOPS, hop, tail
from feature_store.tiles.table import Table

MARGIN: Final = timedelta(seconds=60)
"""An event younger than the time of the apply less this, or in its future, stays apart: requests may come before it."""
MOST_PENDING: Final = 1024
"""How many such events of the past an entity may have; beyond it the oldest go into tiles early."""
MOST_AHEAD: Final = 4096
"""How many events of the future an entity may have; the latest beyond it are left to the lake until their time."""

LEVELS: Final = (*HOPS, LIFETIME)
"""The lengths of tiles; a tile's ``level`` is its position here."""

SUMMED = frozenset((Function.SUM, Function.MEAN, Function.STD))
LATEST = frozenset((Function.LAST, Function.LAST_K, Function.TIME_SINCE_LAST))
TILED = frozenset(Function) - LATEST - {Function.COUNT_DISTINCT, Function.QUANTILE}
COUNTED = frozenset((Function.COUNT, Function.COUNT_CATEGORY, Function.MEAN, Function.STD))


@dataclass(frozen=True)
class Series:
    """One function of one reading; ``names`` are the features that it is, by the position of their window."""

    function: Function
    reading: Reading
    argument: Scalar | None
    names: Mapping[int, str]


@dataclass(frozen=True)
class Layout:
    """The readings that each part of a state is about, in a canonical order; and the row types of its tables.

    ``depths`` is the longest window at each level that has tiles.
    """

    group: FeatureGroup
    readings: tuple[Reading, ...]
    windows: tuple[timedelta, ...]
    depths: dict[int, timedelta]
    counted: tuple[Reading, ...]
    summed: tuple[Reading, ...]
    squared: tuple[Reading, ...]
    lowest: tuple[Reading, ...]
    highest: tuple[Reading, ...]
    first: tuple[Reading, ...]
    latest: dict[Reading, int]

    @classmethod
    def of(cls, group: FeatureGroup) -> Self:
        """Build once for each group and keep."""
        latest: dict[Reading, int] = {}
        for feature in group.features:
            if feature.function in LATEST:
                k = feature.argument if isinstance(feature.argument, int) else 1
                latest[Reading.of(feature)] = max(k, latest.get(Reading.of(feature), 0))
        windows = tuple(sorted({feature.window for feature in group.features}))
        return cls(
            group=group,
            readings=_readings(group, Function),
            windows=windows,
            depths={
                level(window): window
                for window in sorted(feature.window for feature in group.features if feature.function in TILED)
            },
            counted=_readings(group, COUNTED),
            summed=_readings(group, SUMMED),
            squared=_readings(group, {Function.STD}),
            lowest=_readings(group, {Function.MIN}),
            highest=_readings(group, {Function.MAX}),
            first=_readings(group, {Function.FIRST}),
            latest=dict(sorted(latest.items())),
        )

    @cached_property
    def fingerprint(self) -> bytes:
        return bytes.fromhex(self.group.fingerprint)

    @cached_property
    def series(self) -> tuple[Series, ...]:
        found: dict[tuple[Function, Reading, Scalar | None], dict[int, str]] = {}
        for feature in self.group.features:
            key = feature.function, Reading.of(feature), feature.argument
            found.setdefault(key, {})[self.windows.index(feature.window)] = feature.name
        return tuple(Series(*key, names) for key, names in found.items())

    @cached_property
    def numbers(self) -> tuple[Reading, ...]:
        return tuple(reading for reading in self.readings if reading.kind is Kind.NUMBER)

    @cached_property
    def hashes(self) -> tuple[Reading, ...]:
        return tuple(reading for reading in self.readings if reading.kind is Kind.HASH)

    @cached_property
    def ranked(self) -> tuple[Reading, ...]:
        """What there are quantiles of."""
        return _readings(self.group, {Function.QUANTILE})

    @cached_property
    def ranked_levels(self) -> tuple[Mapping[int, timedelta], ...]:
        """The levels at which each of ``ranked`` has sketches, and the longest window there."""
        wanted = [one for one in self.series if one.function is Function.QUANTILE]
        return tuple(
            {
                level(self.windows[at]): self.windows[at]
                for at in sorted(at for one in wanted if one.reading == reading for at in one.names)
            }
            for reading in self.ranked
        )

    def reach(self, function: Function, times: Ints) -> Ints:
        """The oldest time that a window of ``function`` reaches, for each time and reading it is of, in order."""
        longest: dict[Reading, timedelta] = {}
        for one in self.series:
            if one.function is function:
                window = self.windows[max(one.names)]
                longest[one.reading] = max(window, longest.get(one.reading, window))
        tails = [tail(times, longest[reading]) for reading in sorted(longest)]
        return np.stack(tails, axis=1) if tails else np.zeros((len(times), 0), dtype=np.int64)

    @cached_property
    def tile(self) -> np.dtype[Any]:
        """Sums come in pairs, ``high + low``; the squares' sums follow the sums."""
        sums = len(self.summed) + len(self.squared)
        return np.dtype(
            [
                ("level", "u1"),
                ("index", "<i4"),
                ("counts", "<i8", (len(self.counted),)),
                ("high", "<f8", (sums,)),
                ("low", "<f8", (sums,)),
                ("min", "<f8", (len(self.lowest),)),
                ("max", "<f8", (len(self.highest),)),
                ("first_time", "<i8", (len(self.first),)),
                ("first_tie", "<u8", (len(self.first),)),
                ("first_value", "<f8", (len(self.first),)),
            ]
        )

    @cached_property
    def event(self) -> np.dtype[Any]:
        """An event that no tile holds yet, reduced to what features read of it."""
        return np.dtype(
            [
                ("time", "<i8"),
                ("tie", "<u8"),
                ("present", "?", (len(self.readings),)),
                ("number", "<f8", (len(self.numbers),)),
                ("hash", "<u8", (len(self.hashes),)),
            ]
        )

    @cached_property
    def recent(self) -> np.dtype[Any]:
        """One of the latest events of the reading at position ``slot`` of ``latest``."""
        return np.dtype([("slot", "u1"), ("time", "<i8"), ("tie", "<u8"), ("value", "<f8")])

    @cached_property
    def distinct(self) -> np.dtype[Any]:
        """A value and when it was seen last; ``reduced`` when the key is no hash but a register and rank."""
        return np.dtype([("slot", "u1"), ("reduced", "?"), ("last", "<i8"), ("key", "<u8")])

    @cached_property
    def value(self) -> np.dtype[Any]:
        return np.dtype([("slot", "u1"), ("time", "<i8"), ("value", "<f8")])

    @cached_property
    def sketch(self) -> np.dtype[Any]:
        """A sketch of the values in one tile; ``size`` is that of its bytes."""
        return np.dtype([("slot", "u1"), ("level", "u1"), ("index", "<i4"), ("size", "<u4")])

    @cached_property
    def row_types(self) -> Mapping[str, np.dtype[Any]]:
        """The tables of a state, in the order of their bytes."""
        return {
            "tiles": self.tile,
            "events": self.event,
            "recent": self.recent,
            "distinct": self.distinct,
            "values": self.value,
            "sketches": self.sketch,
            "sketch_bytes": np.dtype(np.uint8),
        }

    @cached_property
    def row_sizes(self) -> tuple[int, ...]:
        return tuple(kind.itemsize for kind in self.row_types.values())

    @cached_property
    def no_rows(self) -> Mapping[str, Table]:
        return {
            name: Table(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=kind)) for name, kind in self.row_types.items()
        }


def level(window: timedelta) -> int:
    return LEVELS.index(LIFETIME if window == LIFETIME else hop(window))


def _readings(group: FeatureGroup, functions: Iterable[Function]) -> tuple[Reading, ...]:
    chosen: set[Feature] = {feature for feature in group.features if feature.function in set(functions)}
    return tuple(sorted({Reading.of(feature) for feature in chosen}))
