"""Objects that raise when they are read."""

from collections.abc import Iterator, Mapping
from typing import Any


class Away(Mapping[str, Any]):
    """A mapping whose source is gone."""

    def __getitem__(self, key: str) -> Any:
        raise OSError("gone")

    def __iter__(self) -> Iterator[str]:
        raise OSError("gone")

    def __len__(self) -> int:
        return 1
