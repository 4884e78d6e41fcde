"""States in Redis by other hands than the stream's."""

from collections.abc import Sequence
from typing import Any

from feast.protos.feast.types.Value_pb2 import Value

from feature_store.definitions import FeatureGroup
from feature_store.online.connection import connect, connection_string
from feature_store.states import Applied, Change, Known, StateStore, bucket_of
from feature_store.states.keys import entity_key, known_key, state_field
from tidemill.config import Settings

EPOCH = 1


def redis_of(settings: Settings) -> Any:
    return connect(connection_string(settings, 10.0), tries=1)[1]


def put_states(  # noqa: PLR0917 - whose, what, and how far
    settings: Settings,
    group: FeatureGroup,
    ids: Sequence[str],
    states: Sequence[bytes],
    version: int,
    at: int,
    known_until: int = 0,
) -> None:
    """The ``states``, which are of :data:`EPOCH` and have come to ``version``, as all that there are."""
    store = StateStore(settings, group)
    fence = store.begin(Applied("by hand", EPOCH, version, known_until, at), store.token(), store.run_id())
    known = Known(EPOCH, version)
    changes = [Change(found, state, known) for found, state in zip(store.find(ids), states, strict=True)]
    store.write(fence.token, changes, at)


def replace_state(settings: Settings, group: FeatureGroup, entity: str, state: bytes) -> None:
    """Put ``state`` there, and nothing else."""
    value = Value(bytes_val=state).SerializeToString()
    redis_of(settings).hset(entity_key(group.entity.key, entity), state_field(group), value)


def lose_state(settings: Settings, group: FeatureGroup, entity: str, and_what_is_known: bool = False) -> None:
    """Remove the state of ``entity``, as an eviction or a DEL does."""
    redis = redis_of(settings)
    redis.delete(entity_key(group.entity.key, entity))
    if and_what_is_known:
        redis.delete(known_key(group, bucket_of(entity)))
