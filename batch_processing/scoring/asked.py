"""The events that a model is asked about: a row each, with what its features are asked with."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import reduce

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812

from batch_processing.scoring.window import Window
from feature_store.definitions import FeatureGroup, FeatureService, Outcome
from feature_store.lake.silver import silver_events
from feature_store.lake.spans import ENTITY, TIME
from feature_store.offline.training import EVENT_TIMESTAMP
from ml_modeling.questions import KEY, Tables
from ml_modeling.questions.events import asked_events
from ml_modeling.use_case import UseCase
from tidemill.config.settings import Settings

IS_KNOWN = "is_known"
FIRST = "first_event"


@dataclass(frozen=True)
class Lake:
    """The tables as a scoring reads them: each at one version."""

    spark: SparkSession
    settings: Settings
    versions: Mapping[str, int]


def asked_rows(lake: Lake, question: Outcome, service: FeatureService, window: Window) -> DataFrame:
    """The events of the window, of which a request could bring all that the features ask for.

    A row has its keys, inputs, ``event_timestamp`` and ``row_key``, and whether it ``is_known``: whether its entity had
    an event before the row's time, in any table that the features are made from. Of nobody else does the online store
    have a state.
    """
    tables = Tables(lake.spark, lake.settings, lake.versions)
    events = asked_events(tables, question, service)
    at, columns = F.col(EVENT_TIMESTAMP), [*service.keys, *(given.name for given in service.inputs)]
    rows = events.where((at >= F.lit(window.begin)) & (at < F.lit(window.end))).dropna(subset=columns)
    for number, group in enumerate(_readings(service)):
        rows = _with_first(rows, _events_of(lake, group), group.entity.key, f"{FIRST}_{number}")
    firsts = [F.col(f"{FIRST}_{number}") for number, _ in enumerate(_readings(service))]
    known = reduce(Column.__or__, (F.coalesce(first < F.unix_micros(at), F.lit(False)) for first in firsts))
    return rows.select(*columns, EVENT_TIMESTAMP, KEY, known.alias(IS_KNOWN))


def _with_first(rows: DataFrame, events: DataFrame, key: str, name: str) -> DataFrame:
    """``rows`` and when each one's entity had its first event, null where it never had any."""
    firsts = events.groupBy(F.col(ENTITY).alias(name + ENTITY)).agg(F.min(TIME).alias(name))
    return rows.join(firsts, F.col(key).cast("string") == F.col(name + ENTITY), "left").drop(name + ENTITY)


def _readings(service: FeatureService) -> list[FeatureGroup]:
    """A group for each table and entity: others that read the same events differ in what they count of them."""
    first = {(group.source.table, group.entity_column): group for group in reversed(service.groups)}
    return list(first.values())


def _events_of(lake: Lake, group: FeatureGroup) -> DataFrame:
    return silver_events(lake.spark, lake.settings, group, lake.versions[group.source.table])


def tables_read(use_case: UseCase) -> Iterator[str]:
    """The names of the tables that a scoring reads, each once."""
    of_features = [group.source.table for group in use_case.service.groups]
    question = use_case.question
    of_question = [question.events.table] if isinstance(question, Outcome) else []
    yield from dict.fromkeys([*of_question, *of_features])
