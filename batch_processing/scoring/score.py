"""Scores every entity of a use case at a time, or every event of a range, into ``gold/scores``.

``tidemill models score USE_CASE`` does so; by spark-submit, from a clone, it is
``tidemill submit batch_processing/scoring/score.py USE_CASE [--at TIME] [--from TIME --to TIME] [--version N]``.
"""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime

import click
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812

from batch_processing.gold_table import replace
from batch_processing.scoring.answers import FIELDS, FIELDS_DDL, answering
from batch_processing.scoring.asked import IS_KNOWN, Lake, asked_rows, tables_read
from batch_processing.scoring.model import StoredModel, check_features, stored_model
from batch_processing.scoring.scoring import SCORES, Scoring, rows_there, sources_of
from batch_processing.scoring.window import Window, window_of
from data_lake.delta_tables import ensure_table
from data_lake.job import report, stopped_session
from data_lake.tables import table
from feature_store.definitions import FeatureService, Outcome, Source
from feature_store.offline.snapshot import taken_at
from feature_store.offline.training import EVENT_TIMESTAMP, training_frame
from ml_modeling.questions import KEY
from ml_modeling.use_case import UseCase, load_use_case
from tidemill.config.settings import Settings
from tidemill.config.times import TIMES


@dataclass(frozen=True)
class Scored:
    """What a run did: ``rows`` are those of the scoring; ``is_new`` is false where they were there before it."""

    use_case: str
    begin: str
    end: str
    version: str
    run_id: str
    model_id: str
    scoring_id: str
    rows: int
    is_new: bool
    scoring_s: float
    rows_a_second: float


Session = Callable[[], AbstractContextManager[SparkSession]]


def score(settings: Settings, use_case: UseCase, window: Window, version: str | None, session: Session) -> Scored:
    """Score ``window`` with ``version`` (None: the champion); nothing is done when that is in the lake already.

    A session is opened only when there is something to do.

    Raises:
        NoModelError: there is no champion, and no version was named.
        MlflowMissingError: there is no such version.
        UnreadableModelError: its files are not those that were trained, or none that this project can serve.
        ModelFeaturesError: it learnt from other features than there are.
        NoDataError: a table of the features does not exist.
        ConcurrentRunError: another run wrote scores meanwhile, so that nothing of this one was committed.
    """
    stored = stored_model(settings, use_case.name, version)
    model = stored.load()
    check_features(model, use_case)
    sources = sources_of(settings, tables_read(use_case))
    scoring = Scoring(use_case.name, window, stored.model, use_case.service.fingerprint, sources)
    there = rows_there(settings, scoring)
    if there is not None:
        return _scored(scoring, there, None)
    with session() as spark:
        ensure_table(spark, table(SCORES), settings)
        began = time.perf_counter()
        answers = answered(Lake(spark, settings, scoring.versions), use_case, window, stored)
        rows = replace(settings, table(SCORES), as_table(answers, scoring, use_case), scoring.where, scoring.id)
        seconds = time.perf_counter() - began
    stored.cache.note(model)
    return _scored(scoring, rows, seconds)


def answered(lake: Lake, use_case: UseCase, window: Window, stored: StoredModel) -> DataFrame:
    """Whom the model was asked about, and what it said; ``features_as_of`` is null of those it does not know."""
    question, service = use_case.question, use_case.service
    if isinstance(question, Outcome):
        answers = _of_events(lake, question, service, window, stored)
    else:
        answers = _of_entities(lake, service, window, stored)
    return answers.withColumn("features_as_of", F.when(F.col(IS_KNOWN), F.lit(_known_until(lake, use_case))))


def _of_events(
    lake: Lake, question: Outcome, service: FeatureService, window: Window, stored: StoredModel
) -> DataFrame:
    asked = asked_rows(lake, question, service, window)
    frame = training_frame(asked, service, lake.settings, versions=lake.versions)
    kept = [*service.keys, EVENT_TIMESTAMP, KEY, IS_KNOWN]
    kinds = ", ".join(f"`{name}` {frame.schema[name].dataType.simpleString()}" for name in kept)
    return frame.mapInArrow(answering(stored, kept), f"{kinds}, {FIELDS_DDL}")


