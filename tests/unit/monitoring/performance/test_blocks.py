"""Losses in blocks that grow, against blocks that are cut one by one."""

from collections.abc import Iterator

import numpy as np
import pytest

from monitoring.performance.blocks import PER_SIZE, Blocks, blocks, losses_in
from monitoring.performance.losses import Floats, Integers


def batches(losses: Floats, size: int) -> Iterator[tuple[Integers, Floats]]:
    times = np.arange(len(losses)) * 10
    for begin in range(0, len(losses), size):
        yield times[begin : begin + size], losses[begin : begin + size]


def naive(losses: Floats) -> list[tuple[float, int, int]]:
    """Mean, size and begin of each full block."""
    cut, begin = [], 0
    while True:
        size = 2 ** (len(cut) // PER_SIZE)
        if begin + size > len(losses):
            return cut
        cut.append((float(losses[begin : begin + size].mean()), size, begin * 10))
        begin += size


def same(found: Blocks, losses: Floats) -> bool:
    means, sizes, begins = (list(column) for column in zip(*naive(losses), strict=True))
    assert found.means == pytest.approx(means)
    assert (found.sizes.tolist(), found.begins.tolist()) == (sizes, begins)
    return found.losses == len(losses)


@pytest.mark.parametrize("count", [1, 17, 4_095, 4_096, 4_097, 4_098, 12_288, 12_290, 40_001])
@pytest.mark.parametrize("size", [1_000, 50_000])
def test_they_are_those_that_are_cut_one_by_one(count: int, size: int) -> None:
    losses = np.random.default_rng(count).random(count)
    assert same(blocks(batches(losses, size)), losses)


def test_a_later_look_has_the_blocks_of_an_earlier_one_and_more() -> None:
    losses = np.random.default_rng(1).random(30_000)
    whole = blocks(batches(losses, 999))
    for count in (0, 1, 5_000, 12_289, 29_999):
        part = blocks(batches(losses[:count], 500))
        assert part.means == pytest.approx(whole.means[: len(part.means)])
        assert part.begins.tolist() == whole.begins[: len(part.begins)].tolist()


def test_nothing_makes_no_block() -> None:
    assert (blocks([]).losses, len(blocks([]).means)) == (0, 0)
    assert len(blocks([(np.empty(0, dtype=np.int64), np.empty(0))]).means) == 0


def test_a_hundred_million_losses_are_some_ten_thousands_of_blocks() -> None:
    """By hand: sizes 1 to 16,384 have 4,096 blocks each, which hold 4,096 x 32,767 losses."""
    assert losses_in(15 * PER_SIZE) == 4_096 * 32_767 > 100_000_000
    assert [losses_in(count) for count in (0, 5, 4_096, 4_098, 8_192, 8_193)] == [0, 5, 4_096, 4_100, 12_288, 12_292]
