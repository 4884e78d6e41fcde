"""What a model is to say of the future: the closed set of questions that a use case's ``labels.py`` declares one of.

Each says of whom or what it is asked and when (``moments``), and from when on its answer is known, which is all that a
split in time has to know. docs/questions.md says what they mean.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any, ClassVar

from feature_store.definitions.aggregations import Aggregation, count
from feature_store.definitions.answers import Answer, Classes, Number, Task, Threshold, YesNo
from feature_store.definitions.errors import DefinitionError, check_column
from feature_store.definitions.filters import Filter
from feature_store.definitions.group import FeatureGroup
from feature_store.definitions.source import Entity, Source

DAY = timedelta(days=1)
YES_NO = YesNo()
Reads = tuple[tuple[Source, tuple[str, ...]], ...]


class Moments(StrEnum):
    """When a question is asked: of entities at the cutoffs of ``model.yaml``, or of events at their own time."""

    CUTOFFS = "cutoffs"
    EVENTS = "events"


@dataclass(frozen=True)
class Absence:
    """Yes when an active entity has no event within ``horizon`` after the cutoff.

    An entity is active that had an event within ``active`` before the cutoff. Events are those of ``source`` that pass
    ``filters``. One at the cutoff itself counts as after it.
    """

    entity: Entity
    source: Source
    active: timedelta
    horizon: timedelta
    filters: tuple[Filter, ...] = ()
    moments: ClassVar[Moments] = Moments.CUTOFFS
    answer: ClassVar[Answer] = YES_NO

    def __post_init__(self) -> None:
        _check_asked("Absence", self.entity, self.source, self.filters)
        _check_days("Absence.active", self.active)
        _check_days("Absence.horizon", self.horizon)

    @property
    def group(self) -> FeatureGroup:
        """The events that it looks for, as a feature group counts them."""
        return FeatureGroup("event", self.entity, self.source, (count(),), (self.horizon,), self.filters)

    @property
    def reads(self) -> Reads:
        """The columns it needs of each source, beside those that the source itself names."""
        return ((self.source, (self.group.entity_column, *self.group.columns)),)


@dataclass(frozen=True)
class FutureAggregate:
    """An aggregation of the events within ``horizon`` after the cutoff, of entities that are active as in Absence.

    Who has no value, such as a mean over no event, has no label; sums and counts over none are 0.
    """

    entity: Entity
    source: Source
    aggregation: Aggregation
    active: timedelta
    horizon: timedelta
    answer: Answer
    filters: tuple[Filter, ...] = ()
    moments: ClassVar[Moments] = Moments.CUTOFFS

    def __post_init__(self) -> None:
        _check_asked("FutureAggregate", self.entity, self.source, self.filters)
        _check_days("FutureAggregate.active", self.active)
        _check_days("FutureAggregate.horizon", self.horizon)
        if not isinstance(self.aggregation, Aggregation):
            raise DefinitionError(
                f'FutureAggregate.aggregation: {self.aggregation!r} is no aggregation: write column("amount").sum()'
            )
        if self.aggregation.windows:
            raise DefinitionError("FutureAggregate.aggregation: it has windows; its only one is the horizon: leave out")
        if len(self.aggregation.arguments) > 1:
            raise DefinitionError("FutureAggregate.aggregation: it has several values, and a label is one")
        _check_answer("FutureAggregate", self.answer, (Number, Threshold, Classes))
        if isinstance(self.answer, Classes) and not self.answer.edges:
            raise DefinitionError("FutureAggregate.answer: Classes of a number need edges")

    @property
    def group(self) -> FeatureGroup:
        """The aggregation as the one feature of a group: at the end of the horizon its window is the horizon."""
        return FeatureGroup("future", self.entity, self.source, (self.aggregation,), (self.horizon,), self.filters)

    @property
    def reads(self) -> Reads:
        """The columns it needs of each source, beside those that the source itself names."""
        return ((self.source, (self.group.entity_column, *self.group.columns)),)


@dataclass(frozen=True)
class Outcome:
    """What a later event says of this one: the verdict on a payment. It is known from the verdict's own time on.

    Each event of ``events`` is asked about at its own time. Its answer is the column ``label`` of the first event of
    ``of`` that has the same ``key``; what is said later of the same event changes nothing, and one that was spoken of
    before it happened is not asked about. ``entity`` is whose events are not independent of each other.
    """

    entity: Entity
    events: Source
    of: Source
    key: str
    label: str
    answer: Answer = YES_NO
    filters: tuple[Filter, ...] = ()
    moments: ClassVar[Moments] = Moments.EVENTS

    def __post_init__(self) -> None:
        _check_asked("Outcome", self.entity, self.events, self.filters)
        if not isinstance(self.of, Source):
            raise DefinitionError(f"Outcome.of: {self.of!r} is no Source of the events that have the answer")
        check_column("Outcome.key", self.key)
        check_column("Outcome.label", self.label)
        _check_answer("Outcome", self.answer, (YesNo, Number, Threshold, Classes))

    @property
    def entity_column(self) -> str:
        """The events' column that holds the entity's key."""
        return self.events.entity_column or self.entity.key

    @property
    def reads(self) -> Reads:
        """The columns it needs of each source, beside those that the source itself names."""
        asked = (self.entity_column, self.key, *(one.column for one in self.filters))
        return ((self.events, asked), (self.of, (self.key, self.label)))


@dataclass(frozen=True)
class Own:
    """Anything else: ``rows`` makes the labelled rows.

    It is called with the Spark DataFrames of ``sources``, in their order, and returns one with the columns of the
    entities and inputs that the features need, ``event_timestamp`` (when the row is asked about), ``label`` and
    ``matured_at`` (from when on the label is known), and ``row_key``, a text that no other row has.
    """

    entity: Entity
    sources: tuple[Source, ...]
    rows: Callable[..., Any]
    answer: Answer
    moments: ClassVar[Moments] = Moments.EVENTS

    def __post_init__(self) -> None:
        if not isinstance(self.entity, Entity):
            raise DefinitionError(f"Own.entity: {self.entity!r} is no Entity")
        if not isinstance(self.sources, tuple) or not self.sources:
            raise DefinitionError(f"Own.sources: {self.sources!r} is no tuple of at least one Source")
        for source in self.sources:
            if not isinstance(source, Source):
                raise DefinitionError(f"Own.sources: {source!r} is no Source")
        if not callable(self.rows):
            raise DefinitionError(f"Own.rows: {self.rows!r} is no function of {len(self.sources)} DataFrames")
        _check_answer("Own", self.answer, (YesNo, Number, Threshold, Classes))

    @property
    def reads(self) -> Reads:
        """Its sources; which columns it needs only the function knows."""
        return tuple((source, ()) for source in self.sources)


Question = Absence | FutureAggregate | Outcome | Own
KINDS = (Absence, FutureAggregate, Outcome, Own)


def task_of(question: Question) -> Task:
    return question.answer.task


def _check_asked(kind: str, entity: Entity, source: Source, filters: tuple[Filter, ...]) -> None:
    if not isinstance(entity, Entity):
        raise DefinitionError(f'{kind}.entity: {entity!r} is no Entity: write Entity("user", "user_id")')
    if not isinstance(source, Source):
        raise DefinitionError(f'{kind}: {source!r} is no Source: write Source("silver/<noun>")')
    if not isinstance(filters, tuple) or not all(isinstance(one, Filter) for one in filters):
        raise DefinitionError(f'{kind}.filters: {filters!r} is no tuple of filters: write (column("kind") == "x",)')


def _check_days(field: str, duration: timedelta) -> None:
    if not isinstance(duration, timedelta):
        raise DefinitionError(f"{field}: {duration!r} is no duration: write days(90)")
    if duration < DAY or duration % DAY:
        raise DefinitionError(f"{field}: {duration} is not whole days, and cutoffs are starts of days: write days(...)")


def _check_answer(kind: str, answer: Answer, allowed: tuple[type, ...]) -> None:
    if not isinstance(answer, allowed):
        known = ", ".join(one.__name__ for one in allowed)
        raise DefinitionError(f"{kind}.answer: {answer!r} is none of {known}")
