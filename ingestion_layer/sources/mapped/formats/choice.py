"""Which reader a file has, by what its name ends with."""

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from ingestion_layer.sources.mapped.chunk import Chunk
from ingestion_layer.sources.mapped.formats.reading import UnreadableFileError
from ingestion_layer.sources.mapped.mapping import SourceMapping

DELIMITED = (".csv", ".tsv", ".txt")
JSON_LINES = (".jsonl", ".ndjson")
ENDINGS = (*DELIMITED, *JSON_LINES, ".parquet", ".xlsx")


class Reader(Protocol):
    """A file of one format."""

    def check(self) -> int:
        """The last line, if the file can be read and has the columns of the mapping.

        Raises:
            UnreadableFileError: it cannot, or has not.
        """

    def chunks(self, after: int) -> Iterator[Chunk]:
        """The rows beyond the line ``after``."""


def reader(path: Path, mapping: SourceMapping) -> Reader:
    """The reader of ``path``.

    Raises:
        UnreadableFileError: there is no such file, or its name does not end with a format.
    """
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "does not exist"
        raise UnreadableFileError(f"{path} {what}: name files that end with {', '.join(ENDINGS)}")
    ending = Path(path.name.removesuffix(".gz")).suffix.lower()
    if ending in DELIMITED:
        from ingestion_layer.sources.mapped.formats.delimited import Delimited

        return Delimited(path, mapping)
    if ending in JSON_LINES:
        from ingestion_layer.sources.mapped.formats.json_lines import JsonLines

        return JsonLines(path, mapping)
    if path.suffix.lower() == ".parquet":
        from ingestion_layer.sources.mapped.formats.parquet import Parquet

        return Parquet(path, mapping)
    if path.suffix.lower() == ".xlsx":
        from ingestion_layer.sources.mapped.formats.workbook import Workbook

        return Workbook(path, mapping)
    raise UnreadableFileError(f"{path}: its name ends with none of {', '.join(ENDINGS)} (the first five also with .gz)")
