"""Events and queries as columns: what every engine hands to the kernel and to the tiles."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from tidemill.config.errors import TerminalError

Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]
Features = dict[str, NDArray[np.float64]]
"""Values by feature name, one a query; NaN where there is none."""

LARGEST = 1e100
"""A number beyond it, and one that is not finite, counts as null: JSON has none, and its square leaves float64."""


class EventColumnsError(TerminalError):
    """Columns that do not fit together, or not to the definition."""


@dataclass(frozen=True)
class Column:
    """Values, and which of them are there; what stands at the others is of the same type and means nothing."""

    values: NDArray[Any]
    valid: Mask

    @classmethod
    def of(cls, values: Sequence[Any] | NDArray[Any], fill: Any = None) -> Self:
        """From values in which None and NaN are null; ``fill`` is put in their place (by default one of the values)."""
        given = np.asarray(values, dtype=None if isinstance(values, np.ndarray) else object)
        valid = np.array([one is not None and one == one for one in given], dtype=np.bool_)  # noqa: PLR0124
        found = given[valid].tolist()
        if fill is None:
            fill = found[0] if found else 0
        filled = [one if there else fill for one, there in zip(given.tolist(), valid, strict=True)]
        kind = object if isinstance(fill, str) else None
        return cls(np.array(filled, dtype=kind), valid)

    def take(self, index: NDArray[Any] | slice) -> "Column":
        return Column(self.values[index], self.valid[index])

    def numbers(self) -> "Column":
        """As float64.

        Raises:
            EventColumnsError: it holds something else than numbers.
        """
        if self.values.dtype.kind not in "biuf":
            raise EventColumnsError(f"a column of {self.values.dtype} where a feature needs numbers")
        return Column(self.values.astype(np.float64), self.valid)

    def measured(self) -> "Column":
        """Without what is no measurement: the same rows, but null where the number is none that counts."""
        if self.values.dtype.kind != "f":
            return self
        return Column(self.values, self.valid & (np.abs(self.values.astype(np.float64, copy=False)) <= LARGEST))


@dataclass(frozen=True)
class Events:
    """Events of many entities, in any order.

    ``entity`` numbers entities from 0; ``time`` and ``known_time`` are microseconds since 1970; ``tie`` orders events
    of equal time (a hash of the source's tie-breaker).
    """

    entity: Ints
    time: Ints
    tie: NDArray[np.uint64]
    columns: Mapping[str, Column]
    known_time: Ints | None = None

    def __post_init__(self) -> None:
        arrays = {"time": self.time, "tie": self.tie}
        arrays |= {f"column {name}": column.values for name, column in self.columns.items()}
        if self.known_time is not None:
            arrays["known_time"] = self.known_time
        for name, array in arrays.items():
            if len(array) != len(self.entity):
                raise EventColumnsError(f"{name} has {len(array)} rows, entity {len(self.entity)}")

    def __len__(self) -> int:
        return len(self.entity)

    def column(self, name: str) -> Column:
        """The column called ``name``; a number that does not count is null in it.

        Raises:
            EventColumnsError: it was not handed over.
        """
        try:
            return self.columns[name].measured()
        except KeyError:
            raise EventColumnsError(f"no column {name!r}; there are: {', '.join(self.columns)}") from None

    def take(self, index: NDArray[Any] | slice) -> "Events":
        """The events at ``index``: positions, a mask or a slice."""
        columns = {name: column.take(index) for name, column in self.columns.items()}
        known = None if self.known_time is None else self.known_time[index]
        return Events(self.entity[index], self.time[index], self.tie[index], columns, known)


@dataclass(frozen=True)
class Queries:
    """Which entity's features are wanted as of when, in any order.

    With ``known_until``, only events whose ``known_time`` is not above it count: what was known at a query.
    """

    entity: Ints
    time: Ints
    known_until: Ints | None = None

    def __len__(self) -> int:
        return len(self.entity)

    def take(self, index: NDArray[Any] | slice) -> "Queries":
        until = None if self.known_until is None else self.known_until[index]
        return Queries(self.entity[index], self.time[index], until)
