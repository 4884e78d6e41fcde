"""The states of one group, written: each only by who has the group's epoch, and on top of what was read."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from feast.protos.feast.types.Value_pb2 import Value
from google.protobuf.timestamp_pb2 import Timestamp  # type: ignore[import-untyped]
from redis.exceptions import OutOfMemoryError, RedisError
from redis.lock import Lock

from feature_store import repository
from feature_store.definitions import FeatureGroup
from feature_store.online_store import connect, connection_string, unavailable
from feature_store.states.applied import Applied
from feature_store.states.keys import applied_key, entity_key, epoch_key, known_key, state_field, written_field
from feature_store.states.known import BUCKETS, Known, bucket_of
from feature_store.states.reader import state_of
from tidemill.config.errors import TerminalError, TransientError
from tidemill.config.settings import Settings

WRITE_TIMEOUT_S = 10.0
WRITE_TRIES = 5
SCANNED = 1000
HEAD = 256
"""So many bytes of a state's value hold what it says of itself."""

PUT = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
local entry = redis.call('HGET', KEYS[3], ARGV[2]) or ''
if entry == ARGV[8] and (redis.call('HGET', KEYS[2], ARGV[4]) or '') == ARGV[5] then return 1 end
if entry ~= ARGV[3] then return 0 end
if ARGV[5] == '' then redis.call('HDEL', KEYS[2], ARGV[4], ARGV[6])
else redis.call('HSET', KEYS[2], ARGV[4], ARGV[5], ARGV[6], ARGV[7]) end
if ARGV[8] == '' then redis.call('HDEL', KEYS[3], ARGV[2])
else redis.call('HSET', KEYS[3], ARGV[2], ARGV[8]) end
return 1
"""
"""A state and what is known of it, together, or nothing: of another epoch, or when somebody wrote in between.

Done already is done: a client that did not hear the answer asks again.
"""

NOTE = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
local note = redis.call('GET', KEYS[2]) or ''
if note == ARGV[3] then return 1 end
if note ~= ARGV[2] then return 0 end
redis.call('SET', KEYS[2], ARGV[3])
return 1
"""

FORGET = """
if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then return 0 end
redis.call('HDEL', KEYS[1], ARGV[1], ARGV[3])
return 1
"""
"""Compares and removes in one step of Redis, so that a state written in between is not lost."""

HEADS = """
local heads = {}
for number, key in ipairs(KEYS) do
  local value = redis.call('HGET', key, ARGV[1])
  heads[number] = value and string.sub(value, 1, tonumber(ARGV[2])) or ''
end
return heads
"""


class OnlineStoreFullError(TerminalError):
    """Redis has reached its memory limit."""


class StatesFencedError(TransientError):
    """Somebody else makes these states now: what was to be written comes too late."""


@dataclass(frozen=True, slots=True)
class Found:
    """What the store has of an entity: its state, and the entry of what is known of it."""

    entity: str
    state: bytes | None
    entry: bytes | None = None

    @property
    def known(self) -> Known | None:
        return Known.load(self.entry) if self.entry else None


@dataclass(frozen=True, slots=True)
class Change:
    """What is to stand in place of what was ``found``; None for nothing."""

    found: Found
    state: bytes | None
    known: Known | None


