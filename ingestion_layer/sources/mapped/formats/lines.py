"""The bytes of a file of text, compressed or not: tried from end to end before the first row counts."""

import codecs
import gzip
import hashlib
import zlib
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import BinaryIO, TextIO, cast

from ingestion_layer.sources.mapped.formats.reading import UnreadableFileError

BLOCK = 1 << 20
MAX_LINE = 2**20
"""Of csv, in characters. A cell has at most an eighth of that: Python's ``csv`` takes no larger ones."""


def open_bytes(path: Path) -> BinaryIO:
    """The content, uncompressed."""
    return cast(BinaryIO, gzip.open(path, "rb")) if path.suffix.lower() == ".gz" else path.open("rb")


def lines_of(path: Path, file: TextIO) -> Iterator[str]:
    """The lines of ``file``, none of which is longer than memory has room for.

    Raises:
        UnreadableFileError: one is.
    """
    for number in count(1):
        line = file.readline(MAX_LINE)
        if not line:
            return
        if len(line) == MAX_LINE and not line.endswith(("\n", "\r")):
            raise UnreadableFileError(
                f"{path}: line {number:,} is longer than {MAX_LINE:,} characters: is it a file of lines? What stands "
                "before it was sent"
            )
        yield line


def check_text(path: Path, encoding: str, advice: str) -> int:
    """How many lines ``path`` has, if the whole of it is text of ``encoding`` and its compression has an end.

    Rows are sent while the file is read: what is cut off would be half sent, and sent anew when it is there in whole.

    Raises:
        UnreadableFileError: it is cut off, no gzip, or in another encoding, for which there is ``advice``.
    """
    decoder, line, text = codecs.getincrementaldecoder(encoding)(), 1, ""
    try:
        with open_bytes(path) as file:
            while block := file.read(BLOCK):
                try:
                    text = decoder.decode(block)
                except UnicodeDecodeError as error:
                    line += block[: error.start].count(b"\n")
                    raise
                line += text.count("\n")
            decoder.decode(b"", final=True)
            return line - text.endswith("\n")
    except UnicodeError as error:
        raise UnreadableFileError(
            f"{path}: near line {line:,} there is text that is not {encoding} ({error!s:.100}): {advice}, or is it cut "
            "off?"
        ) from error
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise UnreadableFileError(f"{path}: not a whole gzip file ({error}): fetch it again") from error


def digest(path: Path) -> str:
    """The SHA-256 of the file as it lies there.

    Raises:
        UnreadableFileError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UnreadableFileError(f"{path}: cannot be read: {error.strerror}") from error
