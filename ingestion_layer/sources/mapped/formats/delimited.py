"""csv and its kin: cells are texts, in whatever encoding, with whatever delimiter."""

import csv
import io
import re
from collections.abc import Iterator
from contextlib import closing
from itertools import accumulate, islice
from pathlib import Path
from typing import Any

from ingestion_layer.sources.mapped.chunk import Chunk, Reject
from ingestion_layer.sources.mapped.formats.lines import check_text, lines_of, open_bytes
from ingestion_layer.sources.mapped.formats.reading import BYTES_AT_ONCE, ROWS_AT_ONCE, UnreadableFileError, places
from ingestion_layer.sources.mapped.mapping import SourceMapping

COLUMN_COUNT, UNREADABLE_ROW = "column_count", "unreadable_row"
BREAK = re.compile(r"\r\n|\r|\n")
ROWS_A_TIME = 100
AT_END = "unexpected end of data"


class Delimited:
    """A file of text cells. Empty lines are no rows; the line of a row is the one on which it begins."""

    def __init__(self, path: Path, mapping: SourceMapping) -> None:
        self._path, self._mapping, self._said = path, mapping, mapping.declared.csv

    def check(self) -> int:
        """The last line, if the file can be read to its end and has the mapping's columns.

        Raises:
            UnreadableFileError: it cannot, or has not.
        """
        lines = check_text(self._path, self._said.encoding, "state the file's in csv.encoding")
        with closing(self._text()) as file:
            places(self._path, self._mapping, self._header(self._reader(file)))
        return lines

    def chunks(self, after: int) -> Iterator[Chunk]:
        """The rows beyond the line ``after``.

        Raises:
            UnreadableFileError: the file ends within a quoted cell.
        """
        with closing(self._text()) as file:
            reader = self._reader(file)
            header = self._header(reader)
            wanted = places(self._path, self._mapping, header)
            for read, read_lines, rejects in self._rows(reader, file.buffer, after):
                rows, lines = _of_width(header, read, read_lines, rejects)
                columns = list(zip(*rows, strict=True)) or [()] * len(header)
                cells = {name: columns[place] for name, place in wanted.items()}
                yield Chunk(reader.line_num, lines, cells, True, rejects)

    def _text(self) -> io.TextIOWrapper:
        return io.TextIOWrapper(open_bytes(self._path), encoding=self._said.encoding, newline="")

    def _reader(self, file: io.TextIOWrapper) -> Any:
        lines = lines_of(self._path, file)
        return csv.reader(lines, delimiter=self._said.delimiter, quotechar=self._said.quote, strict=True)

    def _header(self, reader: Any) -> list[str]:
        if self._said.header is not None:
            return self._said.header
        try:
            return [name.strip() for name in next(reader, [])]
        except csv.Error as error:
            raise UnreadableFileError(f"{self._path}: line 1 is no header: {error}") from error

    def _rows(self, reader: Any, content: Any, after: int) -> Iterator[tuple[list[list[str]], list[int], list[Reject]]]:
        """Rows, their lines, and what is none; a row that is broken ends where its line does."""
        is_there = True
        while is_there:
            rows: list[list[str]] = []
            rejects: list[Reject] = []
            before = reader.line_num
            try:
                is_there = _fill(rows, reader, content)
                lines = _lines(rows, before, reader.line_num)
            except csv.Error as error:  # the rows before it are there
                lines = _lines(rows, before, None)
                began = lines[-1] + _height(rows[-1]) if rows else before + 1
                if began > after:
                    rejects.append(self._broken(began, reader.line_num, error))
            if reader.line_num <= after:
                continue
            if not all(rows) or before < after:
                beyond = [index for index, row in enumerate(rows) if row and lines[index] > after]
                rows, lines = [rows[index] for index in beyond], [lines[index] for index in beyond]
            yield rows, lines, rejects

    def _broken(self, began: int, ended: int, error: csv.Error) -> Reject:
        if str(error) == AT_END:
            raise UnreadableFileError(
                f"{self._path}: the cell in quotes that begins on line {began:,} has no end: the file is cut off, or "
                f"csv.quote is not {self._said.quote!r}. What stands before it was sent"
            ) from error
        lines = f"line {began}" if began == ended else f"lines {began} to {ended}"
        return Reject(began, UNREADABLE_ROW, f"{lines}: {error}")


def _fill(rows: list[list[str]], reader: Any, content: Any) -> bool:
    """Add the rows of a chunk, fewer where they are long; False at the end of the file."""
    before = content.tell()
    while len(rows) < ROWS_AT_ONCE and content.tell() - before < BYTES_AT_ONCE:
        wanted = len(rows) + ROWS_A_TIME
        rows.extend(islice(reader, ROWS_A_TIME))
        if len(rows) < wanted:
            return False
    return True


def _lines(rows: list[list[str]], before: int, last: int | None) -> list[int]:
    """The line on which each of ``rows`` begins, of which the first follows the line ``before``."""
    if last is not None and last - before == len(rows):
        return list(range(before + 1, last + 1))
    heights = accumulate(map(_height, rows), initial=before + 1)
    return list(heights)[: len(rows)]


def _height(row: list[str]) -> int:
    """How many lines a row takes: cells in quotes may have breaks."""
    return 1 + sum(len(BREAK.findall(cell)) for cell in row)


def _of_width(
    header: list[str], rows: list[list[str]], lines: list[int], rejects: list[Reject]
) -> tuple[list[list[str]], list[int]]:
    """The rows with as many cells as the header; the others become rejects."""
    width = len(header)
    if set(map(len, rows)) <= {width}:
        return rows, lines
    good = [(row, line) for row, line in zip(rows, lines, strict=True) if len(row) == width]
    rejects.extend(
        Reject(line, COLUMN_COUNT, f"has {len(row)} cells where the header has {width}", row=row)
        for row, line in zip(rows, lines, strict=True)
        if len(row) != width
    )
    return [row for row, _ in good], [line for _, line in good]
