"""The rows that are no events, written with their reasons."""

import csv
import os
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

from ingestion_layer.sources.online_retail.reading import COLUMNS
from tidemill.config.files import cut_back

HEADER = ("row", "reason", "detail", *COLUMNS)


class RejectedRows:
    """A csv file of rejected rows, cut back to ``size`` bytes first: what a killed run wrote beyond its progress."""

    def __init__(self, path: Path, size: int) -> None:
        left = cut_back(path, size)
        self._path = path
        self._file = path.open("a", encoding="utf-8", newline="")
        self._writer = csv.writer(self._file)
        if not left:
            self._writer.writerow(HEADER)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        self._file.close()

    def add(self, row: int, reason: str, detail: str, cells: Iterable[str | None]) -> None:
        """Append one row with its cells as they were written."""
        self._writer.writerow((row, reason, detail, *("" if cell is None else cell for cell in cells)))

    def size(self) -> int:
        """The bytes written so far; they are on disk."""
        if not self._file.closed:
            self._file.flush()
            os.fsync(self._file.fileno())
        return self._path.stat().st_size
