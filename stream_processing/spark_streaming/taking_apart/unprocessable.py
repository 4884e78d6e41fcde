"""Messages that kill or hang what processes them: found, put into quarantine as they arrived, and left out later.

docs/adr/0018 says why they are looked for in other processes.
"""

from collections.abc import Callable
from functools import partial
from uuid import uuid4

from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812

from data_lake import tables
from data_lake.hadoop_files import remove
from data_lake.table import Table
from data_lake.tables import FIRST_GENERATION
from stream_processing.spark_streaming.queries.query import checkpoint
from stream_processing.spark_streaming.queries.states import QueryStates, State
from stream_processing.spark_streaming.silver.insert import insert_new
from stream_processing.spark_streaming.silver.split import quarantined
from stream_processing.spark_streaming.silver.summary import quarantine_files
from stream_processing.spark_streaming.taking_apart import trial
from stream_processing.spark_streaming.taking_apart.halving import TRIES, Position, TakingApart
from stream_processing.spark_streaming.taking_apart.offset_ranges import Part, ranges_of, within
from tidemill.config.settings import Settings
from tidemill.contracts.checker import Reason

DETAIL = f": killed or hung {TRIES} times the process that tried it, alone"


class Unprocessable:
    """Those of ``topic``; ``states`` are told of the search."""

    def __init__(self, settings: Settings, topic: str, states: QueryStates) -> None:
        self._settings = settings
        self._topic = topic
        self._states = states
        self._name = f"silver/{topic}"
        self._scratch = f"{checkpoint(settings, self._name)}/trial"

    def take_apart(self, messages: DataFrame, batch_id: int, write: Callable[[DataFrame], None]) -> None:
        """Hand the batch ``messages`` to ``write`` in parts, but for those that go to quarantine.

        Raises:
            TrialImpossibleError: no message can be blamed.
            TrialFailedError: a trial was ended by what has nothing to do with messages.
        """
        spark = messages.sparkSession

        def passes(part: Part, share: float) -> bool:
            """On tables of its own: what a trial left that was killed is no part of the next one."""
            try:
                return trial.passes(self._settings, self._topic, f"{self._scratch}/{uuid4().hex}", part, share)
            finally:
                remove(spark, self._scratch)

        def report(sentence: str) -> None:
            why = f"batch {batch_id} of {self._name} killed or hung the application {TRIES} times and is taken apart"
            self._states.set(self._name, State.SEARCHING, f"{why}: {sentence}")

        def write_part(part: Part) -> None:
            self._states.set(self._name, State.RUNNING)
            write(messages.where(within(part)))

        position = Position(spark, self._settings, self._name)
        apart = TakingApart(passes, write_part, partial(self._condemn, messages), position, report)
        apart.settle(batch_id, ranges_of(messages))
        self._states.set(self._name, State.RUNNING)

    def left_out(self, messages: DataFrame) -> DataFrame:
        """``messages`` without those that quarantine has as unprocessable already."""
        quarantine = messages.sparkSession.read.format("delta").load(self._quarantine.path(self._settings))
        known = quarantine.where((F.col("reason") == str(Reason.UNPROCESSABLE)) & within(ranges_of(messages)))
        keys = known.select(*(F.col(key).alias(f"_known_{key}") for key in self._quarantine.keys))
        generation = F.coalesce(messages["generation"], F.lit(FIRST_GENERATION))
        of_message = {"generation": generation, **{key: messages[key] for key in ("partition", "offset")}}
        is_known = [of_message[key] == keys[f"_known_{key}"] for key in self._quarantine.keys]
        return messages.join(F.broadcast(keys), is_known, "left_anti")

    @property
    def _quarantine(self) -> Table:
        return tables.quarantine(self._topic)

    def _condemn(self, messages: DataFrame, part: Part) -> None:
        """Insert those of ``messages`` in ``part``, as they arrived, into quarantine."""
        rows = messages.where(within(part))
        days = [row["ingest_date"] for row in rows.select("ingest_date").distinct().collect()]
        if days:
            condemned = quarantined(rows, self._quarantine, Reason.UNPROCESSABLE, F.lit(DETAIL))
            insert_new(condemned, self._quarantine, quarantine_files(days), self._settings)
