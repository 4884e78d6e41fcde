"""Messages by where they are in their topic, and halves of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F  # noqa: N812

from data_lake.tables import FIRST_GENERATION


@dataclass(frozen=True)
class OffsetRange:
    """The offsets from ``first`` to ``last`` of a partition, in one generation of its topic."""

    generation: int
    partition: int
    first: int
    last: int

    def __len__(self) -> int:
        return self.last - self.first + 1

    def __str__(self) -> str:
        offsets = f"offset {self.first}" if len(self) == 1 else f"offsets {self.first} to {self.last}"
        return f"generation {self.generation} partition {self.partition} {offsets}"


Part = tuple[OffsetRange, ...]


def ranges_of(messages: DataFrame) -> Part:
    """The ranges that hold all of ``messages``, rows of bronze: one a generation and partition."""
    keyed = messages.groupBy(_generation().alias("generation"), "partition")
    rows = keyed.agg(F.min("offset").alias("first"), F.max("offset").alias("last")).collect()
    return tuple(sorted((OffsetRange(**row.asDict()) for row in rows), key=lambda r: (r.generation, r.partition)))


def halves(part: Part) -> tuple[Part, Part]:
    """``part``, of more than one offset, in two: between two ranges where there are several, else in its middle."""
    if len(part) > 1:
        return part[: len(part) // 2], part[len(part) // 2 :]
    (whole,) = part
    middle = (whole.first + whole.last) // 2
    left = OffsetRange(whole.generation, whole.partition, whole.first, middle)
    return (left,), (OffsetRange(whole.generation, whole.partition, middle + 1, whole.last),)


def size(part: Part) -> int:
    """Offsets in ``part``."""
    return sum(map(len, part))


def within(part: Sequence[OffsetRange]) -> Column:
    """True for the rows of bronze or quarantine that are in ``part``."""
    conditions = [
        (_generation() == offsets.generation)
        & (F.col("partition") == offsets.partition)
        & F.col("offset").between(offsets.first, offsets.last)
        for offsets in part
    ]
    return reduce(or_, conditions, F.lit(False))


def _generation() -> Column:
    return F.coalesce("generation", F.lit(FIRST_GENERATION))
