"""The states of one group, written: each only by who has the group's epoch, and on top of what was read."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

from feast.protos.feast.types.Value_pb2 import Value
from google.protobuf.timestamp_pb2 import Timestamp  # type: ignore[import-untyped]
from redis.exceptions import LockError, OutOfMemoryError, RedisError
from redis.lock import Lock

from feature_store.definitions import FeatureGroup
from feature_store.feast import repository
from feature_store.online.connection import connect, connection_string, unavailable
from feature_store.states.applied import Applied
from feature_store.states.fence import BEGIN, TAKE, Fence
from feature_store.states.keys import applied_key, entity_key, epoch_key, known_key, state_field, written_field
from feature_store.states.known import BUCKETS, Known, bucket_of, digest_of
from feature_store.states.reader import state_of
from tidemill.config.errors import TerminalError, TransientError
from tidemill.config.settings import Settings

WRITE_TIMEOUT_S = 10.0
WRITE_TRIES = 5
SCANNED = 1000
HEAD = 256
"""So many bytes of a state's value hold what it says of itself."""
READ_AT_ONCE = 1 << 20
"""Redis answers nobody else while it reads states to tell whether they are whole."""

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
"""A state and what is known of it, together, or nothing: in another's turn, or when somebody wrote in between.

Done already is done: a client that did not hear the answer asks again.
"""

NOTE = """
if string.match(redis.call('INFO', 'server'), 'run_id:(%x+)') ~= ARGV[4] then return -1 end
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
local note = redis.call('GET', KEYS[2]) or ''
if note == ARGV[3] then return 1 end
if note ~= ARGV[2] then return 0 end
redis.call('SET', KEYS[2], ARGV[3])
return 1
"""
"""A store that was started again, or another one that took its place, may have lost the last of what was written."""

FORGET = """
if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then return 0 end
redis.call('HDEL', KEYS[1], ARGV[1], ARGV[3])
return 1
"""
"""Compares and removes in one step of Redis, so that a state written in between is not lost."""

HEADS = """
local found, bytes = {}, 0
for number, key in ipairs(KEYS) do
  if bytes > tonumber(ARGV[3]) then break end
  local value = redis.call('HGET', key, ARGV[1]) or ''
  found[2 * number - 1] = string.sub(value, 1, tonumber(ARGV[2]))
  found[2 * number] = string.sub(redis.sha1hex(value), 1, 16)
  bytes = bytes + #value
end
return found
"""
"""Of so many states as have the bytes that Redis may read at once, the first bytes and what tells all of them."""


class OnlineStoreFullError(TerminalError):
    """Redis has reached its memory limit."""


class StatesFencedError(TransientError):
    """Somebody else makes these states now: what was to be written comes too late."""


class StoreRestartedError(TransientError):
    """Redis was started again, or another took its place, while states were written: some of them may be lost."""


class Head(NamedTuple):
    """The first bytes of a state, and what tells all of what is stored from anything else."""

    start: bytes
    digest: bytes


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


class LockLostError(TransientError):
    """The lock was not held any more: it ended by itself, or the store was emptied."""


@dataclass(frozen=True)
class StoreLock:
    """A lock in the store, which ends by itself; what the store does not answer is said as of everything else."""

    held: Lock
    run: Callable[[Callable[[], Any]], Any]

    def acquire(self) -> bool:
        """Whether nobody else holds it.

        Raises:
            OnlineStoreUnavailableError: no proper answer in time.
        """
        return bool(self.run(self.held.acquire))

    def reacquire(self) -> None:
        """Hold it for its whole time again.

        Raises:
            LockLostError: it was not held any more.
            OnlineStoreUnavailableError: no proper answer in time.
        """
        self.run(self.held.reacquire)

    def release(self) -> None:
        """
        Raises:
            LockLostError: it was not held any more.
            OnlineStoreUnavailableError: no proper answer in time.
        """
        self.run(self.held.release)


