"""What the value that a question looks up becomes: yes or no, a number, or one of some classes."""

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from feature_store.definitions.errors import DefinitionError, check_name


class Task(StrEnum):
    """What a model has to do: it follows from the answer that a question wants."""

    BINARY = "binary"
    MULTICLASS = "multiclass"
    REGRESSION = "regression"


@dataclass(frozen=True)
class YesNo:
    """A boolean as it is, or a number that is 0 or 1."""

    task: ClassVar[Task] = Task.BINARY


@dataclass(frozen=True)
class Number:
    """The number itself."""

    task: ClassVar[Task] = Task.REGRESSION


@dataclass(frozen=True)
class Threshold:
    """Yes where the number is ``at_least`` so much."""

    at_least: float
    task: ClassVar[Task] = Task.BINARY

    def __post_init__(self) -> None:
        _check_number("Threshold.at_least", self.at_least)


@dataclass(frozen=True)
class Classes:
    """One of ``names``.

    With ``edges`` the first name is for numbers below the first edge, the next from that edge on, and so on. Without
    them the value is a text, which is the name.
    """

    names: tuple[str, ...]
    edges: tuple[float, ...] = ()
    task: ClassVar[Task] = Task.MULTICLASS

    def __post_init__(self) -> None:
        if not isinstance(self.names, tuple) or len(self.names) < 3 or len(set(self.names)) < len(self.names):
            raise DefinitionError(
                f"Classes.names: {self.names!r} are not at least three different names; write YesNo() or "
                "Threshold(at_least=...) for two"
            )
        for name in self.names:
            if not isinstance(name, str) or not name:
                raise DefinitionError(f"Classes.names: {name!r} is no text")
        if not isinstance(self.edges, tuple):
            raise DefinitionError(f"Classes.edges: {self.edges!r} is no tuple of numbers")
        for edge in self.edges:
            _check_number("Classes.edges", edge)
        if list(self.edges) != sorted(set(self.edges)):
            raise DefinitionError(f"Classes.edges: {self.edges} do not ascend")
        if self.edges and len(self.edges) != len(self.names) - 1:
            raise DefinitionError(
                f"Classes.edges: {len(self.edges)} edges make {len(self.edges) + 1} classes, and there are "
                f"{len(self.names)} names: {', '.join(self.names)}"
            )
        if self.edges:
            for name in self.names:
                check_name("Classes.names", name)


Answer = YesNo | Number | Threshold | Classes


def _check_number(field: str, value: float) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise DefinitionError(f"{field}: {value!r} is no finite number")
