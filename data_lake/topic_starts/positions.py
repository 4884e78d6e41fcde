"""How far bronze has come with a topic, as its table says: a transaction (Delta's ``txn``) a partition.

It is noted in the commit that has the rows, so it is true of them whatever dies when. It is the offset up to which the
partition has been read: what lies below and is not in bronze was no message.
"""

from collections.abc import Iterable

from data_lake import tables
from data_lake.delta_rs import MissingTableError, open_table
from data_lake.topic_starts.checkpoint import read_checkpoint
from data_lake.topic_starts.record import TopicStart
from tidemill.config.settings import Settings


def application_id(start: TopicStart, partition: int) -> str:
    """What the table calls a partition: the topic by its broker's id, in its generation."""
    return f"tidemill/{start.identity.topic_id}@{start.generation}/{partition}"


def positions(settings: Settings, topic: str, start: TopicStart | None, partitions: Iterable[int]) -> dict[int, int]:
    """The offset up to which each of ``partitions`` has been read; without those of which nothing is noted.

    A lake of before the notes has Spark's checkpoint of ``start``.
    """
    found = read_checkpoint(settings, start.checkpoint if start else f"bronze/{topic}", topic)
    for partition, version in _noted(settings, start, partitions).items() if start else ():
        found[partition] = max(found.get(partition, 0), version)
    return found


def _noted(settings: Settings, start: TopicStart, partitions: Iterable[int]) -> dict[int, int]:
    try:
        bronze = open_table(tables.bronze(start.topic), settings)
    except MissingTableError:
        return {}
    versions = {partition: bronze.transaction_version(application_id(start, partition)) for partition in partitions}
    return {partition: version for partition, version in versions.items() if version is not None}
