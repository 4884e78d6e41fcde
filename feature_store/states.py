"""Where packed states live: in Feast's online store, one value of bytes an entity and group.

Beside them lies how far the stream has come, in the same Redis: a store that lost its states has lost that as well.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from feast.infra.online_stores.helpers import _mmh3, _redis_key
from feast.protos.feast.types.EntityKey_pb2 import EntityKey
from feast.protos.feast.types.Value_pb2 import Value
from redis.exceptions import OutOfMemoryError, RedisError
from redis.lock import Lock

from config.errors import TerminalError
from config.settings import Settings
from feature_store import repository
from feature_store.catalog import state_feature_name, state_view_name
from feature_store.definitions import FeatureGroup
from feature_store.online_store import connect, connection_string, unavailable

WRITE_TIMEOUT_S = 10.0
WRITE_TRIES = 5
SCANNED = 1000
FORGET = """
if redis.call('HGET', KEYS[1], ARGV[1]) == ARGV[2] then
  redis.call('HDEL', KEYS[1], ARGV[1], ARGV[3])
  return 1
end
return 0
"""
"""Compares and removes in one step of Redis, so that a state written in between is not lost."""


class OnlineStoreFullError(TerminalError):
    """Redis has reached its memory limit."""


@dataclass(frozen=True)
class Applied:
    """How far the states of a group have come: every commit of ``table_id`` up to ``version`` is in them.

    Nothing that the lake learnt (``known_time``) up to ``known_until`` is missing; ``at`` is when that was noted. Both
    are microseconds since 1970; ``known_until`` is 0 before the first event. All states were made from silver at
    version ``made`` and brought up to date since. While they are made anew, ``rebuilding_since`` is when that began
    (else 0): a state that was written before is not to be believed.
    """

    table_id: str
    version: int
    known_until: int
    at: int
    made: int = -1
    rebuilding_since: int = 0


class StateReader:
    """Reads the states of several groups at once; any number of threads may use it."""

    def __init__(self, settings: Settings, groups: Sequence[FeatureGroup], timeout_s: float, tries: int) -> None:
        self._settings, self._redis = settings, connect(connection_string(settings, timeout_s), tries)[1]
        self._applied_keys = {group.name: applied_key(group) for group in groups}
        # As Feast keeps them: a hash an entity, with a field a feature of a view.
        self._fields: dict[str, dict[str, bytes]] = {}
        for group in groups:
            self._fields.setdefault(group.entity.key, {})[group.name] = _field(group)

    def read(self, ids: Mapping[str, Sequence[str]]) -> dict[str, list[bytes | None]]:
        """The states by group, in the order of the ``ids`` of its entity, which are by key; None where there is none.

        Raises:
            OnlineStoreUnavailableError: no proper answer in time.
        """
        pipeline = self._redis.pipeline(transaction=False)
        for key, fields in self._fields.items():
            wanted = list(fields.values())
            for one in ids[key]:
                pipeline.hmget(_redis_key(repository.PROJECT, entity_key(key, one), repository.KEY_VERSION), wanted)
        try:
            found = iter(pipeline.execute())
        except RedisError as error:
            raise unavailable(self._settings, error) from error
        states: dict[str, list[bytes | None]] = {}
        for key, fields in self._fields.items():
            values = [next(found) for _ in ids[key]]
            for position, name in enumerate(fields):
                states[name] = [_state(value[position]) for value in values]
        return states

    def applied(self) -> dict[str, Applied | None]:
        """How far the states of each group have come; None before they were bootstrapped."""
        try:
            noted: Any = self._redis.mget(self._applied_keys.values())
        except RedisError as error:
            raise unavailable(self._settings, error) from error
        return {
            name: Applied(**json.loads(one)) if one else None
            for name, one in zip(self._applied_keys, noted, strict=True)
        }


def _state(value: bytes | None) -> bytes | None:
    found = Value.FromString(value) if value else None
    return found.bytes_val if found and found.HasField("bytes_val") else None


def _field(group: FeatureGroup) -> bytes:
    """What Feast calls the state's field in an entity's hash."""
    field: bytes = _mmh3(f"{state_view_name(group)}:{state_feature_name(group)}")
    return field


def _entity_redis_key(group: FeatureGroup, entity: str) -> bytes:
    key: bytes = _redis_key(repository.PROJECT, entity_key(group.entity.key, entity), repository.KEY_VERSION)
    return key


def entity_key(key: str, entity: str) -> EntityKey:
    return EntityKey(join_keys=[key], entity_values=[Value(string_val=entity)])


def applied_key(group: FeatureGroup) -> str:
    return f"{repository.PROJECT}:applied:{state_view_name(group)}"


class StateStore:
    """The states of one group; any number of threads may use it."""

    def __init__(
        self, settings: Settings, group: FeatureGroup, timeout_s: float = WRITE_TIMEOUT_S, tries: int = WRITE_TRIES
    ) -> None:
        self._settings, self._group = settings, group
        self._config = repository.repo_config(settings, timeout_s, skip_dedup=True)
        self._view = repository.state_view(group, settings)
        self._store, self._redis = connect(connection_string(settings, timeout_s), tries)
        self._reader = StateReader(settings, [group], timeout_s, tries)
        self._applied_key = applied_key(group)
        self._field = _field(group)

    def read(self, ids: Sequence[str]) -> list[bytes | None]:
        """As those of :meth:`StateReader.read`."""
        return self._reader.read({self._group.entity.key: ids})[self._group.name]

    def write(self, ids: Sequence[str], states: Sequence[bytes], applied_time: int) -> None:
        """Write the state of each entity.

        Raises:
            OnlineStoreFullError: Redis has no memory left.
            OnlineStoreUnavailableError: no proper answer in time.
        """
        at, feature = datetime.fromtimestamp(applied_time / 1e6, UTC), state_feature_name(self._group)
        rows = [
            (entity_key(self._group.entity.key, entity), {feature: Value(bytes_val=state)}, at, None)
            for entity, state in zip(ids, states, strict=True)
        ]
        try:
            self._store.online_write_batch(self._config, self._view, rows, progress=None)
        except OutOfMemoryError as error:
            advice = f"raise redis.max_memory_mb (now {self._settings.redis.max_memory_mb})"
            raise OnlineStoreFullError(f"Redis is full: {advice}") from error
        except RedisError as error:
            raise unavailable(self._settings, error) from error

    def forget(self, ids: Sequence[str], states: Sequence[bytes]) -> int:
        """Remove those of ``states`` that are still there as they were read; how many were.

        Raises:
            OnlineStoreUnavailableError: no proper answer in time.
        """
        return self._forget([_entity_redis_key(self._group, entity) for entity in ids], states)

    def forget_where(self, is_forgotten: Callable[[bytes], bool]) -> int:
        """Remove each state of the group that is one to forget, whoever's it is; how many there were.

        All of Redis is gone through in steps of :data:`SCANNED` keys; a state that is written meanwhile stays.

        Raises:
            OnlineStoreUnavailableError: no proper answer in time.
        """
        forgotten, cursor = 0, 0
        while True:
            cursor, keys = self._scan(cursor)
            found = [(key, state) for key, state in zip(keys, self._states(keys), strict=True) if state is not None]
            chosen = [(key, state) for key, state in found if is_forgotten(state)]
            forgotten += self._forget([key for key, _ in chosen], [state for _, state in chosen])
            if not cursor:
                return forgotten

    def _scan(self, cursor: int) -> tuple[int, list[bytes]]:
        try:
            # Feast ends each entity's key with the project's name; no glob character can be in it.
            found: Any = self._redis.scan(cursor, match=f"*{repository.PROJECT}", count=SCANNED, _type="HASH")
        except RedisError as error:
            raise unavailable(self._settings, error) from error
        return int(found[0]), list(found[1])

    def _states(self, keys: Sequence[bytes]) -> list[bytes | None]:
        pipeline = self._redis.pipeline(transaction=False)
        for key in keys:
            pipeline.hget(key, self._field)  # type: ignore[arg-type]
        try:
            return [_state(value) for value in pipeline.execute()]
        except RedisError as error:
            raise unavailable(self._settings, error) from error

    def _forget(self, keys: Sequence[bytes], states: Sequence[bytes]) -> int:
        pipeline, written = self._redis.pipeline(transaction=False), f"_ts:{self._view.name}"
        for key, state in zip(keys, states, strict=True):
            pipeline.eval(FORGET, 1, key, self._field, Value(bytes_val=state).SerializeToString(), written)
        try:
            return sum(pipeline.execute())
        except RedisError as error:
            raise unavailable(self._settings, error) from error

    def applied(self) -> Applied | None:
        """As :meth:`StateReader.applied`."""
        return self._reader.applied()[self._group.name]

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
