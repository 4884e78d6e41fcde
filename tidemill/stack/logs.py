"""Where a service's log is, its last lines, and following it through rotation."""

import codecs
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

BLOCK_BYTES = 8192


def last_lines(path: Path, count: int = 10) -> str:
    """The last ``count`` lines of ``path``, read from its end; empty when there is no such file."""
    if not path.exists() or count < 1:
        return ""
    with path.open("rb") as file:
        position = file.seek(0, 2)
        tail = b""
        while position and tail.count(b"\n") <= count:
            size = min(BLOCK_BYTES, position)
            position -= size
            file.seek(position)
            tail = file.read(size) + tail
    return "\n".join(tail.decode("utf-8", "replace").splitlines()[-count:])


def follow(path: Path, pause_s: float = 0.3) -> Iterator[str]:
    """What is appended to ``path`` from now on, for ever; also when the file is rotated away and made anew."""
    file = path.open("rb")
    file.seek(0, os.SEEK_END)
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    try:
        while True:
            block = file.read(BLOCK_BYTES)
            if block:
                yield decoder.decode(block)
            elif _was_replaced(path, file):
                file.close()
                file = path.open("rb")
            else:
                time.sleep(pause_s)
    finally:
        file.close()


def _was_replaced(path: Path, file: BinaryIO) -> bool:
    try:
        now, opened = path.stat(), os.fstat(file.fileno())
    except FileNotFoundError:
        return False
    return (now.st_dev, now.st_ino) != (opened.st_dev, opened.st_ino) or now.st_size < file.tell()
