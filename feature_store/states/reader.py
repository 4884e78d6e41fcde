"""States for requests: of several groups at once, with the note of how far they had come when they were read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from feast.protos.feast.types.Value_pb2 import Value
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from redis.exceptions import RedisError

from feature_store.definitions import FeatureGroup
from feature_store.online.connection import connect, connection_string, unavailable
from feature_store.online.deadline import BoundedConnection
from feature_store.states.applied import Applied
from feature_store.states.keys import applied_key, entity_key, known_key, state_field
from feature_store.states.known import bucket_of
from tidemill.config.settings import Settings

States = Mapping[str, list[bytes | None]]


@dataclass(frozen=True, slots=True)
class Read:
    """By group: the states, in the order of the ids, and how far all had come (None: the store has no note of it)."""

    states: States
    applied: Mapping[str, Applied | None]


class StateReader:
    """Reads the states of several groups at once; any number of threads may use it."""

    def __init__(self, settings: Settings, groups: Sequence[FeatureGroup], timeout_s: float, tries: int) -> None:
        self._settings, self._redis = settings, connect(connection_string(settings, timeout_s), tries)[1]
        self._redis.connection_pool.connection_class = BoundedConnection
        self._groups = {group.name: group for group in groups}
        self._applied_keys = [applied_key(group) for group in groups]
        self._parsed: dict[str, tuple[bytes, Applied | None]] = {}
        self._fields: dict[str, dict[str, bytes]] = {}
        for group in groups:
            self._fields.setdefault(group.entity.key, {})[group.name] = state_field(group)

    def read(self, ids: Mapping[str, Sequence[str]]) -> Read:
        """The states of each group, in the order of the ``ids`` of its entity, which are by key; None where none is.

        Raises:
            OnlineStoreUnavailableError: no proper answer in time.
        """
        try:
            noted, *found, after = self._asked(ids, self._redis.pipeline(transaction=False)).execute()
            if after != noted:
                # A batch ended, or the store changed, in between: which note goes with the states is not known.
                noted, *found, _ = self._asked(ids, self._redis.pipeline(transaction=True)).execute()
        except RedisError as error:
            raise unavailable(self._settings, error) from error
        values, states = iter(found), {}
        for key, fields in self._fields.items():
            rows = [next(values) for _ in ids[key]]
            for position, name in enumerate(fields):
                states[name] = [state_of(row[position]) for row in rows]
        return Read(states, self._notes(noted))

    def _asked(self, ids: Mapping[str, Sequence[str]], pipeline: Any) -> Any:
        """The notes, the states, and the notes once more, which are the same unless one was written in between."""
        pipeline.mget(self._applied_keys)
        for key, fields in self._fields.items():
            wanted = list(fields.values())
            for one in ids[key]:
                pipeline.hmget(entity_key(key, one), wanted)
        pipeline.mget(self._applied_keys)
        return pipeline

    def applied(self) -> dict[str, Applied | None]:
        """How far the states of each group have come; None before they were made."""
        try:
            noted: Any = self._redis.mget(self._applied_keys)
        except RedisError as error:
            raise unavailable(self._settings, error) from error
        return self._notes(noted)

    def are_known(self, ids: Mapping[str, Sequence[str]]) -> Mapping[str, list[bool]]:
        """Whether the store knows that there is a state of each of the ``ids``, which are by group: in one exchange.

        Raises:
            OnlineStoreUnavailableError: no proper answer in time.
        """
        pipeline = self._redis.pipeline(transaction=False)
        for name, entities in ids.items():
            for entity in entities:
                pipeline.hexists(known_key(self._groups[name], bucket_of(entity)), entity)
        try:
            found = iter(pipeline.execute())
        except RedisError as error:
            raise unavailable(self._settings, error) from error
        return {name: [bool(next(found)) for _ in entities] for name, entities in ids.items()}

    def _notes(self, noted: Sequence[bytes | None]) -> dict[str, Applied | None]:
        """Parsed once for as long as a note stays the same."""
        return {name: self._note(name, text) for name, text in zip(self._groups, noted, strict=True)}

    def _note(self, name: str, text: bytes | None) -> Applied | None:
        if text is None:
            return None
        parsed = self._parsed.get(name)
        if parsed is None or parsed[0] != text:
            parsed = self._parsed[name] = text, Applied.load(text)
        return parsed[1]


def state_of(value: bytes | None) -> bytes | None:
    """The state in a value of Feast's; of a damaged one no bytes, which no state has."""
    if not value:
        return None
    try:
        found = Value.FromString(value)
    except DecodeError:
        return b""
    return found.bytes_val if found.HasField("bytes_val") else b""
