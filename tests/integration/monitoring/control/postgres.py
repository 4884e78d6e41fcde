"""A PostgreSQL server of one's own: in a folder, on a Unix socket, stopped by its process id."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import create_engine, make_url, text

PLACES = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
"""Where Debian keeps what it does not put on PATH."""
START_S = 60.0
FAST = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "max_connections=200")


def programs() -> Path | None:
    """The folder of ``initdb`` and ``postgres``; None where there is no PostgreSQL."""
    on_path = shutil.which("initdb")
    places = [*([Path(on_path).resolve().parent] if on_path else []), *PLACES]
    return next((place for place in places if (place / "initdb").exists() and (place / "postgres").exists()), None)


class PostgresServer:
    """It may be stopped and started again; ``url`` is that of one of its databases."""

    def __init__(self, folder: Path, programs: Path) -> None:
        self._programs = programs
        self._data, self._socket = folder / "data", folder / "socket"
        self._log = folder / "postgres.log"
        self._process: subprocess.Popen[bytes] | None = None
        for path in (self._data, self._socket):
            path.mkdir(parents=True)
            if os.getuid() == 0:
                shutil.chown(path, "postgres", "postgres")
        self._run(
            "initdb", "--pgdata", str(self._data), "--username", "tidemill", "--auth", "trust", "--encoding", "UTF8"
        )

    def url(self, database: str) -> str:
        return f"postgresql+psycopg://tidemill@/{database}?host={self._socket}"

    def execute(self, database: str, *statements: str) -> None:
        """Each of ``statements`` by itself, as the superuser."""
        engine = create_engine(make_url(self.url(database)), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            for statement in statements:
                connection.execute(text(statement))
        engine.dispose()

    def start(self) -> None:
        options = [part for option in FAST for part in ("-c", option)]
        command = ["postgres", "-D", str(self._data), "-k", str(self._socket), "-c", "listen_addresses=", *options]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._as_user(command), stdout=log, stderr=log)
        deadline = time.monotonic() + START_S
        while subprocess.run(
            [self._programs / "pg_isready", "-h", str(self._socket)], stdout=subprocess.DEVNULL, check=False
        ).returncode:
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"PostgreSQL did not start: {self._log.read_text(encoding='utf-8')[-2000:]}")
            time.sleep(0.1)

    def stop(self) -> None:
        """As a machine that goes down does it: what is open is ended."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(timeout=60)
            self._process = None

    def _run(self, *command: str) -> None:
        subprocess.run(self._as_user(list(command)), check=True, stdout=subprocess.DEVNULL)

    def _as_user(self, command: Sequence[str]) -> list[str]:
        """PostgreSQL refuses to run as root; Debian's package made a user for it."""
        program = [str(self._programs / command[0]), *command[1:]]
        if os.getuid() != 0:
            return program
        return ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", *program]


@contextmanager
def running(folder: Path, programs: Path) -> Iterator[PostgresServer]:
    server = PostgresServer(folder, programs)
    try:
        server.start()
        yield server
    finally:
        server.stop()
