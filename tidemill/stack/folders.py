"""Where the stack keeps its own files inside the home folder."""

import hashlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from tidemill.config.errors import TerminalError
from tidemill.config.settings import Settings

# 108 bytes with the final zero on Linux, 104 on macOS; supervisord binds to the name plus a dot and its pid first.
MAX_SOCKET_BYTES = 92
SHORT = Path("/tmp")  # noqa: S108 - the folder in it is the owner's alone
OWN = frozenset(
    """
    .tidemill-home airflow checkpoints control.db control.db-journal control.db-shm control.db-wal demo demo-loop events
    feast flink flume inbox kafka lake locks logs metrics mlflow nifi ports.json progress quality quarantine redis
    rejected run scoring secrets serving spark staging summary.json tmp truth
    """.split()  # noqa: SIM905 - a line each otherwise
)
"""What the platform makes in a home folder, by name."""


class SocketFolderError(TerminalError):
    """The folder of supervisord's socket is another user's, or open to others."""


@dataclass(frozen=True)
class Folders:
    home: Path

    @classmethod
    def of(cls, settings: Settings) -> "Folders":
        return cls(settings.home)

    @property
    def run(self) -> Path:
        return self.home / "run"

    @property
    def logs(self) -> Path:
        return self.home / "logs"

    @property
    def marker(self) -> Path:
        """Its presence says that the home folder is the stack's, which ``down --purge`` may remove."""
        return self.home / ".tidemill-home"

    @property
    def supervisor_config(self) -> Path:
        return self.run / "supervisord.conf"

    @property
    def supervisor_record(self) -> Path:
        return self.run / "supervisord.pid.json"

    @property
    def supervisor_pid(self) -> Path:
        return self.run / "supervisord.pid"

    @property
    def socket(self) -> Path:
        """supervisord's socket; where every shell finds it when the home's path is too long for one."""
        inside = self.run / "supervisor.sock"
        if len(bytes(inside)) <= MAX_SOCKET_BYTES:
            return inside
        digest = hashlib.sha256(bytes(self.home)).hexdigest()[:16]
        return SHORT / f"tidemill-{digest}" / "supervisor.sock"

    def launch_file(self, service: str) -> Path:
        return self.run / f"{service}.json"

    def temporary(self, owner: str) -> Path:
        """The folder for temporary files of a service, or of a command by its process id."""
        return self.home / "tmp" / owner

    def log(self, service: str) -> Path:
        return self.logs / f"{service}.log"

    def foreign(self) -> list[str]:
        """What lies in the home folder and is not the platform's."""
        return sorted({path.name for path in self.home.iterdir()} - OWN)

    def create(self) -> None:
        """Makes the folders; what is in ``run`` may hold secrets, so it is the owner's alone.

        A folder with anything of others in it is used, and not marked as the stack's.
        """
        self.logs.mkdir(parents=True, exist_ok=True)
        self.run.mkdir(exist_ok=True, mode=0o700)
        if not self.foreign():
            self.marker.touch()

    def create_socket_folder(self) -> None:
        """Makes the folder of the socket where that is outside the home.

        Raises:
            SocketFolderError: it is not the owner's alone, so that another may answer there.
        """
        folder = self.socket.parent
        if folder == self.run:
            return
        folder.mkdir(exist_ok=True, mode=0o700)
        there = folder.lstat()
        if not stat.S_ISDIR(there.st_mode) or there.st_uid != os.getuid() or there.st_mode & 0o077:
            raise SocketFolderError(
                f"{folder}, where supervisord's socket would be, is not a folder of yours alone: remove it, or have it "
                "removed, or use a home folder with a shorter path"
            )

    def remove_socket(self) -> None:
        """Removes the socket, and the folder made for it outside the home."""
        self.socket.unlink(missing_ok=True)
        if self.socket.parent != self.run and self.socket.parent.is_dir():
            self.socket.parent.rmdir()
