"""Some rows of a file, a table or a page, by column, and those that could not be read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Reject:
    """A row that is no event: ``line`` as a person counts in the file, ``column`` and ``pointer`` where they are known.

    ``row`` is what was read: cells by column, or the text.
    """

    line: int
    reason: str
    detail: str
    column: str | None = None
    pointer: str | None = None
    row: Any = None


@dataclass(frozen=True)
class Chunk:
    """Rows by column; ``lines`` has the line of each, and all up to ``last`` are in this chunk or one before it.

    ``is_text``: every cell is a text, so that equal cells are the same. ``rejects`` are rows beside these.
    """

    last: int
    lines: Sequence[int]
    columns: Mapping[str, Sequence[Any]]
    is_text: bool = False
    rejects: Sequence[Reject] = field(default=())

    def __len__(self) -> int:
        return len(self.lines)

    def row(self, index: int) -> dict[str, Any]:
        """The cells of one row as they were read."""
        return {name: cells[index] for name, cells in self.columns.items()}
