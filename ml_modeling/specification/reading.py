"""Reading a ``model.yaml``: whatever is wrong in it is said with its key and the file's name."""

from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from feature_store.definitions import Moments, Task
from ml_modeling.specification.binary import BinarySpec
from ml_modeling.specification.model import ModelSpec
from ml_modeling.specification.multiclass import MulticlassSpec
from ml_modeling.specification.parts import Part
from ml_modeling.specification.regression import RegressionSpec
from tidemill.config.declared import explained, read_declared
from tidemill.config.errors import TerminalError


class SpecificationError(TerminalError):
    """A ``model.yaml`` that cannot be used; the message names the file, the key and the value."""


SPECIFICATIONS: Mapping[Task, type[ModelSpec]] = {
    Task.BINARY: BinarySpec,
    Task.MULTICLASS: MulticlassSpec,
    Task.REGRESSION: RegressionSpec,
}


def read_specification(
    file: Path,
    task: Task = Task.BINARY,
    moments: Moments = Moments.CUTOFFS,
    own: Mapping[str, Callable[..., Any]] | None = None,
) -> ModelSpec:
    """The specification in ``file`` of a model with this task, asked at these moments; ``own`` are its own estimators.

    Raises:
        SpecificationError: the file is missing, is not YAML, or has an unknown, missing or bad value.
    """
    from ml_modeling.candidates.parameters import refused_candidates
    from ml_modeling.candidates.pipelines import Recipe  # these read parts of a specification themselves

    spec = read_declared(
        file, SPECIFICATIONS[task], SpecificationError, lambda it: explained(it, "a specification", _known_keys())
    )
    _check_split(file, spec, moments)
    if refused := refused_candidates(spec.candidates, Recipe(task, own=own or {})):
        raise SpecificationError("; ".join(f"{file}: candidates.{key}: {why}" for key, why in refused))
    return spec


def _check_split(file: Path, spec: ModelSpec, moments: Moments) -> None:
    at_cutoffs = moments is Moments.CUTOFFS
    wanted, other = ("cutoffs", "periods") if at_cutoffs else ("periods", "cutoffs")
    asked = "entities at cutoffs" if at_cutoffs else "events at their own time"
    if getattr(spec, wanted) is None:
        raise SpecificationError(f"{file}: {wanted} is missing: labels.py asks about {asked}")
    if getattr(spec, other) is not None:
        raise SpecificationError(f"{file}: {other}: labels.py asks about {asked}, which {wanted} split: leave it out")


def _known_keys() -> Collection[str]:
    return sorted({name for part in _parts(Part) for name in part.model_fields})


def _parts(kind: type[BaseModel]) -> Iterator[type[BaseModel]]:
    for part in kind.__subclasses__():
        yield part
        yield from _parts(part)
