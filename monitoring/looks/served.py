"""What a model answered in a window, from the log of predictions: a profile, a bounded sample, and counts."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import duckdb
import numpy as np
import pyarrow as pa

from data_lake import arrow
from data_lake.delta_rs import MissingTableError, open_table
from data_lake.tables import silver
from ml_modeling.registry import ModelIdentity
from ml_modeling.registry.served import Serving
from ml_modeling.replay.logged import PREDICTIONS, Flags, LoggedAnswers, answered_only, logged_answers
from monitoring.looks.columns import batch_of
from monitoring.profiles import UNIT, RowSample, TableDefinition, TableProfile
from tidemill.config.settings import Settings

EARLIER_WINDOWS = 28
SEED = 0


@dataclass(frozen=True)
class Counts:
    """Answers of the use case in the window, and how many of them were judged.

    ``unscored`` were for a cold start, ``others`` are another model's, ``lacking`` were made from other features than
    the model's, ``stale`` from old ones. The rest were ``repeated``: about somebody who was judged in the window.
    """

    answers: int = 0
    judged: int = 0
    unscored: int = 0
    others: int = 0
    lacking: int = 0
    stale: int = 0

    @property
    def repeated(self) -> int:
        return self.answers - self.judged - self.unscored - self.others - self.lacking - self.stale

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(
            self.answers + other.answers,
            self.judged + other.judged,
            self.unscored + other.unscored,
            self.others + other.others,
            self.lacking + other.lacking,
            self.stale + other.stale,
        )


@dataclass(frozen=True)
class Window:
    """From ``begin`` to before ``end``, both aware."""

    begin: datetime
    end: datetime

    @property
    def length(self) -> timedelta:
        return self.end - self.begin


@dataclass(frozen=True)
class Served:
    """``profile`` and ``sample`` are of the answers that count. ``volumes`` are all answers of earlier windows.

    The profile's ``rows`` are all answers, and its ``latest`` the newest, whoever gave it: how many customers ask is
    not up to the model. Without a ``latest`` nobody has asked for as long as is looked back.
    """

    profile: TableProfile
    sample: RowSample
    counts: Counts
    volumes: Sequence[int] = ()


def served(  # noqa: PLR0913 - what is looked at, and how
    settings: Settings,
    spec: Serving,
    identity: ModelIdentity,
    window: Window,
    definition: TableDefinition,
    *,
    once_each: bool,
) -> Served:
    """The answers of ``identity`` in the window, profiled by ``definition``: the features, then what was said.

    With ``once_each`` the first about each entity counts alone: whoever is asked about a hundred times a day has a
    hundred times nearly the same features. The sample says in :data:`UNIT` whom a row is about.
    """
    profile = TableProfile.empty(definition)
    random = np.random.default_rng(SEED)
    sample = RowSample.of(_none(definition), settings.drift.sample_rows, random)
    counts, last = Counts(), ""
    try:
        for answers in logged_answers(settings, spec, identity, window.begin, window.end, by_entity=once_each):
            own = answers.where(_is_judged(answers))
            if once_each and len(own):
                last, own = own.entity_ids[-1], own.where(_is_another(own.entity_ids, last))
            counts += _counted(answers, len(own))
            batch = batch_of(np.hstack([own.matrix, own.answers]), definition)
            profile.update(batch)
            rows = pa.Table.from_batches([batch]).append_column(UNIT, pa.array(own.entity_ids, pa.string()))
            sample = sample.merge(RowSample.of(rows, settings.drift.sample_rows, random))
        earlier = _earlier(settings, spec.use_case, window)
    except MissingTableError:  # nobody was answered yet
        return Served(profile, sample, counts)
    return Served(replace(profile, rows=counts.answers, latest=earlier.latest), sample, counts, earlier.volumes)


def _is_judged(answers: LoggedAnswers) -> Flags:
    return answers.is_scored & answers.is_own & answers.is_whole & ~answers.is_stale


def _is_another(entity_ids: Sequence[str], before: str) -> Flags:
    """Where somebody else begins, after ``before``."""
    ids = np.array([before, *entity_ids], dtype=object)
    is_another: Flags = ids[1:] != ids[:-1]
    return is_another


def _counted(answers: LoggedAnswers, judged: int) -> Counts:
    of_model = answers.is_scored & answers.is_own
    return Counts(
        answers=len(answers),
        judged=judged,
        unscored=int((~answers.is_scored).sum()),
        others=int((answers.is_scored & ~answers.is_own).sum()),
        lacking=int((of_model & ~answers.is_whole).sum()),
        stale=int((of_model & answers.is_whole & answers.is_stale).sum()),
    )


def _none(definition: TableDefinition) -> pa.Table:
    rows = pa.Table.from_batches([batch_of(np.empty((0, len(definition.columns))), definition)])
    return rows.append_column(UNIT, pa.array([], pa.string()))


@dataclass(frozen=True)
class _Earlier:
    latest: datetime | None
    volumes: Sequence[int]


def _earlier(settings: Settings, use_case: str, window: Window) -> _Earlier:
    """The rows of whole windows before this one, as far back as the use case was asked, and its latest answer."""
    delta = open_table(silver(PREDICTIONS), settings)
    first = window.begin - EARLIER_WINDOWS * window.length
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.register("log", arrow.source(delta))
        params = [window.begin, window.length.total_seconds(), use_case, first, window.end]
        rows = connection.execute(COUNTS.format(answered_only=answered_only(delta)), params).fetchall()
    by_window = {int(back): int(count) for back, count, _ in rows}
    oldest = max((back for back in by_window if back > 0), default=0)
    # The oldest may have begun before the first answer, and so be no whole one.
    volumes = [by_window.get(back, 0) for back in range(1, oldest)]
    return _Earlier(max((latest for _, _, latest in rows), default=None), volumes)


COUNTS = """
    SELECT ceil(epoch(? - event_time) / ?) AS back, count(*), max(event_time)
    FROM log
    WHERE use_case = ? AND event_time >= ? AND event_time < ? AND {answered_only}
    GROUP BY back
"""
