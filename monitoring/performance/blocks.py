"""Losses in blocks of consecutive ones, so that a model that answered a hundred million times is judged in a megabyte.

The mean of some losses lies between 0 and 1 as they do, and as long as no loss is above m in the mean, no block is. The
first blocks are of one loss each, then come as many of two, of four, and so on. A block's size follows from its number
alone, so a later look has the blocks of an earlier one, and more: what was bet stays bet.

What it costs: a rise is found after some dozens of blocks, so of a model that answered N times no sooner than after
about N / 100 answers more. What it gives: what hangs together within a block cannot fool who bets on blocks.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from monitoring.performance.losses import Floats, Integers

PER_SIZE = 4_096
"""So many blocks of each size."""


@dataclass(frozen=True)
class Blocks:
    """The ``means`` (n,) of the blocks that are full, how many losses each has, and the time of the first of these.

    ``begins`` are microseconds since 1970; ``losses`` counts all that came, also of the block that is not full.
    """

    means: Floats
    sizes: Integers
    begins: Integers
    losses: int


def blocks(batches: Iterable[tuple[Integers, Floats]]) -> Blocks:
    """Of times and losses, (n,) each, in the order of the predictions."""
    parts = [(np.empty(0, dtype=np.int64), np.empty(0), np.empty(0, dtype=np.int64))]
    count = 0
    for times, losses in batches:
        numbers = _numbers(np.arange(count, count + len(losses)))
        there, firsts = np.unique(numbers, return_index=True)
        parts.append((there, np.add.reduceat(losses, firsts) if len(losses) else losses, times[firsts]))
        count += len(losses)
    numbers, sums, begins = (np.concatenate(column) for column in zip(*parts, strict=True))
    there, firsts = np.unique(numbers, return_index=True)
    full = int(_numbers(np.array([count]))[0])
    sizes = np.left_shift(1, there[:full] // PER_SIZE)
    totals = np.bincount(numbers, sums, minlength=full)[:full]
    return Blocks(totals / sizes, sizes, begins[firsts][:full], count)


def losses_in(count: int) -> int:
    """How many losses the first ``count`` blocks have."""
    size, rest = divmod(count, PER_SIZE)
    return int(PER_SIZE * (2**size - 1) + rest * 2**size)


def _numbers(losses: Integers) -> Integers:
    """The number of the block that each loss, by its own number, lies in; all from 0."""
    sizes = np.frexp(losses // PER_SIZE + 1)[1].astype(np.int64) - 1
    inside = losses - PER_SIZE * (np.left_shift(1, sizes) - 1)
    numbers: Integers = sizes * PER_SIZE + np.right_shift(inside, sizes)
    return numbers
