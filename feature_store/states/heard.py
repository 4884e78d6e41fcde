"""How far the states of a group were once heard to have come: what says less later is a store that went back.

Known to a whole process, so that a reader made later, for a model that was just promoted, knows it as well.
"""

import threading
from dataclasses import dataclass, field

from feature_store.catalog import state_view_name
from feature_store.definitions import FeatureGroup
from feature_store.states.applied import Applied
from tidemill.config.settings import Settings

NOTHING = (0, -1)


@dataclass
class Heard:
    """The newest position of one group's states, in one store; any number of threads may use it."""

    position: tuple[int, int] = NOTHING
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

    def hear(self, applied: Applied) -> None:
        if applied.position <= self.position:  # it only grows: most requests need no lock
            return
        with self._lock:
            self.position = max(self.position, applied.position)


_HEARD: dict[tuple[str, int, str], Heard] = {}
_MAKING = threading.Lock()


def heard_of(settings: Settings, group: FeatureGroup) -> Heard:
    """What this process has heard of the states of ``group`` in the store of ``settings``."""
    key = settings.redis.host, settings.redis.port, state_view_name(group)
    with _MAKING:
        return _HEARD.setdefault(key, Heard())


def forget() -> None:
    """As a process that has heard nothing yet."""
    with _MAKING:
        _HEARD.clear()
