"""What things are called in Redis; an entity's hash and its fields as Feast calls them."""

from functools import cache
from struct import Struct

from feast.infra.online_stores.helpers import _mmh3, _redis_key
from feast.protos.feast.types.EntityKey_pb2 import EntityKey
from feast.protos.feast.types.Value_pb2 import Value

from feature_store.catalog import state_feature_name, state_view_name
from feature_store.definitions import FeatureGroup
from feature_store.feast import repository

PROJECT = repository.PROJECT.encode()
LENGTH = Struct("<I")


def entity_key(key: str, entity: str) -> bytes:
    """The hash of an entity, with a field for each feature of a view."""
    value = entity.encode()
    return b"".join((_before_value(key), LENGTH.pack(len(value)), value, PROJECT))


@cache
def _before_value(key: str) -> bytes:
    """How Feast's names begin, before length and bytes of the value and the project: asked of Feast once."""
    nobody = EntityKey(join_keys=[key], entity_values=[Value(string_val="")])
    found: bytes = _redis_key(repository.PROJECT, nobody, repository.KEY_VERSION)
    return found.removesuffix(LENGTH.pack(0) + PROJECT)


def state_field(group: FeatureGroup) -> bytes:
    found: bytes = _mmh3(f"{state_view_name(group)}:{state_feature_name(group)}")
    return found


def written_field(group: FeatureGroup) -> str:
    """When the state was written, for Feast."""
    return f"_ts:{state_view_name(group)}"


def applied_key(group: FeatureGroup) -> str:
    return f"{repository.PROJECT}:applied:{state_view_name(group)}"


def epoch_key(group: FeatureGroup) -> str:
    return f"{repository.PROJECT}:epoch:{state_view_name(group)}"


def known_key(group: FeatureGroup, bucket: int) -> str:
    """The hash of what is known of a bucket's states, by entity."""
    return f"{repository.PROJECT}:known:{state_view_name(group)}:{bucket}"
