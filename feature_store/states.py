"""Where packed states live: in Feast's online store, one value of bytes an entity and group.

Beside them lies how far the stream has come, in the same Redis: a store that lost its states has lost that as well.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from feast.protos.feast.types.EntityKey_pb2 import EntityKey
from feast.protos.feast.types.Value_pb2 import Value
from redis.exceptions import OutOfMemoryError, RedisError
from redis.lock import Lock

from config.errors import TerminalError
from config.settings import Settings
from feature_store import repository
from feature_store.catalog import state_feature_name
from feature_store.definitions import FeatureGroup
from feature_store.online_store import connect, connection_string, unavailable

WRITE_TIMEOUT_S = 10.0
WRITE_TRIES = 5


class OnlineStoreFullError(TerminalError):
    """Redis has reached its memory limit."""


@dataclass(frozen=True)
class Applied:
    """How far the states of a group have come: every commit of ``table_id`` up to ``version`` is in them.

    Nothing that the lake learnt (``known_time``) up to ``known_until`` is missing; ``at`` is when that was noted. Both
    are microseconds since 1970; ``known_until`` is 0 before the first event.
    """

    table_id: str
    version: int
    known_until: int
    at: int


class StateStore:
    """The states of one group; any number of threads may use it."""

    def __init__(
        self, settings: Settings, group: FeatureGroup, timeout_s: float = WRITE_TIMEOUT_S, tries: int = WRITE_TRIES
    ) -> None:
        self._settings = settings
        self._config = repository.repo_config(settings, timeout_s, skip_dedup=True)
        self._view = repository.state_view(group, settings)
        self._store, self._redis = connect(connection_string(settings, timeout_s), tries)
        self._join_key, self._feature = group.entity.key, state_feature_name(group)
        self._applied_key = f"{repository.PROJECT}:applied:{self._view.name}"

    def read(self, ids: Sequence[str]) -> list[bytes | None]:
        """The state of each entity, in order; None where there is none.

        Raises:
            OnlineStoreUnavailableError: no proper answer in time.
        """
        if not ids:
            return []
        keys = [self._key(entity) for entity in ids]
        try:
            rows = self._store.online_read(self._config, self._view, keys, [self._feature])
        except RedisError as error:
            raise unavailable(self._settings, error) from error
        found = (values and values.get(self._feature) for _, values in rows)
        return [value.bytes_val if value and value.HasField("bytes_val") else None for value in found]

    def write(self, ids: Sequence[str], states: Sequence[bytes], applied_time: int) -> None:
        """Write the state of each entity.

        Raises:
            OnlineStoreFullError: Redis has no memory left.
            OnlineStoreUnavailableError: no proper answer in time.
        """
        at = datetime.fromtimestamp(applied_time / 1e6, UTC)
        rows = [
            (self._key(entity), {self._feature: Value(bytes_val=state)}, at, None)
            for entity, state in zip(ids, states, strict=True)
        ]
        try:
            self._store.online_write_batch(self._config, self._view, rows, progress=None)
        except OutOfMemoryError as error:
            advice = f"raise redis.max_memory_mb (now {self._settings.redis.max_memory_mb})"
            raise OnlineStoreFullError(f"Redis is full: {advice}") from error
        except RedisError as error:
            raise unavailable(self._settings, error) from error

    def applied(self) -> Applied | None:
        """How far the states have come; None before they were bootstrapped."""
        try:
            noted = self._redis.get(self._applied_key)
        except RedisError as error:
            raise unavailable(self._settings, error) from error
        return Applied(**json.loads(noted)) if noted else None  # type: ignore[arg-type]

    def note_applied(self, applied: Applied) -> None:
        try:
            self._redis.set(self._applied_key, json.dumps(asdict(applied)))
        except RedisError as error:
            raise unavailable(self._settings, error) from error

    def lock(self, seconds: float) -> Lock:
        """A lock on making the states anew."""
        held: Lock = self._redis.lock(
            f"{self._applied_key}:bootstrap", timeout=seconds, blocking=False, thread_local=False
        )
        return held

    def _key(self, entity: str) -> EntityKey:
        return EntityKey(join_keys=[self._join_key], entity_values=[Value(string_val=entity)])
