"""Cases in YAML: a list of what is given and expected, in each ``.yaml`` file of the project's ``tests``."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import yaml
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, model_validator

from feature_store import catalog
from feature_store.definitions import Feature
from tidemill.config import strict_yaml
from tidemill.config.errors import TidemillError, nearest
from tidemill.contracts.checker import Reason
from tidemill.projects.testing.definitions import Definitions, DisagreementError
from tidemill.projects.testing.explanation import explanation
from tidemill.projects.testing.given import micros
from tidemill.projects.testing.labels import Label

RELATIVE = 1e-9


class _Happened(BaseModel):
    model_config = ConfigDict(extra="forbid")

    time: AwareDatetime
    data: dict[str, Any]
    known: AwareDatetime | None = None


class Case(BaseModel):
    """Either of a use case (``events``, ``at``, ``entity``; ``features`` or ``label`` expected) or of a contract."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1)
    use_case: str | None = None
    events: dict[str, list[_Happened]] = Field(default_factory=dict)
    at: AwareDatetime | None = None
    entity: dict[str, str | int] = Field(default_factory=dict)
    inputs: dict[str, float] = Field(default_factory=dict)
    features: dict[str, float | None] = Field(default_factory=dict)
    label: int | float | str | None = None
    contract: str | None = None
    data: dict[str, Any] | None = None
    rejected: Reason | None = None

    @model_validator(mode="after")
    def _says_what_it_is_of(self) -> Self:
        if (self.use_case is None) == (self.contract is None):
            raise ValueError("a case is of a use_case or of a contract: write one of them")
        if self.contract is not None and self.data is None:
            raise ValueError("data is missing: what the event of the contract says")
        if self.use_case is not None and (self.at is None or not self.entity):
            raise ValueError("at and entity are missing: when, and of whom, is asked")
        if self.use_case is not None and not (self.features or self.expects_label):
            raise ValueError("features or label is missing: what is expected")
        return self

    @property
    def expects_label(self) -> bool:
        return "label" in self.model_fields_set

    def given(self) -> dict[str, list[dict[str, Any]]]:
        return {topic: [one.model_dump(exclude_none=True) for one in some] for topic, some in self.events.items()}


@dataclass(frozen=True)
class Failure:
    """A case that is not as expected: where it stands, what is other, and the events that show why."""

    file: Path
    line: int
    case: str
    message: str
    example: tuple[str, ...] = ()


@dataclass(frozen=True)
class Placed:
    """A case and where it begins."""

    file: Path
    line: int
    case: Case


def read_cases(file: Path) -> tuple[list[Placed], list[Failure]]:
    """The cases of ``file``, and what cannot be one."""
    try:
        content, node = strict_yaml.read_with_node(file)
    except OSError as error:
        return [], [Failure(file, 0, "", f"cannot be read: {error.strerror}")]
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        return [], [Failure(file, mark.line + 1 if mark else 0, "", f"not valid YAML: {error}")]
    if node is None:
        return [], []
    if not isinstance(content, list):
        return [], [Failure(file, 1, "", "is no list of cases: begin each with `- name: ...`")]
    placed: list[Placed] = []
    failures: list[Failure] = []
    for value, at in zip(content, node.value, strict=True):
        line = at.start_mark.line + 1
        try:
            placed.append(Placed(file, line, Case.model_validate(value)))
        except ValidationError as error:
            name = str(value.get("name", "")) if isinstance(value, dict) else ""
            failures += [Failure(file, line, name, _explained(problem)) for problem in error.errors()]
    return placed, failures


def run(placed: Placed, definitions: Definitions) -> Iterator[Failure]:
    """What of the case is not as expected."""
    case = placed.case

    def failed(message: str, example: list[str] | None = None) -> Failure:
        return Failure(placed.file, placed.line, case.name, message, tuple(example or ()))

    try:
        if case.contract is not None:
            message = _of_contract(case, definitions)
            found = [failed(message)] if message else []
        else:
            found = [failed(*other) for other in _of_use_case(case, definitions)]
    except (TidemillError, DisagreementError) as error:
        found = [failed(str(error))]
    except OverflowError as error:
        found = [failed(f"a time or a number is beyond all bounds: {error}")]
    yield from found


def _of_contract(case: Case, definitions: Definitions) -> str:
    found = definitions.rejection(case.contract or "", case.data or {})
    if found is None:
        return f"expected to be rejected as {case.rejected.value}, and is accepted" if case.rejected else ""
    said = f"{found.reason.value}: {found.detail}"
    if case.rejected is None:
        return f"expected to be accepted, and is rejected as {said}"
    return (
        "" if found.reason is case.rejected else f"expected to be rejected as {case.rejected.value}, and is as {said}"
    )


def _of_use_case(case: Case, definitions: Definitions) -> Iterator[tuple[str, list[str]]]:
    name, at = case.use_case or "", case.at or datetime.now(UTC)
    if case.features:
        values = definitions.features(name, case.given(), at=at, entity=case.entity, inputs=case.inputs)
        for feature, expected in case.features.items():
            if feature not in values:
                yield f"{name} has no feature {feature!r}{nearest(feature, values)}", []
            elif not _is(values[feature], expected):
                yield f"{feature}: expected {expected}, and is {values[feature]}", _example(case, feature, definitions)
    if case.expects_label:
        found = definitions.label(name, case.given(), at=at, entity=case.entity)
        if not _is_label(found, case.label):
            yield f"label: expected {_asked(case.label)}, and is {_asked(found)}", []


def _example(case: Case, name: str, definitions: Definitions) -> list[str]:
    """What became of each event, for the feature, or those that a derived one is made of."""
    service = catalog.service(case.use_case or "")
    histories = definitions.histories(service, case.given(), case.entity)
    (of,) = (feature for feature in service.features if feature.name == name)
    leaves = [of] if isinstance(of, Feature) else [leaf for leaf in of.expression.leaves() if isinstance(leaf, Feature)]
    lines: list[str] = []
    for leaf in dict.fromkeys(leaves):
        if len(leaves) > 1:
            lines.append(f"{leaf.name}:")
        lines += explanation(leaf, histories[leaf.group.name], 0, micros(case.at or datetime.now(UTC)))
    return lines


def _is(value: float | None, expected: float | None) -> bool:
    if value is None or expected is None:
        return value is expected
    return math.isclose(value, expected, rel_tol=RELATIVE, abs_tol=RELATIVE)


def _is_label(found: Label, expected: Label) -> bool:
    if isinstance(found, str) or isinstance(expected, str):
        return found == expected
    return _is(found, expected)


def _asked(label: object) -> str:
    return "none (not asked about, or not known)" if label is None else str(label)


def _explained(problem: Any) -> str:
    key = ".".join(str(part) for part in problem["loc"])
    message = str(problem["msg"]).removeprefix("Value error, ")
    if problem["type"] == "extra_forbidden":
        return f"{key}: a case has no such key{nearest(str(problem['loc'][-1]), Case.model_fields)}"
    return f"{key}: {message}" if key else message
