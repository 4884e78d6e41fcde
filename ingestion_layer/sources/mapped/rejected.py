"""The rows that are no events, one JSON document a line."""

import os
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import orjson

from ingestion_layer.sources.mapped.chunk import Reject
from tidemill.config.files import cut_back
from tidemill.contracts.serialise import NoJsonError, to_json


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
        shown = (replace(reject, row=_shown(reject.row)) for reject in rejects)
        self._file.writelines(orjson.dumps(reject, option=orjson.OPT_APPEND_NEWLINE) for reject in shown)

    def size(self) -> int:
        """The bytes written so far; they are on disk."""
        if not self._file.closed:
            self._file.flush()
            os.fsync(self._file.fileno())
        return self._path.stat().st_size


def _shown(row: Any) -> orjson.Fragment:
    """As JSON; a cell that has no form there, as a time or half a character, is shown as text."""
    try:
        return orjson.Fragment(to_json(row))
    except NoJsonError:
        cells = {name: _as_text(cell) for name, cell in row.items()} if isinstance(row, dict) else _as_text(row)
        return orjson.Fragment(to_json(cells))


def _as_text(cell: Any) -> Any:
    try:
        to_json(cell)
    except NoJsonError:
        return str(cell).encode(errors="replace").decode()
    return cell
