"""Between Arrow's columns and numpy's, without a loop over values."""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from feature_store.columns.events import Column
from feature_store.columns.hashing import SAMPLE


def column_of(values: pa.ChunkedArray) -> Column:
    """``values`` and which of them are there; of lists and maps only that, which is all that features read of them."""
    valid = pc.is_valid(values).to_numpy()
    if pa.types.is_nested(values.type):
        return Column(np.full(len(values), "", dtype=object), valid)
    if pa.types.is_string(values.type) or pa.types.is_large_string(values.type):
        return Column(_texts(pc.fill_null(values, "")), valid)
    if pa.types.is_boolean(values.type):
        return Column(pc.fill_null(values, False).to_numpy(), valid)
    return Column(pc.fill_null(values, pa.scalar(0, values.type)).to_numpy(), valid)


def _texts(values: pa.ChunkedArray) -> Any:
    """Where they repeat, equal texts are one object: few are made, and they compare by being the same."""
    if pc.count_distinct(values.slice(0, SAMPLE)).as_py() * 2 > min(len(values), SAMPLE):
        return values.to_numpy().astype(object, copy=False)
    coded = pc.dictionary_encode(values).combine_chunks()
    return coded.dictionary.to_numpy(zero_copy_only=False).astype(object, copy=False)[coded.indices.to_numpy()]


def floats(values: NDArray[np.float64]) -> pa.Array:
    """``values`` with null where they are NaN."""
    return pa.array(values, pa.float64(), mask=np.isnan(values))
