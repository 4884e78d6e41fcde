"""What a feature of one column sees: the events that have a value there, and the ranges of them that windows cover."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np

from feature_store.columns.double_double import Floats, Pair, least_deviations, square
from feature_store.columns.events import Column, EventColumnsError, Events, Ints, Mask
from feature_store.kernel.blocks import Parts, parts
from feature_store.kernel.distinct import previous_positions
from feature_store.kernel.expansion import expand
from feature_store.kernel.extremes import extreme
from feature_store.kernel.sums import PrefixSums

SUM_PRECISION = 1e-11
"""Relative to the sum: above it, the difference of two prefix sums is not good enough."""
STD_PRECISION = 1e-10
"""Relative to the sum of squared deviations, of which a float64 says no less than the sum of squares times:"""
ROUNDED = 1e-15


@dataclass(frozen=True)
class View:
    """Events without those whose column is null: sorted by entity, time and tie-breaker."""

    events: Events
    column: Column
    positions: Ints | None
    """How many of the events before each position are kept; None when all are."""

    @classmethod
    def of(cls, events: Events, column: Column) -> Self:
        if column.valid.all():
            return cls(events, column, None)
        kept = events.take(column.valid)
        return cls(kept, column.take(column.valid), np.append(0, np.cumsum(column.valid)))

    def ranges(self, start: Ints, end: Ints) -> tuple[Ints, Ints]:
        """Ranges of all events as ranges of the kept ones."""
        return (start, end) if self.positions is None else (self.positions[start], self.positions[end])

    @cached_property
    def values(self) -> Floats:
        return np.asarray(self.column.values, dtype=np.float64)

    @cached_property
    def squares(self) -> Pair:
        return square(self.values)

    @cached_property
    def sums(self) -> PrefixSums:
        return PrefixSums.of(self.values)

    @cached_property
    def sums_of_squares(self) -> PrefixSums:
        return PrefixSums.of(*self.squares)

    @cached_property
    def changes(self) -> Ints:
        """How often the value has changed up to each event."""
        changed = self.values[1:] != self.values[:-1]
        return np.concatenate([np.zeros(min(len(self.values), 1), dtype=np.int64), np.cumsum(changed)])

    @cached_property
    def previous(self) -> Ints:
        return previous_positions(self.events.entity, self.column.values)

    @cached_property
    def known(self) -> Ints:
        """When each event became known.

        Raises:
            EventColumnsError: the events do not say.
        """
        if self.events.known_time is None:
            raise EventColumnsError("values as known need the events' known_time")
        return self.events.known_time

    @cached_property
    def index(self) -> Floats:
        return np.arange(len(self.events), dtype=np.float64)


@dataclass(frozen=True)
class Ranges:
    """The range of ``view`` that one window covers at each query; of it only what was ``known_until`` then."""

    view: View
    start: Ints
    end: Ints
    time: Ints
    known_until: Ints | None

    @cached_property
    def withheld(self) -> Mask:
        """True for the ranges that hold something not known yet."""
        if self.known_until is None:
            return np.zeros(len(self.start), dtype=np.bool_)
        latest = extreme(self.view.known.astype(np.float64), self.start, self.end, np.maximum)
        return latest > self.known_until

    @cached_property
    def some_withheld(self) -> Ints:
        return np.nonzero(self.withheld)[0]

    @cached_property
    def limits(self) -> Ints:
        """Until when the ranges at ``some_withheld`` know."""
        return np.zeros(0, np.int64) if self.known_until is None else self.known_until[self.some_withheld]

    @cached_property
    def known_parts(self) -> Parts:
        """Of the ranges at ``some_withheld``, what was known."""
        chosen = self.some_withheld
        return parts(self.start[chosen], self.end[chosen], self.view.known, self.limits)

    def known_events(self) -> Iterator[tuple[Ints, Ints, Ints]]:
        """Of the ranges at ``some_withheld``, a piece at a time: which ranges, and (range in the piece, position)."""
        chosen = self.some_withheld
        for owner, position in expand(self.start[chosen], self.end[chosen]):
            known = self.view.known[position] <= self.limits[owner]
            yield chosen[owner[0] : owner[-1] + 1], (owner - owner[0])[known], position[known]

    @cached_property
    def counts(self) -> Ints:
        counts = self.end - self.start
        if len(self.some_withheld):
            counts[self.some_withheld] = self.known_parts.count()
        return counts

    @cached_property
    def are_uniform(self) -> Mask:
        """True for the ranges without two different values, which no difference of prefix sums says for sure."""
        uniform = np.ones(len(self.start), dtype=np.bool_)
        some = np.nonzero(self.end - self.start > 1)[0]
        changes = self.view.changes
        uniform[some] = changes[self.start[some]] == changes[self.end[some] - 1]
        return uniform

    @cached_property
    def total(self) -> Pair:
        sums = self.view.sums
        result = sums.between(self.start, self.end)
        off = sums.error(self.start, self.end) > SUM_PRECISION * np.abs(result[0])
        self._correct(result, off, self.view.values)
        return result

    def totals_for_std(self) -> tuple[Pair, Pair]:
        """The sum and the sum of squares, near enough for their difference."""
        view, start, end = self.view, self.start, self.end
        sums, squares = view.sums.between(start, end), view.sums_of_squares.between(start, end)
        mean = np.abs(sums[0]) / np.maximum(end - start, 1)
        error = view.sums_of_squares.error(start, end) + 2 * mean * view.sums.error(start, end)
        deviations = squares[0] - mean * np.abs(sums[0]) - ROUNDED * squares[0]
        off = error > np.maximum(STD_PRECISION * deviations, least_deviations(end - start, squares[0]))
        off &= ~self.are_uniform
        self._correct(sums, off, view.values)
        self._correct(squares, off, *view.squares)
        return sums, squares

    def _correct(self, result: Pair, off: Mask, values: Floats, lost: Floats | None = None) -> None:
        """Put right what prefix sums cannot: ranges drowned by what came before them, and those partly withheld."""
        if len(drowned := np.nonzero(off & ~self.withheld & (self.end > self.start))[0]):
            result[0][drowned], result[1][drowned] = parts(self.start[drowned], self.end[drowned]).total(values, lost)
        if len(self.some_withheld):
            result[0][self.some_withheld], result[1][self.some_withheld] = self.known_parts.total(values, lost)
