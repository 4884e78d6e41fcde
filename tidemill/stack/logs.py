"""Where a service's log is, its last lines, and following it through rotation."""

from pathlib import Path

from config.settings import Settings

BLOCK_BYTES = 8192


def log_file(settings: Settings, name: str) -> Path:
    return settings.home / "logs" / f"{name}.log"


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
