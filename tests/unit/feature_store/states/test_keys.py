"""An entity's hash in Redis is called as Feast calls it."""

import pytest
from feast.infra.online_stores.helpers import _redis_key
from feast.protos.feast.types.EntityKey_pb2 import EntityKey
from feast.protos.feast.types.Value_pb2 import Value
from hypothesis import given
from hypothesis import strategies as st

from feature_store.feast import repository
from feature_store.states.keys import entity_key

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)


@given(st.sampled_from(["customer_id", "terminal_id", "straße", "k"]), TEXT)
def test_the_name_is_feasts(key: str, entity: str) -> None:
    named = EntityKey(join_keys=[key], entity_values=[Value(string_val=entity)])
    assert entity_key(key, entity) == _redis_key(repository.PROJECT, named, repository.KEY_VERSION)


def test_half_a_surrogate_pair_names_nobody() -> None:
    with pytest.raises(UnicodeEncodeError):
        entity_key("customer_id", "\ud800")
