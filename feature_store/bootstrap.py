"""All states of a group made from silver at one version; the stream goes on from there.

Run by the stream application for a group that has none. By hand, before a changed definition is deployed, so that the
new one answers from its first second: ``tidemill features bootstrap``.
"""

import logging
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812
from redis.exceptions import LockError, RedisError

from config.errors import TransientError
from config.settings import Settings
from data_lake import commits
from data_lake.tables import table
from feature_store.applying import COMMIT, Anew, apply_to_states
from feature_store.catalog import state_view_name
from feature_store.definitions import LIFETIME, FeatureGroup
from feature_store.silver import silver_events
from feature_store.spans import TIME
from feature_store.states import Applied, StateStore
from feature_store.tiles import MARGIN, Layout, is_written_at
from feature_store.windows import micros, tail

logger = logging.getLogger(__name__)
LOCK_S = 60.0


class SilverMissingError(TransientError):
    """The silver table of a group does not exist yet."""


class BootstrapRunningError(TransientError):
    """Another process makes the states of this group now."""


@dataclass(frozen=True)
class Bootstrapped:
    """What a bootstrap did: ``entities`` have a state now; ``removed`` states were of entities that have left.

    ``reason`` says why nothing was done.
    """

    group: str
    view: str
    version: int
    events: int = 0
    entities: int = 0
    removed: int = 0
    mean_bytes: int = 0
    largest_bytes: int = 0
    reason: str = ""


def bootstrap(spark: SparkSession, settings: Settings, group: FeatureGroup, *, anew: bool = False) -> Bootstrapped:
    """Make the states of ``group``, unless they are there: made from this table, and no newer than it is.

    With ``anew`` also then. Every state is written again and what is left of before is removed; until that is done,
    readers believe only what is written since. No stream may apply events to the group meanwhile.

    Raises:
        SilverMissingError: the group's table does not exist.
        BootstrapRunningError: another process is at it.
        OnlineStoreUnavailableError: Redis does not answer.
    """
    store, silver, view = StateStore(settings, group), table(group.source.table), state_view_name(group)
    if not commits.exists(silver, settings):
        at = silver.path(settings)
        raise SilverMissingError(f"{silver.name} at {at} does not exist yet: start the stream, then try again")
    table_id, version = commits.table_id(silver, settings), commits.current_version(silver, settings)
    before = store.applied()
    if before is not None and not anew and _is_made(before, table_id, version):
        return Bootstrapped(group.name, view, before.version, reason="its states are there, and the stream goes on")
    with _alone(store, group):
        started, layout = time.time_ns() // 1000, Layout.of(group)
        known_until = before.known_until if before is not None and before.table_id == table_id else 0
        store.note_applied(Applied(table_id, -1, known_until, started, rebuilding_since=started))
        version = commits.current_version(silver, settings)
        events = silver_events(spark, settings, group, version)
        counts = make_anew(events, settings, group, version, Anew(started))
        # Before readers hear that all is done: an old state would be believed then.
        removed = store.forget_where(lambda state: not is_written_at(layout, state, started))
        store.note_applied(Applied(table_id, version, counts["known"], started, made=version))
    logger.info("the states of %s are made: %d entities from %d events", view, counts["entities"], counts["events"])
    return Bootstrapped(
        group.name,
        view,
        version,
        counts["events"],
        counts["entities"],
        removed,
        counts["bytes"] // max(counts["entities"], 1),
        counts["largest"],
    )


def make_anew(
    events: DataFrame, settings: Settings, group: FeatureGroup, version: int, anew: Anew
) -> Mapping[str, int]:
    """Make states of ``events``, which are all that silver has of their entities at ``version``; counts what was done.

    What no window reaches from now on is left out.
    """
    reached = _reached(events, group, anew.at)
    number = reached.count()
    if not number:
        return Counter[str]()
    tasks = max(settings.spark.shuffle_partitions, -(-number // settings.spark.events_a_task))
    return apply_to_states(reached.withColumn(COMMIT, F.lit(version).cast("long")), settings, group, tasks, anew)


def _is_made(before: Applied, table_id: str, version: int) -> bool:
    """Versions of another table say nothing of this one; nor does one that the table has not reached, or not again."""
    return before.table_id == table_id and before.version <= version and not before.rebuilding_since


def _reached(events: DataFrame, group: FeatureGroup, now: int) -> DataFrame:
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
