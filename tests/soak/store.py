"""The online store's own troubles: keys that are gone, and an older copy of its files in place of today's."""

import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from redis import Redis

from tests.troubles.stack import Stack

REWRITE = "auto-aof-rewrite-percentage"
REWRITE_S = 60.0
PROJECT = b"tidemill"
"""With it the keys of entities end; before it stands the id, and its length before that."""


class OnlineStore:
    """Redis, asked by its own client."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._redis: Any = Redis(stack.settings.redis.host, stack.settings.redis.port, socket_timeout=30)
        self._files = Path(stack.settings.home) / "redis"
        self._copy = Path(stack.settings.home).parent / "redis-copy"
        self._copied_at = 0.0

    def delete_states(self, customers: Sequence[str]) -> int:
        """Delete what is kept of each customer; how many keys there were."""
        ends = tuple(len(name).to_bytes(4, "little") + name + PROJECT for name in map(str.encode, customers))
        keys = [key for key in self._redis.scan_iter(count=1000) if key.endswith(ends)]
        return int(self._redis.delete(*keys)) if keys else 0

    def keep_copy(self) -> str:
        """Copy its files while it runs, as Redis' manual says: with no rewrite meanwhile."""
        before = self._redis.config_get(REWRITE)[REWRITE]
        self._redis.config_set(REWRITE, 0)
        deadline = time.monotonic() + REWRITE_S
        while self._redis.info("persistence")["aof_rewrite_in_progress"] and time.monotonic() < deadline:
            time.sleep(0.5)
        shutil.copytree(self._files, self._copy, dirs_exist_ok=True)
        self._redis.config_set(REWRITE, before)
        self._copied_at = time.time()
        return f"{sum(file.stat().st_size for file in self._copy.rglob('*') if file.is_file()) / 2**20:.0f} MB"

    def roll_back(self) -> str:
        """Put the copy in place, as one restores a backup."""
        self._stack.tidemill("down", "redis")
        shutil.rmtree(self._files)
        shutil.copytree(self._copy, self._files)
        self._stack.tidemill("up", "redis")
        return f"{time.time() - self._copied_at:.0f} s back"
