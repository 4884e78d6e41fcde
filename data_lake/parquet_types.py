"""Parquet files read by their own types, whoever wrote them.

Writers that use Arrow leave a note in a file's footer, ``ARROW:schema``, with the types that the data had in their
memory: delta-rs' are string views, others' are large or dictionary-encoded strings. Arrow reads a file back by that
note, and then compares it with a filter of the table's type, for which it has no function. The note is no part of
Parquet and says nothing of the rows: here it is hidden, and a file of any writer has the types of Parquet's columns.
"""

import re
from io import SEEK_SET
from typing import TYPE_CHECKING

import pyarrow as pa
from deltalake.fs import DeltaStorageHandler

if TYPE_CHECKING:
    from deltalake._internal import ObjectInputFile

# The key as Thrift's compact protocol writes it (a field of bytes, 12 long), before a value that is a base64 Arrow
# message: nothing else in a footer looks so, a column's smallest value among them.
NOTE = re.compile(rb"(?<=\x18\x0c)ARROW:schema(?=\x18[\x80-\xff]{1,4}[\x00-\x7f]/////)")
HIDDEN = b"HIDDEN:arrow"
# What follows the footer in a Parquet file: its length and the magic number.
TRAILER_BYTES = 8


class OwnTypes(DeltaStorageHandler):
    """A table's files for :class:`pyarrow.fs.PyFileSystem`, without the notes of writers in their footers."""

    def open_input_file(self, path: str) -> pa.PythonFile:
        return pa.PythonFile(_WithoutNote(self._handler.open_input_file(path)), mode="r")


class _WithoutNote:
    """A Parquet file whose footer says nothing of Arrow; as many bytes as before, so every offset is right."""

    mode = "rb"

    def __init__(self, file: "ObjectInputFile") -> None:
        self._file = file
        self._footer_end = file.size() - TRAILER_BYTES

    @property
    def closed(self) -> bool:
        return bool(self._file.closed)

    def close(self) -> None:
        """The bytes are an object store's: nothing is held open."""

    def size(self) -> int:
        return int(self._file.size())

    def tell(self) -> int:
        return int(self._file.tell())

    def seek(self, position: int, whence: int = SEEK_SET) -> int:
        return int(self._file.seek(position, whence))

    def read(self, nbytes: int) -> bytes:
        """Only a read that reaches the footer's end can hold the footer: column data lies before it."""
        content = self._file.read(nbytes)
        return NOTE.sub(HIDDEN, content) if self._file.tell() >= self._footer_end else content
