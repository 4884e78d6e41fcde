"""Questions that are asked of events at their own time: outcomes, and a use case's own."""

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F  # noqa: N812
from pyspark.sql.types import DataType, TimestampType

from feature_store.definitions import Entity, FeatureService, Outcome, Own, Source
from feature_store.offline.training import EVENT_TIMESTAMP
from ml_modeling.questions.filters import passing
from ml_modeling.questions.lake import QuestionError, Tables
from ml_modeling.questions.rows import KEY, LABEL, MATURED, RESERVED, answered

FOUND = "__found"


def labelled_events(tables: Tables, question: Outcome | Own, service: FeatureService) -> DataFrame:
    """One row an event that has its label: keys and inputs of ``service``, and the columns of labelled rows.

    Raises:
        QuestionError: the events lack what the features need of them, or a label is of another type.
    """
    if isinstance(question, Outcome):
        return with_verdicts(asked_events(tables, question, service), verdicts(tables, question))
    return _own(tables, question, needed_columns(question.entity, service))


def needed_columns(entity: Entity, service: FeatureService) -> list[str]:
    """The columns that the features of a row are asked with."""
    names = list(dict.fromkeys([entity.key, *service.keys, *(given.name for given in service.inputs)]))
    if taken := [name for name in names if name.lower() in RESERVED]:
        raise QuestionError(
            f"{service.name}: an entity or input called {', '.join(taken)} is a column of labelled rows"
        )
    return names


def asked_events(tables: Tables, question: Outcome, service: FeatureService) -> DataFrame:
    """One row an event that is asked about, whether or not it has its label: keys, inputs, its time and its key.

    Raises:
        QuestionError: the events lack what the features need of them.
    """
    events = tables.rows(question.events)
    columns = {name: _asked_with(events, question, service, name) for name in needed_columns(question.entity, service)}
    asked = events.where(passing(question.filters, events, question.events) & F.col(question.entity_column).isNotNull())
    return _first(asked, question.events, question.key, EVENT_TIMESTAMP, columns)


def verdicts(tables: Tables, question: Outcome) -> DataFrame:
    """One row a key that was spoken of: what was said first, and when.

    Raises:
        QuestionError: a label is of another type than the answer.
    """
    said = tables.rows(question.of)
    label = answered(question.answer, F.col(question.label), said.schema[question.label].dataType, _where(question))
    return _first(said, question.of, question.key, MATURED, {LABEL: label})


def with_verdicts(happened: DataFrame, said: DataFrame) -> DataFrame:
    """The events that have their label: one that was spoken of before it happened has none."""
    both = happened.join(said, KEY)
    return both.where((F.col(MATURED) > F.col(EVENT_TIMESTAMP)) & F.col(LABEL).isNotNull())


def _where(question: Outcome) -> str:
    return f"{question.of.table}: {question.label}"


def _asked_with(events: DataFrame, question: Outcome, service: FeatureService, name: str) -> Column:
    """The events' column for an entity or an input of the service."""
    source = question.events
    keys = {group.entity.key: group.entity_column for group in service.groups if group.source == source}
    column = {question.entity.key: question.entity_column, **keys}.get(name, name)
    if column not in events.columns:
        raise QuestionError(
            f"{source.table} has no column {column}, which the features of {service.name} are asked with"
        )
    return F.col(column)


def _first(rows: DataFrame, source: Source, key: str, time: str, columns: dict[str, Column]) -> DataFrame:
    """``columns`` and ``time`` of the first row of each key; of equal times the first by the tie-breaker."""
    at = F.col(source.event_time)
    named = [column.alias(name) for name, column in columns.items()]
    found = F.min_by(F.struct(at.alias(time), *named), F.struct(at, *source.tie_breaker))
    firsts = rows.where(F.col(key).isNotNull()).groupBy(F.col(key).cast("string").alias(KEY)).agg(found.alias(FOUND))
    return firsts.select(KEY, f"{FOUND}.*")


def _own(tables: Tables, question: Own, needed: Sequence[str]) -> DataFrame:
    where = f"{question.rows.__module__}.{question.rows.__name__}"
    rows = question.rows(*(tables.rows(source) for source in question.sources))
    if not isinstance(rows, DataFrame):
        raise QuestionError(f"{where} returns {type(rows).__name__}, not a Spark DataFrame of labelled rows")
    wanted = [*needed, EVENT_TIMESTAMP, MATURED, LABEL, KEY]
    if missing := [name for name in wanted if name not in rows.columns]:
        raise QuestionError(f"{where} returns no column {', '.join(missing)}; it has {', '.join(rows.columns)}")
    for name in (EVENT_TIMESTAMP, MATURED):
        _check_type(where, name, rows.schema[name].dataType)
    label = answered(question.answer, F.col(LABEL), rows.schema[LABEL].dataType, f"{where}: {LABEL}")
    labelled = rows.select(*needed, EVENT_TIMESTAMP, MATURED, label.alias(LABEL), F.col(KEY).cast("string").alias(KEY))
    known = labelled.where(F.col(LABEL).isNotNull())
    early = known.where(F.col(MATURED).isNull() | (F.col(MATURED) <= F.col(EVENT_TIMESTAMP))).head(1)
    if early:
        raise QuestionError(
            f"{where}: the label of row {early[0][KEY]!r} is known at {early[0][MATURED]}, not after the row is asked "
            f"about ({early[0][EVENT_TIMESTAMP]}): {MATURED} is when the last event was that the label is made of"
        )
    return known


def _check_type(where: str, name: str, kind: DataType) -> None:
    if not isinstance(kind, TimestampType):
        raise QuestionError(f"{where}: column {name} is {kind.simpleString()}, and should be a timestamp")
