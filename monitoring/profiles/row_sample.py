"""Some rows of a table, each as likely as any other, that merge: the rows with the smallest of random tags.

Source: Cohen and Kaplan, "Summarizing data using bottom-k sketches", 2007.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from monitoring.profiles.moments import Floats

UNIT = "__unit"
"""A column that says whom a row is about, where rows about the same one hang together."""


@dataclass(frozen=True)
class RowSample:
    """At most ``size`` rows of the ``seen``; ``tags`` (n,) ascend. There may be a column :data:`UNIT`."""

    size: int
    rows: pa.Table
    tags: Floats
    seen: int

    @classmethod
    def of(cls, rows: pa.Table, size: int, random: np.random.Generator) -> "RowSample":
        """A sample without replacement of ``size`` rows, or of all when there are fewer."""
        tags = random.random(rows.num_rows)
        chosen = np.argsort(tags)[:size]
        return cls(size, rows.take(pa.array(chosen)), tags[chosen], rows.num_rows)

    @property
    def names(self) -> frozenset[str]:
        """Of its columns."""
        return frozenset(self.rows.column_names)

    def merge(self, other: "RowSample") -> "RowSample":
        """A sample of the rows of both, whose columns are the same; of the lesser size."""
        size = min(self.size, other.size)
        tags = np.concatenate((self.tags, other.tags))
        chosen = np.argsort(tags)[:size]
        rows = pa.concat_tables((self.rows, other.rows)).take(pa.array(chosen))
        return RowSample(size, rows, tags[chosen], self.seen + other.seen)
