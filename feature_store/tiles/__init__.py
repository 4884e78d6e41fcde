"""What a request needs of an entity's past, in one value of bytes: the online engine.

``apply`` takes events into states; ``tiles.merge``, which is compiled, makes feature values of states and times. Both
take many entities at once.
docs/windows.md explains tiles.
"""

from feature_store.tiles.apply import apply
from feature_store.tiles.layout import MARGIN, MOST_PENDING, Layout
from feature_store.tiles.state import REBUILDING_MARK, StateError, Status, is_at_least, is_written_at

__all__ = [
    "MARGIN",
    "MOST_PENDING",
    "REBUILDING_MARK",
    "Layout",
    "StateError",
    "Status",
    "apply",
    "is_at_least",
    "is_written_at",
]
