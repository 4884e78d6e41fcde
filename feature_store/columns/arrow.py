"""Between Arrow's columns and numpy's, without a loop over values."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from feature_store.columns.events import Column


def column_of(values: pa.ChunkedArray) -> Column:
    """``values`` and which of them are there."""
    valid = pc.is_valid(values).to_numpy()
    if pa.types.is_string(values.type) or pa.types.is_large_string(values.type):
        return Column(pc.fill_null(values, "").to_numpy().astype(object), valid)
    if pa.types.is_boolean(values.type):
        return Column(pc.fill_null(values, False).to_numpy(), valid)
    return Column(pc.fill_null(values, pa.scalar(0, values.type)).to_numpy(), valid)


def floats(values: NDArray[np.float64]) -> pa.Array:
    """``values`` with null where they are NaN."""
    return pa.array(values, pa.float64(), mask=np.isnan(values))
