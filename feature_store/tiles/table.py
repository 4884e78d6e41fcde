"""Rows of many entities together."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from feature_store.columns.events import Ints

Rows = NDArray[Any]


@dataclass(frozen=True)
class Table:
    """``rows`` and whose they are: ``owner`` is the entity's position, and a state's tables are sorted by it."""

    owner: Ints
    rows: Rows

    @cached_property
    def columns(self) -> Mapping[str, NDArray[Any]]:
        """Each field in the one memory layout that compiled loops take."""
        return {name: self.rows[name].copy() for name in self.rows.dtype.names or ()}

    def take(self, chosen: Any) -> "Table":
        return Table(self.owner[chosen], self.rows[chosen])

    def join(self, more: "Table") -> "Table":
        """Both, sorted by owner; of one owner, these rows come first."""
        owner = np.concatenate([self.owner, more.owner])
        order = np.argsort(owner, kind="stable")
        rows: Rows = np.concatenate([self.rows, more.rows])
        return Table(owner[order], rows[order])
