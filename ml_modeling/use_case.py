"""A use case as training sees it: its question, its features and its specification, read from its folder."""

import difflib
import hashlib
import importlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

from data_lake.tables import table
from feature_store import catalog
from feature_store.definitions import (
    Absence,
    Classes,
    FeatureService,
    FutureAggregate,
    Outcome,
    Own,
    Question,
    Source,
)
from ml_modeling.candidates.own_estimators import FILE as ESTIMATORS_FILE
from ml_modeling.candidates.own_estimators import own_estimators
from ml_modeling.candidates.pipelines import Recipe
from ml_modeling.fairness.declared import check_fairness
from ml_modeling.registry.served import MAX_DECISION
from ml_modeling.specification import (
    Cutoffs,
    FeatureBaseline,
    ModelSpec,
    MulticlassSpec,
    Periods,
    SpecificationError,
    read_specification,
)
from ml_modeling.tasks import TaskKind, task_of
from tidemill.config.errors import TerminalError
from tidemill.config.project import TRAINED as FILES
from tidemill.config.project import current_project


class UnknownUseCaseError(TerminalError):
    """A name that has no folder with the files of a use case."""


@dataclass(frozen=True)
class UseCase:
    """``own`` are estimators of its own; ``window`` is how far back before the newest events it learns from.

    ``digest`` is the SHA-256 of the definition's files: two runs with the same one had the same definition.
    """

    name: str
    service: FeatureService
    question: Question
    spec: ModelSpec
    digest: str
    own: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
    window: timedelta | None = None

    @property
    def features(self) -> tuple[str, ...]:
        """What the model reads, in the order it reads it."""
        return self.service.names

    @property
    def task(self) -> TaskKind:
        """What the model has to do."""
        return task_of(self.question, self.spec)

    @property
    def recipe(self) -> Recipe:
        """What its candidates have in common."""
        return Recipe(self.question.answer.task, self.features, self.spec.columns, self.own)

    @property
    def is_about_entities(self) -> bool:
        """Whether it is asked of an entity at any time, and not of an event at its own."""
        return isinstance(self.question, Absence | FutureAggregate)

    @property
    def cutoffs(self) -> Cutoffs:
        """How a question about entities is split."""
        if self.spec.cutoffs is None:
            raise SpecificationError(f"model.yaml of {self.name}: cutoffs is missing")
        return self.spec.cutoffs

    @property
    def periods(self) -> Periods:
        """How a question about events is split."""
        if self.spec.periods is None:
            raise SpecificationError(f"model.yaml of {self.name}: periods is missing")
        return self.spec.periods

    def with_budget(self, trials: int | None, timeout_s: float | None) -> "UseCase":
        """The same use case with another budget for the search, where given."""
        changed = {"trials": trials, "timeout_s": timeout_s}
        budget = self.spec.search.model_copy(update={key: value for key, value in changed.items() if value is not None})
        return replace(self, spec=self.spec.model_copy(update={"search": budget}))

    def within(self, window: timedelta | None) -> "UseCase":
        """The same use case, which learns from the newest ``window`` of its events; from all of them without one."""
        return replace(self, window=window)


def use_case_names() -> list[str]:
    """The use cases that can be trained."""
    return current_project().trained()


def load_use_case(name: str) -> UseCase:
    """The use case in the folder ``use_cases/<name>`` of the platform or the project.

    Raises:
        UnknownUseCaseError: there is no such folder, or it lacks a file.
        FeatureCatalogError: ``features.py`` has no feature service of its name, or ``labels.py`` no question.
        SpecificationError: ``labels.py`` or ``model.yaml`` cannot be used.
    """
    known = ", ".join(use_case_names())
    folder = current_project().use_cases().get(name)
    if folder is None:
        raise UnknownUseCaseError(f"no use case {name!r}: no folder use_cases/{name} has a features.py; known: {known}")
    missing = [file for file in FILES if not (folder / file).is_file()]
    if missing:
        raise UnknownUseCaseError(f"no use case {name!r}: {folder} lacks {', '.join(missing)}; known: {known}")
    service = catalog.service(name)
    question = _question(importlib.import_module(f"use_cases.{name}.labels"), service)
    own = own_estimators(name)
    spec = read_specification(folder / "model.yaml", question.answer.task, question.moments, own)
    _check_names(folder / "model.yaml", spec, service, question)
    _check_scoring(folder / "model.yaml", spec, question)
    check_fairness(folder / "model.yaml", spec, service, question)
    baseline = getattr(spec, "baseline", None)
    if isinstance(baseline, FeatureBaseline) and baseline.feature not in service.names:
        raise SpecificationError(
            f"{folder / 'model.yaml'}: baseline.feature = {baseline.feature!r} is not one of the features "
            f"{', '.join(service.names)}"
        )
    files = [folder / file for file in (*FILES, ESTIMATORS_FILE) if (folder / file).is_file()]
    digest = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()
    return UseCase(name, service, question, spec, digest, own)