class StateStore:
    """The states of one group; any number of threads may use it."""

    def __init__(
        self, settings: Settings, group: FeatureGroup, timeout_s: float = WRITE_TIMEOUT_S, tries: int = WRITE_TRIES
    ) -> None:
        self._settings, self._group = settings, group
        self._redis: Any = connect(connection_string(settings, timeout_s), tries)[1]
        self._field, self._written = state_field(group), written_field(group)
        self._put, self._note, self._forget_script, self._heads, self._begin, self._take = (
            self._redis.register_script(script) for script in (PUT, NOTE, FORGET, HEADS, BEGIN, TAKE)
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

    def write(self, token: str, changes: Sequence[Change], at: int) -> None:
        """Make ``changes``, each on its own; ``at`` is what Feast is told of when, in microseconds since 1970.

        Raises:
            StatesFencedError: the turn of ``token`` is over, or what was found is there no more.
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
            known = change.known._replace(digest=digest_of(state)).dump() if change.known else b""
            entry = change.found.entry or b""
            self._put(keys, [token, entity, entry, self._field, state, self._written, stamp, known], client=pipeline)
        if not all(self._run(pipeline.execute)):
            raise StatesFencedError(f"the states of {self._group.name} were written by somebody else meanwhile")

    def applied(self) -> Applied | None:
        """How far the states have come, as the store notes it."""
        text = self._run(lambda: self._redis.get(applied_key(self._group)))
        return Applied.load(text) if text else None

    def run_id(self) -> str:
        """What tells the process of Redis from any other, also from itself after a restart."""
        return str(self._run(lambda: self._redis.info("server"))["run_id"])

    def token(self) -> bytes:
        """Whose turn it is to write; empty before the first."""
        return bytes(self._run(lambda: self._redis.get(epoch_key(self._group))) or b"")

    def begin(self, applied: Applied, before: bytes, run_id: str) -> Fence:
        """Begin the epoch of ``applied``, if the token is still that of ``before``: all others are refused from now on.

        Raises:
            StatesFencedError: somebody else has begun one.
        """
        fence = Fence.new(applied.epoch, run_id)
        keys = [epoch_key(self._group), applied_key(self._group)]
        if not self._run(lambda: self._begin(keys, [before, fence.token, applied.dump()])):
            raise StatesFencedError(f"the states of {self._group.name} are made anew by another process")
        return fence

    def take(self, epoch: int, run_id: str) -> Fence:
        """The next turn to write states of ``epoch``: who had the one before is refused from now on.

        Raises:
            StatesFencedError: another epoch has begun.
        """
        fence = Fence.new(epoch, run_id)
        if not self._run(lambda: self._take([epoch_key(self._group)], [str(epoch), fence.token])):
            raise StatesFencedError(f"the states of {self._group.name} are made anew by another process")
        return fence

    def note(self, fence: Fence, before: Applied, after: Applied) -> None:
        """Replace the note ``before`` by ``after``, of the same epoch.

        Raises:
            StatesFencedError: the turn is over, or the note is no more what it was.
            StoreRestartedError: what was written in this turn may not be there any more.
        """
        keys = [epoch_key(self._group), applied_key(self._group)]
        values = [fence.token, before.dump(), after.dump(), fence.run_id]
        done, name = self._run(lambda: self._note(keys, values)), self._group.name
        if done < 0:
            raise StoreRestartedError(
                f"Redis was restarted in the middle of writing states of {name} and may have lost some of them: "
                "it is done again"
            )
        if not done:
            raise StatesFencedError(f"how far the states of {name} have come was noted by somebody else")

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

    def heads(self, ids: Sequence[str]) -> list[Head]:
        """Of each state the first bytes, empty where there is none, and what :func:`known.digest_of` gives of all.

        Redis itself reads the states, in pieces of about :data:`READ_AT_ONCE` bytes; no state comes here.
        """
        heads: list[Head] = []
        while len(heads) < len(ids):
            keys = [self._key(one) for one in ids[len(heads) : len(heads) + SCANNED]]
            found = iter(self._run(lambda: self._heads(keys, [self._field, HEAD, READ_AT_ONCE])))  # noqa: B023
            heads += [Head(_head(start), bytes.fromhex(digest.decode())) for start, digest in zip(found, found)]  # noqa: B905
        return heads

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

    def lock(self, seconds: float) -> "StoreLock":
        """A lock on making the states anew."""
        name = f"{applied_key(self._group)}:bootstrap"
        held = self._redis.lock(name, timeout=seconds, blocking=False, thread_local=False)
        return StoreLock(held, self._run)

    def _key(self, entity: str) -> bytes:
        return entity_key(self._group.entity.key, entity)

    def _scan(self, cursor: int) -> tuple[int, list[bytes]]:
        # Feast ends each entity's key with the project's name; no glob character can be in it.
        found = self._run(lambda: self._redis.scan(cursor, f"*{repository.PROJECT}", SCANNED, "HASH"))
        return int(found[0]), list(found[1])

    def _run(self, ask: Callable[[], Any]) -> Any:
        try:
            return ask()
        except LockError as error:
            raise LockLostError(f"the lock was not held any more: {error}") from error
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
