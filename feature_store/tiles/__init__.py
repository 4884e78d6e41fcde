"""What a request needs of an entity's past, in one value of bytes: the online engine.

``apply`` takes events into states; ``tiles.merge``, which is compiled, makes feature values of states and times. Both
take many entities at once.
docs/windows.md explains tiles.
"""

from feature_store.tiles.apply import apply
from feature_store.tiles.layout import MARGIN, MOST_AHEAD, MOST_PENDING, Layout
from feature_store.tiles.state import REBUILDING_MARK, Header, StateError, Status, header_of, peek

__all__ = [
    "MARGIN",
    "MOST_AHEAD",
    "MOST_PENDING",
    "REBUILDING_MARK",
    "Header",
    "Layout",
    "StateError",
    "Status",
    "apply",
    "header_of",
    "peek",
]
