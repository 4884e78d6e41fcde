"""Looks after the online states while no events come: what the store lost, or went back to, is noticed and repaired."""

import logging
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from feature_store.states.known import BUCKETS
from feature_store.stream.keeping import StateKeeper
from stream_processing.spark_streaming.features import FeatureQuery
from tidemill.config.settings import Settings

LOOK_S = 2.0
SHARE = 20
"""Between two steps passes this many times what the one before took, so that the store has little to do with it."""
logger = logging.getLogger("tidemill.stream")


@dataclass(frozen=True)
class StateWatch:
    """Looks after every group in a thread of its own: while the states of one are made anew, no other waits."""

    settings: Settings
    queries: Sequence[FeatureQuery]

    def run(self, stop: threading.Event) -> None:
        """Until ``stop`` is set and what was being done then is done."""
        watches = [GroupWatch(self.settings, query) for query in self.queries]
        threads = [threading.Thread(target=watch.run, args=(stop,), daemon=True) for watch in watches]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


@dataclass
class GroupWatch:
    """Takes a look at the notes and counts of a group each two seconds, and reads some of its states.

    All states have been looked at after ``stream.scrub_s``, or after twenty times what reading them takes. The table's
    identity is compared once in that time.
    """

    settings: Settings
    query: FeatureQuery
    _rests_until: float = field(default=0.0, init=False)
    _compares_at: float = field(default=0.0, init=False)
    _trouble: str = field(default="", init=False)

    def run(self, stop: threading.Event) -> None:
        """Until ``stop`` is set."""
        while not stop.wait(LOOK_S):
            try:
                self.look()
            except Exception as error:  # noqa: BLE001 - whatever it is, it is tried again
                if self._trouble != str(error) and not stop.is_set():
                    logger.warning("the states of %s cannot be looked after: %s", self.query.name, error)
                self._trouble = str(error)
            else:
                self._trouble = ""

    def look(self) -> None:
        """Repair what is seen to be wrong, unless a batch runs: that takes a look by itself."""
        keeper = self.query.keeper
        if keeper is None or keeper.ledger is None or not keeper.lock.acquire(timeout=LOOK_S):
            return
        has_other_table = False
        try:
            keeper.look()
            if time.monotonic() >= self._rests_until:
                has_other_table = self._read_some(keeper)
        finally:
            keeper.lock.release()
        if has_other_table:
            self.query.start_over()

    def _read_some(self, keeper: StateKeeper) -> bool:
        """Whether the table is another one; if it is not, some states have been read."""
        now, scrub_s = time.monotonic(), self.settings.stream.scrub_s
        if now >= self._compares_at:
            self._compares_at = now + scrub_s
            has_other_table = keeper.has_other_table()
            self._rest(time.monotonic() - now)
            return has_other_table
        self._rest(keeper.scrub(max(1, round(BUCKETS * LOOK_S / scrub_s))))
        return False

    def _rest(self, seconds: float) -> None:
        self._rests_until = time.monotonic() + SHARE * seconds
