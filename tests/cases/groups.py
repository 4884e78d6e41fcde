"""Groups of people for frames that are made by hand."""

from collections.abc import Sequence

import numpy as np

from ml_modeling.frames.examples import GROUP_OF


def groups_by_lot(columns: Sequence[str], rows: int, seed: int = 0) -> dict[str, "np.ndarray"]:
    """A column ``group_of__<column>`` each, which says nothing of anything else."""
    random = np.random.default_rng(seed)
    return {f"{GROUP_OF}{column}": random.choice(["north", "east", "south"], size=rows) for column in columns}