def _of_entities(lake: Lake, service: FeatureService, window: Window, stored: StoredModel) -> DataFrame:
    """Of everybody with an event before the moment that the window begins with; answered where features are made."""
    taken = taken_at(lake.spark, lake.settings, service, window.begin, versions=lake.versions)
    features, said = taken.features, answering(stored, [taken.key])
    answers = taken.events.mapInArrow(lambda batches: said(features(batches)), f"`{taken.key}` STRING, {FIELDS_DDL}")
    return answers.withColumns({EVENT_TIMESTAMP: F.lit(window.begin), KEY: F.col(taken.key), IS_KNOWN: F.lit(True)})


def _known_until(lake: Lake, use_case: UseCase) -> datetime | None:
    """What the lake had learnt by then is in the features, of whichever table; None while one of them is empty."""
    sources = {group.source.table: group.source for group in use_case.service.groups}
    newest = [_newest(lake, source) for source in sources.values()]
    known = [moment for moment in newest if moment is not None]
    return min(known) if len(known) == len(newest) else None


def _newest(lake: Lake, source: Source) -> datetime | None:
    reader = lake.spark.read.format("delta").option("versionAsOf", lake.versions[source.table])
    rows = reader.load(table(source.table).path(lake.settings))
    newest: datetime | None = rows.agg(F.max(source.known_time)).first()[0]  # type: ignore[index]
    return newest


def as_table(answers: DataFrame, scoring: Scoring, use_case: UseCase) -> DataFrame:
    """``answers`` as rows of ``gold/scores``."""
    keys = use_case.service.keys
    entities = [column for key in keys for column in (F.lit(key), F.col(key).cast("string"))]
    identity = scoring.model.identity
    constants: dict[str, Column] = {
        "use_case": F.lit(scoring.use_case),
        "model_version": F.lit(scoring.model.version),
        "model_run_id": F.lit(identity.run_id),
        "model_id": F.lit(identity.model_id),
        "feature_fingerprint": F.lit(scoring.fingerprint),
        "scoring_id": F.lit(scoring.id),
    }
    return answers.select(
        F.to_date(EVENT_TIMESTAMP).alias("scored_date"),
        F.col(EVENT_TIMESTAMP).alias("scored_at"),
        F.col(use_case.question.entity.key).cast("string").alias("entity_id"),
        F.create_map(*entities).alias("entities"),
        KEY,
        *FIELDS,
        (~F.col(IS_KNOWN)).alias("is_cold_start"),
        "features_as_of",
        *(value.alias(name) for name, value in constants.items()),
    )


def _scored(scoring: Scoring, rows: int, seconds: float | None) -> Scored:
    return Scored(
        use_case=scoring.use_case,
        begin=scoring.window.begin.isoformat(),
        end=scoring.window.end.isoformat(),
        version=scoring.model.version,
        run_id=scoring.model.identity.run_id,
        model_id=scoring.model.identity.model_id,
        scoring_id=scoring.id,
        rows=rows,
        is_new=seconds is not None,
        scoring_s=round(seconds or 0.0, 3),
        rows_a_second=round(rows / seconds, 1) if seconds else 0.0,
    )


@click.command()
@click.argument("use_case")
@click.option("--at", type=click.DateTime(TIMES), help="Entities as of this time, UTC. [default: now]")
@click.option("--from", "begin", type=click.DateTime(TIMES), help="Events from this time on, UTC.")
@click.option("--to", "end", type=click.DateTime(TIMES), help="Events before this time, UTC.")
@click.option("--version", help="The version that scores. [default: the champion]")
def main(use_case: str, at: datetime | None, begin: datetime | None, end: datetime | None, version: str | None) -> None:
    """Score USE_CASE; the last line printed is a JSON object."""
    name = f"score {use_case}"

    def work(settings: Settings) -> Scored:
        defined = load_use_case(use_case)
        window = window_of(use_case, defined.question, at, begin, end)
        return score(settings, defined, window, version, lambda: stopped_session(name, settings))

    report(name, work)


if __name__ == "__main__":
    main()
