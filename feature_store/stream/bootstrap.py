"""All states of a group made from silver at one version; the stream goes on from there.

Run by the stream application for a group that has none. By hand, before a changed definition is deployed, so that the
new one answers from its first second: ``tidemill features bootstrap``.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812

from data_lake import commits
from data_lake.log import commit_digest
from data_lake.tables import table
from feature_store.catalog import state_view_name
from feature_store.definitions import LIFETIME, FeatureGroup
from feature_store.definitions.windows import micros, tail
from feature_store.lake.silver import silver_events
from feature_store.lake.spans import ENTITY, TIME
from feature_store.states import StateStore
from feature_store.stream.applying import COMMIT, Anew, Counts, Upon, apply_to_states, state_bucket
from feature_store.stream.keeping import LakeGoneError, StateKeeper
from feature_store.stream.ledger_files import LedgerFolder
from feature_store.tiles import MARGIN
from tidemill.config.errors import TransientError
from tidemill.config.settings import Settings

logger = logging.getLogger(__name__)


class SilverMissingError(TransientError):
    """The silver table of a group does not exist yet."""


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


@dataclass(frozen=True)
class SilverOfGroup:
    """The silver table of a group, from which its states are made."""

    spark: SparkSession
    settings: Settings
    group: FeatureGroup

    def table_id(self) -> str:
        return commits.table_id(table(self.group.source.table), self.settings)

    def version(self) -> int:
        return commits.current_version(table(self.group.source.table), self.settings)

    def commit(self, version: int) -> str | None:
        return commit_digest(table(self.group.source.table), self.settings, version)

    def make(self, buckets: Sequence[int] | None, version: int, upon: Upon, anew: Anew) -> Counts:
        """As :meth:`feature_store.stream.keeping.Lake.make`."""
        try:
            events = silver_events(self.spark, self.settings, self.group, version)
            if buckets is not None:
                events = events.where(state_bucket().isin(list(buckets)))
            return make_anew(events, self.settings, self.group, version, upon, anew)
        except Exception as error:
            if (gone := commits.gone(error)) is None:
                raise
            raise LakeGoneError(f"{self.group.source.table} no longer has version {version} ({gone})") from error


def state_keeper(spark: SparkSession, settings: Settings, group: FeatureGroup) -> StateKeeper:
    """What keeps the states of ``group``.

    Raises:
        SilverMissingError: the group's table does not exist.
    """
    silver = table(group.source.table)
    if not commits.exists(silver, settings):
        at = silver.path(settings)
        raise SilverMissingError(f"{silver.name} at {at} does not exist yet: start the stream, then try again")
    files, lake = LedgerFolder(spark, settings, group), SilverOfGroup(spark, settings, group)
    return StateKeeper(group, StateStore(settings, group), files, lake)


def bootstrap(spark: SparkSession, settings: Settings, group: FeatureGroup, *, anew: bool = False) -> Bootstrapped:
    """Make the states of ``group``, unless they are there: made from this table, and no newer than it is.

    With ``anew`` also then. Every state is written again and what is left of before is removed; until that is done,
    readers believe only what is written since. A stream that applies events to the group is refused from the first
    moment on, and goes on from what was made.

    Raises:
        SilverMissingError: the group's table does not exist.
        BootstrapRunningError: another process is at it.
        OnlineStoreUnavailableError: Redis does not answer.
    """
    keeper, view = state_keeper(spark, settings, group), state_view_name(group)
    if not anew and keeper.is_made():
        applied = keeper.store.applied()
        version = applied.version if applied else -1
        return Bootstrapped(group.name, view, version, reason="its states are there, and the stream goes on")
    counts, removed = keeper.make_anew()
    version = keeper.ledger.version if keeper.ledger else -1
    logger.info("the states of %s are made: %d entities from %d events", view, counts.entities, counts.events)
    mean = counts.bytes // max(counts.entities, 1)
    return Bootstrapped(group.name, view, version, counts.events, counts.entities, removed, mean, counts.largest)


def make_anew(  # noqa: PLR0913, PLR0917 - events, whose, and what of
    events: DataFrame, settings: Settings, group: FeatureGroup, version: int, upon: Upon, anew: Anew
) -> Counts:
    """Make states of ``events``, which are all that silver has of their entities at ``version``; counts what was done.

    What no window reaches from now on is left out, but for one event of an entity that has nothing else: it counts
    nowhere, and says that the entity is known, as a state does that was kept all the time.
    """
    reached = _reached(events, group, anew.at)
    number = reached.count()
    if not number:
        return Counts()
    tasks = max(settings.spark.shuffle_partitions, -(-number // settings.spark.events_a_task))
    committed = reached.withColumn(COMMIT, F.lit(version).cast("long"))
    return apply_to_states(committed, settings, group, tasks, upon, anew)


def _reached(events: DataFrame, group: FeatureGroup, now: int) -> DataFrame:
    longest = max(feature.window for feature in group.features)
    if longest == LIFETIME:
        return events
    is_reached = F.col(TIME) >= int(tail(now - micros(MARGIN), longest))
    latest = events.groupBy(ENTITY).agg(F.max_by(F.struct("*"), TIME).alias("latest")).select("latest.*")
    return events.where(is_reached).union(latest.where(~is_reached))
