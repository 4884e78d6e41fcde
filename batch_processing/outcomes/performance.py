"""``gold/model_performance``: the days whose outcomes changed are measured again, from all their predictions."""

import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from functools import reduce

import pandas as pd
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812

from batch_processing.gold_table import replace
from batch_processing.incremental import Derivation, in_dates, pending, read_source
from batch_processing.outcome import Outcome, outcome
from batch_processing.outcomes.judged import KNOWN
from batch_processing.outcomes.measures import OUTPUTS, measures
from data_lake.delta_tables import ensure_table
from data_lake.table import Table
from data_lake.tables import table
from feature_store.definitions import Classes, Task
from ml_modeling.registry.unscored import STALE
from ml_modeling.use_case import UseCase
from tidemill.config.settings import Settings

REVISION = 2
GROUP = ("use_case", "model_run_id", "model_id", "arm", "event_date")
COUNTS = "counts"


def performance_table() -> Table:
    return table("gold/model_performance")


def measure_days(spark: SparkSession, settings: Settings, use_cases: Sequence[UseCase], full: bool) -> Outcome:
    """Bring the metrics up to the outcomes; commits nothing when no day changed. Other use cases' rows stay.

    Raises:
        SourceMissingError: no outcome was joined yet.
        ConcurrentRunError: another run wrote the table meanwhile.
    """
    source, target = table("gold/prediction_outcomes"), performance_table()
    parameters = {"revision": REVISION, **{f"of {use_case.name}": _digest(use_case) for use_case in use_cases}}
    work = pending(spark, settings, Derivation(source, target, parameters), full)
    if work.is_nothing or not use_cases:
        return outcome(target.name, work, rows=0, dates=0)
    days = "" if work.dates is None else f" AND ({in_dates('event_date', work.dates)})"
    names = ", ".join(f"'{use_case.name}'" for use_case in use_cases)
    where = f"use_case IN ({names}){days}"
    ensure_table(spark, target, settings)
    rows = performance(read_source(spark, settings, source, work).where(where), use_cases)
    written = replace(settings, target, rows, where, work.note.to_json())
    return outcome(target.name, work, written, None if work.dates is None else len(work.dates))


def _digest(use_case: UseCase) -> int:
    """Of what its metrics are computed with."""
    return zlib.crc32(f"{use_case.spec.bootstrap!r} {use_case.question.answer!r} {_decisions(use_case)}".encode())


def _decisions(use_case: UseCase) -> tuple[str, ...]:
    return tuple(getattr(use_case.spec, "decisions", ()))


def performance(outcomes: DataFrame, use_cases: Sequence[UseCase]) -> DataFrame:
    """The rows of ``gold/model_performance`` for all of ``outcomes``, which are whole days."""
    is_own = F.col("is_scored") & ~F.array_contains(F.coalesce("degraded", F.array().cast("array<string>")), STALE)
    outputs = _outputs(use_cases)
    is_whole = outputs.isNotNull() & F.forall(outputs, lambda number: number.isNotNull() & ~F.isnan(number))
    rows = outcomes.select(
        *GROUP,
        "model_version",
        "event_time",
        "source",
        "event_id",
        "entity",
        "state",
        "label",
        "decision",
        "interval",
        "event_month",
        outputs.alias(OUTPUTS),
        F.coalesce(is_own & is_whole, F.lit(False)).alias(COUNTS),
    )
    by_name = {use_case.name: use_case for use_case in use_cases}
    return rows.groupBy(*GROUP).applyInPandas(_of_group(by_name), performance_table().ddl.replace(" NOT NULL", ""))


def _outputs(use_cases: Sequence[UseCase]) -> Column:
    """What a model said, as the array of numbers that its task has."""
    return reduce(
        lambda rest, use_case: F.when(F.col("use_case") == use_case.name, _said(use_case)).otherwise(rest),
        use_cases,
        F.lit(None).cast("array<double>"),
    )


def _said(use_case: UseCase) -> Column:
    answer = use_case.question.answer
    if isinstance(answer, Classes):
        return F.array(*(F.col("scores")[name] for name in answer.names))
    return F.array("value" if answer.task is Task.REGRESSION else "score")


def _of_group(use_cases: Mapping[str, UseCase]) -> Callable[[pd.DataFrame], pd.DataFrame]:
    columns = [column.name for column in performance_table().columns]

    def measured(rows: pd.DataFrame) -> pd.DataFrame:
        """In one order, so that the same rows draw the same replicates and sum to the same last bit."""
        ordered = rows.sort_values(["event_time", "source", "event_id"], ignore_index=True)
        return pd.DataFrame(_rows(use_cases[ordered["use_case"].iloc[0]], ordered), columns=columns)

    return measured


def _rows(use_case: UseCase, ordered: pd.DataFrame) -> Iterator[dict[str, object]]:
    newest = ordered.iloc[-1]
    counts = ordered[COUNTS].astype(bool)
    known = ordered[counts & (ordered["state"] == KNOWN)]
    common = {
        **{name: newest[name] for name in (*GROUP, "model_version", "event_month")},
        "predictions": len(ordered),
        "left_out": int((~counts).sum()),
        "known": len(known),
        "entities": int(known["entity"].nunique()),
        "confidence": use_case.spec.bootstrap.confidence,
    }
    if len(known):
        for found in measures(use_case, known):
            yield {**common, **asdict(found)}
