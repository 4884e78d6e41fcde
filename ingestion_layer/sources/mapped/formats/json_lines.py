"""JSON lines: a document a line, every number with its digits."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from ingestion_layer.sources.mapped.chunk import Chunk, Reject
from ingestion_layer.sources.mapped.formats.lines import check_text, open_bytes
from ingestion_layer.sources.mapped.formats.reading import BYTES_AT_ONCE, ROWS_AT_ONCE
from ingestion_layer.sources.mapped.mapping import SourceMapping
from tidemill.contracts.json_text import BeyondLimitsError, NotJsonError, parse

NOT_JSON = "not_json"
MAX_LINE = 10 * 2**20
"""No event is larger: what is longer is no line of this format."""


class JsonLines:
    """A file of JSON documents; a column is a key, or the keys on the way to it with points between them."""

    def __init__(self, path: Path, mapping: SourceMapping) -> None:
        self._path, self._mapping = path, mapping

    def check(self) -> int:
        """The last line, if the file can be read to its end.

        Raises:
            UnreadableFileError: it cannot.
        """
        return check_text(self._path, "utf-8-sig", "JSON is UTF-8")

    def chunks(self, after: int) -> Iterator[Chunk]:
        """The documents beyond the line ``after``; empty lines are none."""
        documents: list[dict[str, Any]] = []
        lines: list[int] = []
        rejects: list[Reject] = []
        line = size = 0
        with closing(open_bytes(self._path)) as file:
            while text := file.readline(MAX_LINE):
                line, size = line + 1, size + len(text)
                if line <= after or not text.strip():
                    continue
                document = _document(line, text)
                if isinstance(document, Reject):
                    rejects.append(document)
                else:
                    documents.append(document)
                    lines.append(line)
                if len(documents) + len(rejects) >= ROWS_AT_ONCE or size >= BYTES_AT_ONCE:
                    yield self._chunk(line, lines, documents, rejects)
                    documents, lines, rejects, size = [], [], [], 0
        yield self._chunk(line, lines, documents, rejects)

    def _chunk(self, last: int, lines: list[int], documents: list[dict[str, Any]], rejects: list[Reject]) -> Chunk:
        return chunk_of(self._mapping, last, lines, documents, rejects)


def chunk_of(
    mapping: SourceMapping, last: int, lines: list[int], documents: list[dict[str, Any]], rejects: list[Reject]
) -> Chunk:
    """The documents by the columns that the mapping reads."""
    columns = {name: [cell(document, name) for document in documents] for name in mapping.read_columns}
    return Chunk(last, lines, columns, rejects=rejects)


def cell(document: dict[str, Any], column: str) -> Any:
    """What ``column`` names in a document: a key as it is, else the way through the objects in it."""
    if column in document or "." not in column:
        return document.get(column)
    inner: Any = document
    for key in column.split("."):
        inner = inner.get(key) if isinstance(inner, dict) else None
    return inner


def _document(line: int, text: bytes) -> dict[str, Any] | Reject:
    shown = text[:1000].decode(errors="replace").rstrip("\r\n")
    try:
        document = parse(text.removeprefix(b"\xef\xbb\xbf").strip())
    except (NotJsonError, BeyondLimitsError) as error:
        return Reject(line, NOT_JSON, str(error), row=shown)
    if not isinstance(document, dict):
        return Reject(line, NOT_JSON, f"is a {type(document).__name__}, and a row is an object", row=shown)
    return document
