"""All states of a group made from silver at one version; the stream goes on from there.

Run by the stream application for a group that has none. By hand, before a changed definition is deployed, so that the
new one answers from its first second: ``tidemill features bootstrap``.
"""

import logging
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812
from redis.exceptions import LockError, RedisError

from config.errors import TransientError
from config.settings import Settings
from data_lake import commits
from data_lake.tables import table
from feature_store.applying import COMMIT, apply_to_states
from feature_store.catalog import state_view_name
from feature_store.definitions import LIFETIME, FeatureGroup
from feature_store.silver import silver_events
from feature_store.spans import TIME
from feature_store.states import Applied, StateStore
from feature_store.tiles import MARGIN
from feature_store.windows import micros, tail

logger = logging.getLogger(__name__)
LOCK_S = 60.0
ANY_VERSION = 1 << 62


class SilverMissingError(TransientError):
    """The silver table of a group does not exist yet."""


class BootstrapRunningError(TransientError):
    """Another process makes the states of this group now."""


@dataclass(frozen=True)
class Bootstrapped:
    """What a bootstrap did: ``entities`` have a state now, of which ``kept`` were there and no older.

    ``mean_bytes`` and ``largest_bytes`` are of the written ones. ``reason`` says why nothing was done.
    """

    group: str
    view: str
    version: int
    events: int = 0
    entities: int = 0
    kept: int = 0
    mean_bytes: int = 0
    largest_bytes: int = 0
    reason: str = ""


def bootstrap(spark: SparkSession, settings: Settings, group: FeatureGroup, *, anew: bool = False) -> Bootstrapped:
    """Make the states of ``group``, unless they are there.

    With ``anew`` also then: what cannot be read is replaced. No stream may apply events to the group meanwhile.

    Raises:
        SilverMissingError: the group's table does not exist.
        BootstrapRunningError: another process is at it.
        OnlineStoreUnavailableError: Redis does not answer.
    """
    store, silver, view = StateStore(settings, group), table(group.source.table), state_view_name(group)
    if not commits.exists(silver, settings):
        at = silver.path(settings)
        raise SilverMissingError(f"{silver.name} at {at} does not exist yet: start the stream, then try again")
    table_id = commits.table_id(silver, settings)
    before = store.applied()
    if before is not None and before.table_id == table_id and not anew:
        return Bootstrapped(group.name, view, before.version, reason="its states are there, and the stream goes on")
    with _alone(store, group):
        version, started = commits.current_version(silver, settings), time.time_ns() // 1000
        events = silver_events(spark, settings, group, version)
        number = events.count()
        tasks = max(settings.spark.shuffle_partitions, -(-number // settings.spark.events_a_task))
        # Versions of another table say nothing of this one.
        keep_from = version if before is None or before.table_id == table_id else ANY_VERSION
        reached = _reached(events, group, started).withColumn(COMMIT, F.lit(version).cast("long"))
        counts = apply_to_states(reached, settings, group, tasks, keep_from) if number else Counter[str]()
        if before is None or before.table_id != table_id:
            store.note_applied(Applied(table_id, version, counts["known"], started))
    written = counts["entities"] - counts["kept"]
    logger.info("the states of %s are made: %d entities from %d events", view, counts["entities"], counts["events"])
    return Bootstrapped(
        group.name,
        view,
        version,
        counts["events"],
        counts["entities"],
        counts["kept"],
        counts["bytes"] // max(written, 1),
        counts["largest"],
    )


def _reached(events: DataFrame, group: FeatureGroup, now: int) -> DataFrame:
    """Those that a window reaches, from now on."""
    longest = max(feature.window for feature in group.features)
    if longest == LIFETIME:
        return events
    return events.where(F.col(TIME) >= int(tail(now - micros(MARGIN), longest)))


@contextmanager
def _alone(store: StateStore, group: FeatureGroup) -> Iterator[None]:
    """Hold the group's lock, which ends by itself soon after this process does."""
    lock = store.lock(LOCK_S)
    if not lock.acquire():
        raise BootstrapRunningError(f"another process makes the states of {group.name} now: wait for it, or try again")
    done = threading.Event()

    def keep() -> None:
        while not done.wait(LOCK_S / 3):
            try:
                lock.reacquire()
            except RedisError as error:  # what else needs Redis fails by itself, and is tried again
                logger.warning("the lock of %s could not be kept: %s", group.name, error)

    keeper = threading.Thread(target=keep, name="bootstrap-lock", daemon=True)
    keeper.start()
    try:
        yield
    finally:
        done.set()
        keeper.join()
        try:
            lock.release()
        except LockError as error:
            logger.warning("the lock of %s was lost: %s", group.name, error)
