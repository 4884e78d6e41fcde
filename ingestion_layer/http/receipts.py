"""Which body came under which key: so that a key means one batch for ever, or for as long as it is remembered."""

import sqlite3
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

BUSY_S = 5.0
_TABLE = """
create table if not exists receipts (
  topic text not null, source text not null, key text not null, digest text not null, at real not null,
  primary key (topic, source, key)
) without rowid
"""
_INDEX = "create index if not exists receipts_by_age on receipts (at)"


@dataclass(frozen=True)
class BatchName:
    """What a client calls a batch: its key, within a source and a topic."""

    topic: str
    source: str
    key: str


class Receipts:
    """A file of SQLite, which outlives ``kill -9``: the digest is on disk before an event of the batch is sent."""

    def __init__(self, file: Path, keep_s: float) -> None:
        self._file = file
        self._keep_s = keep_s

    def prepare(self) -> None:
        """Raises sqlite3.Error where the file cannot be used."""
        self._file.parent.mkdir(parents=True, exist_ok=True)
        with closing(self._connected()) as connection:
            connection.execute("pragma journal_mode = wal")
            connection.execute(_TABLE)
            connection.execute(_INDEX)

    def claim(self, name: BatchName, digest: str) -> str:
        """The digest of the batch that has this name: ``digest``, if it is new.

        Raises:
            sqlite3.Error: the file cannot be used.
        """
        now = time.time()
        identity = (name.topic, name.source, name.key)
        with closing(self._connected()) as connection:
            connection.execute("begin immediate")
            connection.execute("delete from receipts where at < ?", (now - self._keep_s,))
            connection.execute("insert or ignore into receipts values (?, ?, ?, ?, ?)", (*identity, digest, now))
            where = "where topic = ? and source = ? and key = ?"
            held = connection.execute(f"select digest from receipts {where}", identity).fetchone()  # noqa: S608
            connection.execute("commit")
        return str(held[0])

    def _connected(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._file, timeout=BUSY_S, isolation_level=None)
        connection.execute("pragma synchronous = full")
        return connection
