"""Tables of equally long numpy arrays."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Self

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Columns:
    """Rows as columns: each field of a subclass is an array with one element a row."""

    time: Ints

    def __len__(self) -> int:
        return len(self.time)

    def take(self, index: Ints | Bools) -> Self:
        """The rows at ``index``, in its order."""
        return type(self)(**{field.name: getattr(self, field.name)[index] for field in fields(self)})

    @classmethod
    def concat(cls, parts: Sequence[Self]) -> Self:
        """The rows of ``parts``, one after the other."""
        names = [field.name for field in fields(cls)]
        return cls(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in names})
