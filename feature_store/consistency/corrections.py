"""What was corrected when: a row of gold a commit of silver that did more than insert, and a group of features."""

import random
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

import duckdb
import pyarrow as pa
from deltalake import DeltaTable
from deltalake.exceptions import CommitFailedError

from data_lake.delta_rs import MissingTableError, open_table
from data_lake.delta_tables import create_table
from data_lake.tables import table
from tidemill.config.errors import TransientError
from tidemill.config.settings import Settings

CORRECTIONS = "gold/feature_corrections"
ATTEMPTS = 20


class CorrectionsBusyError(TransientError):
    """Others wrote the table of corrections each time."""


@dataclass(frozen=True)
class Correction:
    """Commit ``version`` of ``source``, the table with ``source_id``, changed ``rows`` of ``entities`` that were there.

    Their states in ``feature_group``, of this ``fingerprint``, were made anew at ``corrected_at``.
    """

    corrected_at: datetime
    feature_group: str
    fingerprint: str
    source: str
    source_id: str
    version: int
    operation: str
    rows: int
    entities: int


def record(settings: Settings, corrections: Sequence[Correction]) -> None:
    """Note ``corrections``; one that is noted already stays as it was.

    Raises:
        CorrectionsBusyError: other writers came first every time.
    """
    target = table(CORRECTIONS)
    for attempt in range(1, ATTEMPTS + 1):
        try:
            create_table(target, settings)
            _insert_new(open_table(target, settings), target.keys, corrections)
        except CommitFailedError as error:
            if attempt == ATTEMPTS:
                raise CorrectionsBusyError(f"{target.name} was written by others each time: {error}") from error
            time.sleep(random.uniform(0.05, 1))  # noqa: S311 - so that two do not meet again and again
        else:
            return


def _insert_new(delta: DeltaTable, keys: Sequence[str], corrections: Sequence[Correction]) -> None:
    schema = pa.schema(delta.schema().to_arrow())
    rows = pa.Table.from_pylist([asdict(correction) for correction in corrections], schema)
    same = " AND ".join(f"t.{key} = s.{key}" for key in keys)
    delta.merge(rows, same, source_alias="s", target_alias="t").when_not_matched_insert_all().execute()


def newest(settings: Settings, limit: int) -> list[Correction]:
    """The ``limit`` newest corrections, newest first."""
    try:
        rows = open_table(table(CORRECTIONS), settings).to_pyarrow_table()
    except MissingTableError:
        return []
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        names = list(Correction.__dataclass_fields__)
        found = connection.from_arrow(rows).order("corrected_at DESC, version DESC, feature_group").limit(limit)
        return [Correction(*row) for row in found.select(*names).fetchall()]
