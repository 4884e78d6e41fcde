"""All features of a group at any times, computed from its events with numpy: the offline engine.

Events are sorted once by entity and time. A window is then a range of positions, found by binary search, and a feature
is a function of such a range: a difference of prefix sums, two cells of a sparse table, the value at one end.
"""

from feature_store.kernel.compute import compute

__all__ = ["compute"]
