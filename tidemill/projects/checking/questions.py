"""Questions: that what they look for is in the contracts, and that the answer they want can be made of it."""

import inspect
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from data_lake.tables import silver_columns
from feature_store.definitions import (
    Absence,
    Answer,
    Classes,
    Entity,
    FeatureGroup,
    FutureAggregate,
    Outcome,
    Own,
    Question,
    Source,
    YesNo,
    column,
    count,
    days,
)
from tidemill.contracts.registry import Contract
from tidemill.projects.checking.groups import NUMBERS, Place, contract_of, group_problems, missing, no_table
from tidemill.projects.checking.problems import Problem

NAME = "LABEL"
ANY_TIME = (days(1),)


def question_problems(
    file: Path, question: Question, contracts: Mapping[str, Contract], *, has_all: bool
) -> Iterator[Problem]:
    """What the contracts say against the question in ``file``; see :func:`group_problems` of ``has_all``."""
    place = Place(file, f"{NAME} ({type(question).__name__})", NAME)
    match question:
        case Absence() | FutureAggregate():
            yield from group_problems(place, question.group, contracts, has_all)
        case Outcome():
            asked, said = question_groups(question)
            yield from group_problems(place, asked, contracts, has_all)
            yield from group_problems(place, replace(said, aggregations=(count(),)), contracts, has_all)
            yield from _of_answer(place, question, contracts)
        case Own():
            yield from _of_own(place, question, contracts, has_all)


def question_groups(question: Question) -> tuple[FeatureGroup, ...]:
    """The events that a question looks for, as feature groups count them; none of one that only Spark answers."""
    match question:
        case Absence() | FutureAggregate():
            return (question.group,)
        case Outcome():
            asked = FeatureGroup("asked", question.entity, question.events, (count(),), ANY_TIME, question.filters)
            event, source = Entity("asked", question.key), replace(question.of, entity_column=None)
            return asked, FeatureGroup("said", event, source, (column(question.label).count(),), ANY_TIME)
    return ()


def _of_answer(place: Place, question: Outcome, contracts: Mapping[str, Contract]) -> Iterator[Problem]:
    events, said = contract_of(question.events, contracts), contract_of(question.of, contracts)
    if events is not None and question.key not in _types(events):
        yield missing(place, "key", question.key, events, question.events)
    if said is None:
        return
    kind = _types(said).get(question.label)
    if kind is None:
        yield missing(place, "label", question.label, said, question.of)
    elif why := _misfit(question.answer, kind, said.schema["properties"].get(question.label, {})):
        yield place.problem(f"label: {question.label!r} of {said.topic} {why}", question.label)


def _misfit(answer: Answer, kind: str, declared: Mapping[str, Any]) -> str:
    """Why no answer can be made of a column; empty when it can."""
    is_number = kind.startswith(NUMBERS) and kind != "BOOLEAN"
    listed = declared.get("enum", ())
    match answer:
        case YesNo():
            fits, takes = kind == "BOOLEAN" or is_number, "a boolean, or 0 and 1"
            others: Sequence[Any] = [value for value in listed if value not in (0, 1, None)]
        case Classes(names=names, edges=()):
            fits, takes = kind == "STRING", "a text, or a number and edges"
            others = [value for value in listed if value is not None and value not in names]
        case _:
            fits, takes, others = is_number, "a number", ()
    if not fits:
        return f"is {kind}, and {type(answer).__name__} takes {takes}"
    if others:
        return f"may be {others[0]!r}, as the contract's enum says, and {type(answer).__name__} does not know it"
    return ""


def _of_own(place: Place, question: Own, contracts: Mapping[str, Contract], has_all: bool) -> Iterator[Problem]:
    for source in question.sources:
        contract = contract_of(source, contracts)
        if contract is not None:
            yield from _of_source(place, source, contract)
        elif has_all:
            yield no_table(place, source, contracts)
    try:
        inspect.signature(question.rows).bind(*question.sources)
    except TypeError as error:
        frames = f"the DataFrames of its {len(question.sources)} sources, in their order"
        yield place.problem(f"rows: {question.rows.__name__} is called with {frames}, and cannot be: {error}")


def _of_source(place: Place, source: Source, contract: Contract) -> Iterator[Problem]:
    for field, name in (("event_time", source.event_time), *(("tie_breaker", part) for part in source.tie_breaker)):
        if name not in _types(contract):
            yield missing(place, field, name, contract, source)


def _types(contract: Contract) -> Mapping[str, str]:
    return {column.name: column.sql_type for column in silver_columns(contract)}
