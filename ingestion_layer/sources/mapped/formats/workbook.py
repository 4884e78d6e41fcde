"""xlsx: one sheet, read row by row. A row's line is its number in the sheet."""

import lzma
import struct
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import ParseError
from zipfile import BadZipFile

from openpyxl import load_workbook
from openpyxl.utils.exceptions import InvalidFileException

from ingestion_layer.sources.mapped.chunk import Chunk
from ingestion_layer.sources.mapped.formats.reading import ROWS_AT_ONCE, UnreadableFileError, places
from ingestion_layer.sources.mapped.mapping import SourceMapping
from tidemill.config.errors import nearest

# What zipfile, zlib and openpyxl raise at bytes that are damaged.
UNREADABLE = (
    BadZipFile, InvalidFileException, ParseError, zlib.error, lzma.LZMAError, struct.error, EOFError, OSError,
    LookupError, ValueError, TypeError, NotImplementedError, RuntimeError,
)  # fmt: skip


class Workbook:
    """The sheet that the mapping names, else the first; of a formula the value that was last computed."""

    def __init__(self, path: Path, mapping: SourceMapping) -> None:
        self._path, self._mapping, self._said = path, mapping, mapping.declared.xlsx

    def check(self) -> int:
        """How many rows the sheet says it has, if the workbook can be opened and the sheet has the mapping's columns.

        Raises:
            UnreadableFileError: it cannot, or has not.
        """
        with self._sheet() as sheet:
            said = int(sheet.max_row or 0)
            sheet.reset_dimensions()
            places(self._path, self._mapping, self._header(sheet))
            return said

    def chunks(self, after: int) -> Iterator[Chunk]:
        """The rows beyond the row ``after``; empty ones are none.

        Raises:
            UnreadableFileError: the sheet ends in its middle.
        """
        with self._sheet() as sheet:
            sheet.reset_dimensions()  # what a sheet says of its size is a hint (ECMA-376, 18.3.1.35): all rows are read
            wanted = places(self._path, self._mapping, self._header(sheet))
            first = max(after, self._said.header_row) + 1
            rows: list[Sequence[Any]] = []
            lines: list[int] = []
            line = first - 1
            for line, row in enumerate(sheet.iter_rows(min_row=first, values_only=True), first):
                if any(cell is not None for cell in row):
                    rows.append(row)
                    lines.append(line)
                if len(rows) >= ROWS_AT_ONCE:
                    yield _chunk(line, lines, rows, wanted)
                    rows, lines = [], []
            yield _chunk(line, lines, rows, wanted)

    def _header(self, sheet: Any) -> list[str]:
        at = self._said.header_row
        for row in sheet.iter_rows(min_row=at, max_row=at, values_only=True):
            return ["" if cell is None else str(cell).strip() for cell in row]
        return []

    @contextmanager
    def _sheet(self) -> Iterator[Any]:
        try:
            workbook = load_workbook(self._path, read_only=True, data_only=True)
            try:
                yield self._named(workbook)
            finally:
                workbook.close()
        except UNREADABLE as error:
            raise UnreadableFileError(f"{self._path}: not a whole workbook ({error}): fetch it again") from error

    def _named(self, workbook: Any) -> Any:
        name = self._said.sheet
        if name is None:
            return workbook.worksheets[0]
        if name not in workbook.sheetnames:
            raise UnreadableFileError(f"{self._path} has no sheet {name!r}{nearest(name, workbook.sheetnames)}")
        return workbook[name]


def _chunk(last: int, lines: list[int], rows: list[Sequence[Any]], wanted: dict[str, int]) -> Chunk:
    """Rows may be shorter than the header: what is empty at their end is not in the sheet."""
    columns = {name: [row[place] if place < len(row) else None for row in rows] for name, place in wanted.items()}
    return Chunk(last, lines, columns)
