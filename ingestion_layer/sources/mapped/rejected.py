"""The rows that are no events, one JSON document a line."""

import os
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import orjson

from ingestion_layer.sources.mapped.chunk import Reject
from tidemill.config.files import cut_back


class RejectedLines:
    """A file of rejects, cut back to ``size`` bytes first: what a killed run wrote beyond its progress."""

    def __init__(self, path: Path, size: int) -> None:
        cut_back(path, size)
        self._path = path
        self._file = path.open("ab")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        self._file.close()

    def add(self, rejects: Iterable[Reject]) -> None:
        """Append them."""
        self._file.writelines(
            orjson.dumps(reject, default=_shown, option=orjson.OPT_APPEND_NEWLINE) for reject in rejects
        )

    def size(self) -> int:
        """The bytes written so far; they are on disk."""
        if not self._file.closed:
            self._file.flush()
            os.fsync(self._file.fileno())
        return self._path.stat().st_size


def _shown(cell: Any) -> str:
    """A decimal, or whatever else a typed file holds, as text."""
    return str(cell)
