"""Columns of texts: read and hashed the same, whether their values repeat or all differ."""

import numpy as np
import pyarrow as pa
import pytest

from feature_store.columns.arrow import column_of
from feature_store.columns.events import Column
from feature_store.columns.hashing import SAMPLE, stable_hash

# Of pandas 2.3, one text at a time; they stand in online states.
HASHES = {"o1": 5307091263377485954, "": 1760245841805064774, "p42": 9548146100945947025}

DIFFERENT = [f"order {number}" for number in range(3 * SAMPLE)]
REPEATED = ["o1", "p42", ""] * SAMPLE
LATER_DIFFERENT = REPEATED + DIFFERENT


@pytest.mark.parametrize(
    "texts",
    [
        pytest.param(REPEATED, id="few"),
        pytest.param(DIFFERENT, id="all different"),
        pytest.param(LATER_DIFFERENT, id="few at first"),
        pytest.param(["o1"], id="one"),
        pytest.param([], id="none"),
    ],
)
def test_a_column_of_texts_is_what_arrow_held(texts: list[str]) -> None:
    given = [*texts, *([None] if texts else [])]
    halves = [pa.array(given[: len(given) // 2], pa.string()), pa.array(given[len(given) // 2 :], pa.string())]
    column = column_of(pa.chunked_array(halves))
    assert column.valid.tolist() == [text is not None for text in given]
    assert column.values.dtype == object
    assert column.values[column.valid].tolist() == texts


def test_a_texts_hash_does_not_depend_on_what_it_is_hashed_with() -> None:
    for texts in (REPEATED, [*HASHES], LATER_DIFFERENT):
        hashes = stable_hash(Column(np.array(texts, dtype=object), np.ones(len(texts), dtype=bool)))
        known = {text: int(number) for text, number in zip(texts, hashes, strict=True) if text in HASHES}
        assert known == HASHES
        assert len(set(hashes.tolist())) == len(set(texts))