class StateStore:
    """The states of one group; any number of threads may use it."""

    def __init__(
        self, settings: Settings, group: FeatureGroup, timeout_s: float = WRITE_TIMEOUT_S, tries: int = WRITE_TRIES
    ) -> None:
        self._settings, self._group = settings, group
        self._redis: Any = connect(connection_string(settings, timeout_s), tries)[1]
        self._field, self._written = state_field(group), written_field(group)
        self._put, self._note, self._forget_script, self._heads = (
            self._redis.register_script(script) for script in (PUT, NOTE, FORGET, HEADS)
        )

    def find(self, ids: Sequence[str]) -> list[Found]:
        """What there is of each of ``ids``, in order.

        Raises:
            OnlineStoreUnavailableError: no proper answer in time.
        """
        pipeline = self._redis.pipeline(transaction=False)
        for one in ids:
            pipeline.hget(self._key(one), self._field)
            pipeline.hget(known_key(self._group, bucket_of(one)), one)
        answers = iter(self._run(pipeline.execute))
        return [Found(one, state_of(next(answers)), next(answers)) for one in ids]

    def read(self, ids: Sequence[str]) -> list[bytes | None]:
        """The states alone."""
        return [found.state for found in self.find(ids)]

    def write(self, epoch: int, changes: Sequence[Change], at: int) -> None:
        """Make ``changes``, each on its own; ``at`` is what Feast is told of when, in microseconds since 1970.

        Raises:
            StatesFencedError: the group's epoch is another one, or what was found is there no more.
            OnlineStoreFullError: Redis has no memory left.
            OnlineStoreUnavailableError: no proper answer in time.
        """
        if not changes:
            return
        written = Timestamp()
        written.FromDatetime(datetime.fromtimestamp(at / 1e6, UTC))
        stamp = written.SerializeToString()
        pipeline = self._redis.pipeline(transaction=False)
        for change in changes:
            entity = change.found.entity
            keys: list[Any] = [epoch_key(self._group), self._key(entity), known_key(self._group, bucket_of(entity))]
            state = b"" if change.state is None else Value(bytes_val=change.state).SerializeToString()
            known = change.known.dump() if change.known else b""
            entry = change.found.entry or b""
            self._put(keys, [epoch, entity, entry, self._field, state, self._written, stamp, known], client=pipeline)
        if not all(self._run(pipeline.execute)):
            raise StatesFencedError(f"the states of {self._group.name} were written by somebody else meanwhile")

    def applied(self) -> Applied | None:
        """How far the states have come, as the store notes it."""
        text = self._run(lambda: self._redis.get(applied_key(self._group)))
        return Applied.load(text) if text else None

    def begin(self, applied: Applied) -> None:
        """Begin the epoch of ``applied``: whoever writes in another is refused from now on."""
        pipeline = self._redis.pipeline(transaction=True)
        pipeline.set(epoch_key(self._group), applied.epoch)
        pipeline.set(applied_key(self._group), applied.dump())
        self._run(pipeline.execute)

    def note(self, before: Applied, after: Applied) -> None:
        """Replace the note ``before`` by ``after``, of the same epoch.

        Raises:
            StatesFencedError: another epoch has begun, or the note is no more what it was.
        """
        keys = [epoch_key(self._group), applied_key(self._group)]
        if not self._run(lambda: self._note(keys, [before.epoch, before.dump(), after.dump()])):
            raise StatesFencedError(f"how far the states of {self._group.name} have come was noted by somebody else")

    def counts(self) -> list[int]:
        """How many states are known in each bucket."""
        pipeline = self._redis.pipeline(transaction=False)
        for bucket in range(BUCKETS):
            pipeline.hlen(known_key(self._group, bucket))
        return list(self._run(pipeline.execute))

    def entries(self, bucket: int) -> Iterator[tuple[str, bytes]]:
        """Each entity that is known in ``bucket`` with its entry, in steps; one may come twice."""
        cursor = 0
        while True:
            at = cursor
            cursor, found = self._run(
                lambda: self._redis.hscan(known_key(self._group, bucket), at, count=SCANNED)  # noqa: B023 - runs now
            )
            yield from ((entity.decode(), entry) for entity, entry in found.items())
            if not cursor:
                return

    def heads(self, ids: Sequence[str]) -> list[bytes]:
        """The first bytes of each state; empty where there is none."""
        found: list[bytes] = []
        for first in range(0, len(ids), SCANNED):
            keys = [self._key(one) for one in ids[first : first + SCANNED]]
            found += [_head(value) for value in self._run(lambda: self._heads(keys, [self._field, HEAD]))]  # noqa: B023
        return found

    def forget_where(self, is_forgotten: Callable[[bytes], bool]) -> int:
        """Remove each state of the group that is one to forget, whoever's it is; how many there were.

        All of Redis is gone through in steps of :data:`SCANNED` keys; a state that is written meanwhile stays.

        Raises:
            OnlineStoreUnavailableError: no proper answer in time.
        """
        forgotten, cursor = 0, 0
        while True:
            cursor, keys = self._scan(cursor)
            pipeline = self._redis.pipeline(transaction=False)
            for key in keys:
                pipeline.hget(key, self._field)
            values = zip(keys, self._run(pipeline.execute), strict=True)
            chosen = [(key, value) for key, value in values if value and is_forgotten(state_of(value) or b"")]
            pipeline = self._redis.pipeline(transaction=False)
            for key, value in chosen:
                self._forget_script([key], [self._field, value, self._written], client=pipeline)
            forgotten += int(sum(self._run(pipeline.execute)))
            if not cursor:
                return forgotten

    def lock(self, seconds: float) -> Lock:
        """A lock on making the states anew."""
        name = f"{applied_key(self._group)}:bootstrap"
        held: Lock = self._redis.lock(name, timeout=seconds, blocking=False, thread_local=False)
        return held

    def _key(self, entity: str) -> bytes:
        return entity_key(self._group.entity.key, entity)

    def _scan(self, cursor: int) -> tuple[int, list[bytes]]:
        # Feast ends each entity's key with the project's name; no glob character can be in it.
        found = self._run(lambda: self._redis.scan(cursor, f"*{repository.PROJECT}", SCANNED, "HASH"))
        return int(found[0]), list(found[1])

    def _run(self, ask: Callable[[], Any]) -> Any:
        try:
            return ask()
        except RedisError as error:
            # Refused within a script, it is said in the middle of the text.
            if isinstance(error, OutOfMemoryError) or "OOM command not allowed" in str(error):
                advice = f"raise redis.max_memory_mb (now {self._settings.redis.max_memory_mb})"
                raise OnlineStoreFullError(f"Redis is full: {advice}") from error
            raise unavailable(self._settings, error) from error


def _head(value: bytes) -> bytes:
    """Without what protobuf writes before a value of bytes: a tag, and the length, seven bits a byte."""
    begin = 1
    while begin < len(value) and value[begin] & 0x80:
        begin += 1
    return value[begin + 1 :]