def _check_names(file: Path, spec: ModelSpec, service: FeatureService, question: Question) -> None:
    unknown = [name for name in spec.columns.roles if name not in service.names]
    if unknown:
        known = ", ".join(service.names)
        raise SpecificationError(f"{file}: columns: {', '.join(unknown)} is not one of the features {known}")
    if spec.columns.select is not None and spec.columns.select > len(service.names):
        raise SpecificationError(
            f"{file}: columns.select = {spec.columns.select}: there are {len(service.names)} features to choose from"
        )
    others = [name for name in spec.columns.encoding if name not in spec.candidates]
    if others:
        raise SpecificationError(f"{file}: columns.encoding: {', '.join(others)} is not one of the candidates")
    weights = spec.class_weights if isinstance(spec, MulticlassSpec) else None
    classes = question.answer.names if isinstance(question.answer, Classes) else ()
    if isinstance(weights, dict) and set(weights) != set(classes):
        raise SpecificationError(f"{file}: class_weights: a weight for each of {', '.join(classes)} is wanted")


def _check_scoring(file: Path, spec: ModelSpec, question: Question) -> None:
    if spec.scoring is not None and isinstance(question, Own):
        raise SpecificationError(
            f"{file}: scoring: labels.py asks with a function of its own (Own), whose rows are there only with their "
            "labels, so that nothing can be scored before it is known: leave it out"
        )


def _question(module: ModuleType, service: FeatureService) -> Question:
    where = module.__name__.replace(".", "/") + ".py"
    question = catalog.question_of(module)
    for source, columns in question.reads:
        _check_columns(where, source, columns)
    _check_classes(where, question)
    _check_asked(where, question, service)
    return question


def _check_classes(where: str, question: Question) -> None:
    classes = question.answer.names if isinstance(question.answer, Classes) else ()
    for name in classes:
        if len(name) > MAX_DECISION:
            raise SpecificationError(
                f"{where}: Classes.names: {name!r} has {len(name)} characters, and a decision at most {MAX_DECISION}"
            )


def _check_asked(where: str, question: Question, service: FeatureService) -> None:
    """The rows of the question have what the features of ``service`` are asked with."""
    keys, inputs = service.keys, [given.name for given in service.inputs]
    match question:
        case Absence() | FutureAggregate():
            asked = "it asks about entities at cutoffs"
            if others := [key for key in keys if key != question.entity.key]:
                raise SpecificationError(
                    f"{where}: {asked}, each a {question.entity.key}, and features of {', '.join(others)} are of "
                    "others: leave them out, or ask about events (Outcome, Own)"
                )
            if inputs:
                raise SpecificationError(
                    f"{where}: {asked}, and none brings the input {', '.join(inputs)}: leave it out, or ask about "
                    "events (Outcome, Own)"
                )
        case Outcome():
            of_events = [group for group in service.groups if group.source == question.events]
            columns = {question.entity.key: question.entity_column}
            columns |= {group.entity.key: group.entity_column for group in of_events}
            _check_columns(where, question.events, [columns.get(name, name) for name in (*keys, *inputs)])


def _check_columns(where: str, source: Source, columns: Iterable[str]) -> None:
    declared = {column.name for column in table(source.table).columns}
    there = declared | {product.name for product in source.computed}
    made_of = {name for product in source.computed for name in (product.left, product.right)}
    named = (source.event_time, source.known_time, *source.tie_breaker)
    for column in (*columns, *named, *made_of):
        if column not in there:
            nearest = difflib.get_close_matches(column, sorted(there), n=3, cutoff=0.5)
            advice = f"did you mean {' or '.join(nearest)}?" if nearest else f"it has {', '.join(sorted(there))}"
            raise SpecificationError(f"{where}: {source.table} has no column {column!r}; {advice}")
