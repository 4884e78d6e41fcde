"""The rows of the file as text, exactly as written: csv, gzipped csv, or the original workbook."""

import codecs
import csv
import gzip
import io
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import BinaryIO, TextIO, cast

import pyarrow as pa

from tidemill.config.errors import TerminalError

COLUMNS = ("InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country")
OTHER_NAMES = {"Invoice": "InvoiceNo", "Price": "UnitPrice", "Customer ID": "CustomerID"}
"""What Online Retail II calls the same columns."""
ROWS_AT_ONCE = 20_000
SCHEMA = pa.schema([("row", pa.int64()), ("cells", pa.int64()), *((f"raw_{name}", pa.string()) for name in COLUMNS)])


class UnreadableFileError(TerminalError):
    """The file is not what its name says, or lacks columns; the message says which."""


def read_rows(path: Path) -> tuple[Iterator[pa.Table], int]:
    """The rows in tables of bounded size, and how many cells the header has.

    A row is its number from 1 (after the header), how many cells it has, and the eight columns as text.

    A row with fewer cells than the header has nulls for the missing ones.

    Raises:
        UnreadableFileError: no such file, another format, or a header without the eight columns.
    """
    if not path.is_file():
        raise UnreadableFileError(f"{path}: there is no such file")
    rows = _workbook_rows(path) if path.suffix.lower() == ".xlsx" else _csv_rows(path)
    header = next(rows, [])
    return _tables(rows, _places(path, header), len(header)), len(header)


def _places(path: Path, header: Sequence[str | None]) -> list[int]:
    names = [OTHER_NAMES.get(str(name).strip(), str(name).strip()) for name in header]
    missing = [name for name in COLUMNS if name not in names]
    if missing:
        raise UnreadableFileError(f"{path}: the header lacks {', '.join(missing)}; it has {', '.join(names)[:200]}")
    return [names.index(name) for name in COLUMNS]


def _tables(rows: Iterator[Sequence[str | None]], places: list[int], width: int) -> Iterator[pa.Table]:
    first = 1
    while some := list(islice(rows, ROWS_AT_ONCE)):
        cells = [len(row) for row in some]
        if min(cells) < width:
            some = [row if len(row) >= width else [*row, *[None] * (width - len(row))] for row in some]
        columns = list(zip(*some, strict=False))
        arrays = [
            pa.array(range(first, first + len(some)), pa.int64()),
            pa.array(cells, pa.int64()),
            *(pa.array(columns[place], pa.string()) for place in places),
        ]
        yield pa.Table.from_arrays(arrays, schema=SCHEMA)
        first += len(some)


def _csv_rows(path: Path) -> Iterator[Sequence[str | None]]:
    with _text(path) as file:
        try:
            yield from csv.reader(file)
        except (csv.Error, EOFError, gzip.BadGzipFile) as error:
            raise UnreadableFileError(f"{path}: not a readable csv file: {error}") from error


def _text(path: Path) -> TextIO:
    encoding = "utf-8-sig" if _is_utf8(path) else "latin-1"
    return io.TextIOWrapper(_bytes(path), encoding=encoding, newline="")


def _bytes(path: Path) -> BinaryIO:
    if path.suffix.lower() == ".gz":
        return cast(BinaryIO, gzip.open(path, "rb"))
    return path.open("rb")


def _is_utf8(path: Path) -> bool:
    """Whether the whole file is UTF-8; copies of this data set made on Windows are ISO 8859-1."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        with _bytes(path) as file:
            while block := file.read(1 << 20):
                decoder.decode(block)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    except (EOFError, gzip.BadGzipFile) as error:
        raise UnreadableFileError(f"{path}: not a readable gzip file: {error}") from error
    return True


def _workbook_rows(path: Path) -> Iterator[Sequence[str | None]]:
    from zipfile import BadZipFile

    from openpyxl import load_workbook
    from openpyxl.utils.exceptions import InvalidFileException

    try:
        workbook = load_workbook(path, read_only=True, data_only=True)
    except (BadZipFile, InvalidFileException, KeyError) as error:
        raise UnreadableFileError(f"{path}: not a readable workbook: {error}") from error
    try:
        (sheet := workbook.worksheets[0]).reset_dimensions()  # what it says of its size is a hint: all rows are read
        for row in sheet.iter_rows(values_only=True):
            yield [_cell(value) for value in row]
    finally:
        workbook.close()


def _cell(value: object) -> str | None:
    """A cell as text. A number becomes the shortest text that is the same number: what the workbook shows."""
    if value is None:
        return None
    return value.isoformat(sep=" ") if isinstance(value, datetime) else str(value)
