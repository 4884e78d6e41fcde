"""What the readers of all formats share: where they begin, and how a file without the columns is told."""

from collections.abc import Collection, Sequence
from pathlib import Path

from ingestion_layer.sources.mapped.mapping import SourceMapping
from tidemill.config.errors import TerminalError, nearest

ROWS_AT_ONCE, BYTES_AT_ONCE = 10_000, 64 * 2**20
"""How much of a file is in memory: rows, and of long ones fewer."""


class UnreadableFileError(TerminalError):
    """The file is not what its name says, or lacks columns; the message says which."""


def told_by_name(error: Exception, path: Path, name: str) -> str:
    """What ``error`` says of a file that is moved then: by the ``name`` it came with, without the folder it was in."""
    return str(error).replace(str(path), name)


def check_columns(path: Path, mapping: SourceMapping, there: Collection[str]) -> None:
    """That ``there`` has every column the mapping reads, each once.

    Raises:
        UnreadableFileError: it has not.
    """
    missing = [name for name in mapping.read_columns if name not in there]
    if missing:
        told = ", ".join(map(repr, missing))
        raise UnreadableFileError(
            f"{path} has no column {told}, which {mapping.file.name} reads{nearest(missing[0], there)[:500]}"
        )
    twice = sorted({name for name in mapping.read_columns if list(there).count(name) > 1})
    if twice:
        raise UnreadableFileError(f"{path} has the column {twice[0]!r} more than once: rename one in its header")


def places(path: Path, mapping: SourceMapping, header: Sequence[str]) -> dict[str, int]:
    """At which place of a row each column is that the mapping reads.

    Raises:
        UnreadableFileError: the header lacks one, or has it twice.
    """
    check_columns(path, mapping, header)
    return {name: list(header).index(name) for name in mapping.read_columns}
