"""The profile of a Spark data frame: each partition makes its own, the driver merges bytes, never rows."""

from collections.abc import Callable, Iterator, Sequence

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812

from monitoring.profiles.definition import TableDefinition
from monitoring.profiles.encoding import from_bytes, to_bytes
from monitoring.profiles.table import TableProfile, merged, profile_batches

PARTIAL = "profile BINARY"


def profile_dataframe(rows: DataFrame, definition: TableDefinition) -> TableProfile:
    """The profile of all ``rows``, read once; a partition gives one row of bytes, however many rows it has.

    Raises:
        UnprofiledColumnError: in an executor, wrapped by Spark, when a column is not of its kind.
    """
    names = [column.name for column in definition.columns]
    if definition.time_column is not None:
        names.append(definition.time_column)
    # Columns go under numbers: mapInArrow reads a dot or a backtick in a name as syntax.
    numbered = [F.col(f"`{name.replace('`', '``')}`").alias(f"_{number}") for number, name in enumerate(names)]
    partials = rows.select(*numbered).mapInArrow(_profiler(definition, names), PARTIAL)
    return merged((from_bytes(bytes(row.profile)) for row in partials.collect()), definition)


def _profiler(
    definition: TableDefinition, names: Sequence[str]
) -> Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    def profile(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        named = (pa.RecordBatch.from_arrays(batch.columns, names=list(names)) for batch in batches)
        packed = to_bytes(profile_batches(named, definition))
        yield pa.RecordBatch.from_arrays([pa.array([packed], pa.binary())], names=["profile"])

    return profile
