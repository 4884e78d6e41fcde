"""What is kept of entities that are asked often, against a reading row by row."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pytest

from monitoring.performance.apart import AT, EVER, UNIT, apart

Rows = list[tuple[str, int]]


def batches(rows: Rows, size: int) -> Iterator[pa.RecordBatch]:
    for begin in range(0, len(rows), size):
        units, times = zip(*rows[begin : begin + size], strict=True)
        yield pa.RecordBatch.from_pydict({UNIT: list(units), AT: list(times)})
        yield pa.RecordBatch.from_pydict({UNIT: pa.array([], pa.string()), AT: pa.array([], pa.int64())})


def kept(rows: Rows, span: int, size: int = 7) -> Rows:
    found = pa.Table.from_batches(list(apart(batches(rows, size), span)))
    return list(zip(found[UNIT].to_pylist(), found[AT].to_pylist(), strict=True))


def naive(rows: Rows, span: int) -> Rows:
    last: dict[str, int] = {}
    found = []
    for unit, at in rows:
        if unit not in last or at - last[unit] >= span:
            last[unit] = at
            found.append((unit, at))
    return found


@pytest.mark.parametrize("size", [1, 2, 7, 64, 1_000])
@pytest.mark.parametrize("span", [1, 5, 40, 300])
def test_it_is_what_is_kept_row_by_row_wherever_batches_end(span: int, size: int) -> None:
    random = np.random.default_rng(span + size)
    rows = sorted((f"c{random.integers(12)}", int(random.integers(400))) for _ in range(500))
    assert kept(rows, span, size) == naive(rows, span)


def test_no_two_windows_of_one_entity_overlap_and_none_fits_between() -> None:
    rows = [("ann", day) for day in range(365)] + [("bob", day) for day in range(0, 365, 100)]
    assert [at for unit, at in kept(rows, 90) if unit == "ann"] == [0, 90, 180, 270, 360]
    assert [at for unit, at in kept(rows, 90) if unit == "bob"] == [0, 100, 200, 300]


def test_an_event_counts_once_however_much_later_it_is_asked_about_again() -> None:
    rows = [("e1", 0), ("e1", 10**18), ("e2", 5), ("e2", 5)]
    assert kept(rows, EVER, 1) == [("e1", 0), ("e2", 5)]


def test_times_before_1970_are_times() -> None:
    assert kept([("ann", -100), ("ann", -95), ("ann", -10)], 90) == [("ann", -100), ("ann", -10)]
