"""Looks after the online states while no events come: what the store lost, or went back to, is noticed and repaired."""

import logging
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

from feature_store.states.known import BUCKETS
from stream_processing.spark_streaming.features import FeatureQuery
from tidemill.config.settings import Settings

LOOK_S = 2.0
SHARE = 20
"""Between two steps passes this many times what the one before took, so that the store has little to do with it."""
logger = logging.getLogger("tidemill.stream")


@dataclass(frozen=True)
class StateWatch:
    """Takes a look at the notes and counts of every group each two seconds, and reads some of its states.

    All states have been looked at after ``stream.scrub_s``, or after twenty times what reading them takes.
    """

    settings: Settings
    queries: Sequence[FeatureQuery]

    def run(self, stop: threading.Event) -> None:
        """Until ``stop`` is set."""
        rests, troubles = dict.fromkeys((query.name for query in self.queries), 0.0), dict[str, str]()
        while not stop.wait(LOOK_S):
            for query in self.queries:
                keeper = query.keeper
                # A batch takes a look by itself.
                if keeper is None or keeper.ledger is None or not keeper.lock.acquire(timeout=LOOK_S):
                    continue
                has_other_table = False
                try:
                    keeper.look()
                    if time.monotonic() >= rests[query.name]:
                        begun = time.monotonic()
                        has_other_table = keeper.has_other_table()
                        if not has_other_table:
                            keeper.scrub(max(1, round(BUCKETS * LOOK_S / self.settings.stream.scrub_s)))
                        rests[query.name] = begun + (1 + SHARE) * (time.monotonic() - begun)
                except Exception as error:  # noqa: BLE001 - whatever it is, it is tried again
                    if troubles.get(query.name) != str(error):
                        logger.warning("the states of %s cannot be looked after: %s", query.name, error)
                    troubles[query.name] = str(error)
                else:
                    troubles.pop(query.name, None)
                finally:
                    keeper.lock.release()
                if has_other_table:
                    query.start_over()
