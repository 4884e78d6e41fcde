"""The profile of a column of categories: how often each occurs, exactly up to ``MOST_CATEGORIES`` of them.

Beyond that the frequent ones are kept with a bound on what each may lack. Sources: Misra and Gries, "Finding repeated
elements", 1982; merging is of Agarwal et al., "Mergeable summaries", 2012. Beside them, rows are counted by the hash of
their category in ``BUCKETS`` cells. These are exact whatever the number of categories, so that two columns of a million
product ids can be compared without an error of a sketch.
"""

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pandas.util import hash_array

from monitoring.profiles.distinct import Distinct

MOST_CATEGORIES = 1000
BUCKETS = 256
LONGEST = 200
"""Characters of a category that are kept; a longer one is cut and told from others by a digest."""


Counts = NDArray[np.int64]


def _no_rows() -> Counts:
    return np.zeros(BUCKETS, dtype=np.int64)


@dataclass
class CategoricalProfile:
    """A category occurred between its count in ``counts`` and ``undercount`` more times.

    ``buckets`` (``BUCKETS``,) are the rows by hash of their category.
    """

    rows: int = 0
    nulls: int = 0
    counts: Mapping[str, int] = field(default_factory=dict)
    undercount: int = 0
    distinct: Distinct = field(default_factory=Distinct)
    buckets: Counts = field(default_factory=_no_rows)

    def update(self, column: pa.Array) -> None:
        """Take in more rows; anything that Arrow casts to text."""
        self.rows += len(column)
        self.nulls += column.null_count
        values, times = _counted(column)
        hashes = hash_array(values, categorize=False)
        self.distinct = self.distinct.add(hashes)
        cells = np.bincount((hashes % np.uint64(BUCKETS)).astype(np.int64), weights=times, minlength=BUCKETS)
        self.buckets = self.buckets + cells.astype(np.int64)
        kept, lacking = _most_frequent(values, times)
        self._take_in({_shortened(value): count for value, count in kept.items()}, lacking)

    def merge(self, other: "CategoricalProfile") -> "CategoricalProfile":
        both = CategoricalProfile(
            self.rows + other.rows,
            self.nulls + other.nulls,
            self.counts,
            self.undercount,
            self.distinct.merge(other.distinct),
            self.buckets + other.buckets,
        )
        both._take_in(other.counts, other.undercount)
        return both

    @property
    def missing(self) -> int:
        return self.nulls

    @property
    def count(self) -> int:
        """Rows that have a category."""
        return self.rows - self.nulls

    @property
    def is_exact(self) -> bool:
        """Whether ``counts`` has every category and all of its rows."""
        return self.undercount == 0

    @property
    def other(self) -> int:
        """Rows that ``counts`` does not hold."""
        return self.count - sum(self.counts.values())

    def _take_in(self, counts: Mapping[str, int], undercount: int) -> None:
        union = Counter(self.counts)
        union.update(counts)
        kept, lacking = _most_frequent(
            np.array(list(union), dtype=object), np.fromiter(union.values(), dtype=np.int64, count=len(union))
        )
        self.counts = kept
        self.undercount += undercount + lacking


def _counted(column: pa.Array) -> "tuple[np.ndarray, np.ndarray]":
    """Each category of the rows and how often it occurs."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    counted = column.drop_null().value_counts()
    values = pc.cast(counted.field("values"), pa.large_string())
    return values.to_numpy(zero_copy_only=False).astype(object), counted.field("counts").to_numpy()


def _most_frequent(values: "np.ndarray", times: "np.ndarray") -> tuple[dict[str, int], int]:
    """At most ``MOST_CATEGORIES`` counts, and how much each of them lacks at most."""
    lacking = 0
    if len(times) > MOST_CATEGORIES:
        lacking = int(np.partition(times, -MOST_CATEGORIES - 1)[-MOST_CATEGORIES - 1])
        stays = times > lacking
        values, times = values[stays], times[stays] - lacking
    return dict(zip(values.tolist(), times.tolist(), strict=True)), lacking


def _shortened(value: str) -> str:
    if len(value) <= LONGEST:
        return value
    return f"{value[: LONGEST - 17]}#{hashlib.sha256(value.encode()).hexdigest()[:16]}"
