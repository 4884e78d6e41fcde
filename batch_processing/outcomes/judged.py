"""What came true of predictions: the use case's own question, asked of each as of its time."""

from datetime import UTC, datetime, timedelta

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F  # noqa: N812

from batch_processing.outcomes.matching import EVENT_KEY, NAMED_WITHIN, PREDICTION, matched
from feature_store.definitions import Absence, FutureAggregate, Outcome, Own
from ml_modeling.questions import EVENT_TIMESTAMP, KEY, LABEL, MATURED, Tables
from ml_modeling.questions.asked import labelled_when_asked
from ml_modeling.questions.events import asked_events, labelled_events, verdicts, with_verdicts
from ml_modeling.questions.rows import later
from ml_modeling.use_case import UseCase

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
REPEATS_WITHIN = timedelta(days=31)
"""Of events with one key the first is asked about: looked for in so long a time before."""
PENDING, KNOWN, NOT_ASKED = "pending", "known", "not_asked"
"""What is known of a prediction: nothing yet; its label; that the question is not asked of it.

In the order of letters pending is the last, so that a file without a pending row is known by its statistics.
"""


def judged(tables: Tables, use_case: UseCase, asked: DataFrame, known_until: datetime) -> DataFrame:
    """``asked`` (predictions) with ``state``, ``due_at``, ``event_key`` and ``label``.

    A label counts that was known by ``known_until`` (aware). ``due_at`` is from when on it is; null while nobody knows.
    """
    question = use_case.question
    if isinstance(question, Absence | FutureAggregate):
        return _of_entities(tables, question, asked, known_until)
    return _of_events(tables, use_case, question, asked, known_until)


def _of_entities(
    tables: Tables, question: Absence | FutureAggregate, asked: DataFrame, known_until: datetime
) -> DataFrame:
    due = later(F.col(EVENT_TIMESTAMP), question.horizon)
    is_over = due <= F.lit(known_until)
    over = asked.where(is_over & F.col(question.entity.key).isNotNull())
    around = _reach(over, question.active, question.horizon)
    labels = labelled_when_asked(tables.between(*around), question, over).select(KEY, LABEL)
    return _columns(asked.join(labels, KEY, "left"), is_over, due, F.lit(None).cast("string"))


def _of_events(
    tables: Tables, use_case: UseCase, question: Outcome | Own, asked: DataFrame, known_until: datetime
) -> DataFrame:
    if isinstance(question, Outcome):
        begin, end = _reach(asked, NAMED_WITHIN + REPEATS_WITHIN, NAMED_WITHIN)
        events = asked_events(tables.between(begin, end), question, use_case.service)
        labelled = with_verdicts(events, verdicts(tables.between(begin, None), question))
    else:
        events = labelled = labelled_events(tables, question, use_case.service)
    about = matched(asked, events, use_case.service).withColumnRenamed(PREDICTION, KEY)
    labels = labelled.select(F.col(KEY).alias(EVENT_KEY), LABEL, MATURED)
    rows = asked.join(about, KEY, "left").join(labels, EVENT_KEY, "left")
    return _columns(rows, F.col(MATURED) <= F.lit(known_until), F.col(MATURED), F.col(EVENT_KEY))


def _columns(rows: DataFrame, is_over: Column, due: Column, event_key: Column) -> DataFrame:
    label = F.when(is_over, F.col(LABEL).cast("double"))
    state = F.when(label.isNotNull(), KNOWN).when(is_over, NOT_ASKED).otherwise(PENDING)
    return rows.withColumns({"state": state, "due_at": due, EVENT_KEY: event_key, LABEL: label})


def _reach(asked: DataFrame, before: timedelta, after: timedelta) -> tuple[datetime, datetime]:
    """The times that the events of ``asked`` lie between; without any, an empty span."""
    at = F.unix_micros(EVENT_TIMESTAMP)
    first, last = asked.agg(F.min(at), F.max(at)).collect()[0]
    if first is None:
        return EPOCH, EPOCH
    return EPOCH + timedelta(microseconds=first) - before, EPOCH + timedelta(microseconds=last + 1) + after
