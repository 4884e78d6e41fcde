"""Where packed states live: in Feast's online store, one value of bytes an entity and group.

Beside them, in the same Redis, lies what is known of each state: in which epoch it was made and which commit it took in
last. What the whole of a group should be is known outside Redis too, in its ledger: a store that lost something, or
went back to an older copy of itself, differs from it.
"""

from feature_store.states.applied import Applied
from feature_store.states.fence import Fence
from feature_store.states.known import Known, bucket_of
from feature_store.states.reader import StateReader
from feature_store.states.store import (
    Change,
    Found,
    OnlineStoreFullError,
    StatesFencedError,
    StateStore,
    StoreRestartedError,
)

__all__ = [
    "Applied",
    "Change",
    "Fence",
    "Found",
    "Known",
    "OnlineStoreFullError",
    "StateReader",
    "StateStore",
    "StatesFencedError",
    "StoreRestartedError",
    "bucket_of",
]
