"""Small files of the home folder, whole or not there: readable by their owner only, on disk before they count."""

import os
import tempfile
from pathlib import Path


def replace_file(path: Path, content: bytes) -> None:
    """Write ``path`` anew in one step; its folder is made when it is missing.

    Raises:
        OSError: the folder or the file cannot be written.
    """
    partial = _written(path, content)
    try:
        partial.replace(path)
    except OSError:
        partial.unlink()
        raise


def write_once(path: Path, content: bytes) -> None:
    """Write ``path`` unless it exists: of several that write at the same time, the first has its way.

    Raises:
        OSError: the folder or the file cannot be written.
    """
    partial = _written(path, content)
    try:
        os.link(partial, path)
    except FileExistsError:
        return
    finally:
        partial.unlink()


def _written(path: Path, content: bytes) -> Path:
    """A file beside ``path`` that no other thread or process has."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, partial = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    return Path(partial)
