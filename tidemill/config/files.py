"""Files of the home folder; small ones are whole or not there, their owner's alone, and on disk when they count."""

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


def cut_back(path: Path, size: int) -> int:
    """Leave of ``path`` the first ``size`` bytes, or as many as there are, and say how many; made where it is missing.

    Raises:
        OSError: the folder or the file cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        left = min(size, file.tell())
        file.truncate(left)
    return left


def _written(path: Path, content: bytes) -> Path:
    """A file beside ``path`` that no other thread or process has."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, partial = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    return Path(partial)
