"""A use case as training sees it: its label, its features and its specification, read from its folder."""

import hashlib
import importlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from types import ModuleType

from feature_store import catalog
from feature_store.definitions import FeatureService
from ml_modeling.specification import ModelSpec, SpecificationError, read_specification
from tidemill.config.errors import TerminalError
from tidemill.config.project import TRAINED as FILES
from tidemill.config.project import current_project
from tidemill.contracts import contract, data_columns


class UnknownUseCaseError(TerminalError):
    """A name that has no folder with the files of a use case."""


@dataclass(frozen=True)
class Label:
    """Whether an event happens to an active entity within ``horizon`` after a cutoff.

    ``event`` are the column values a row of ``source`` has when it counts. An entity is active at a cutoff when such
    an event happened within ``active`` before it. The label is ``event_means`` when another one follows within
    ``horizon``, else the opposite.
    """

    source: str
    entity_column: str
    event: Mapping[str, str]
    active: timedelta
    horizon: timedelta
    event_means: int


@dataclass(frozen=True)
class UseCase:
    """``digest`` is the SHA-256 of the definition's files: two runs with the same one had the same definition."""

    name: str
    service: FeatureService
    label: Label
    spec: ModelSpec
    digest: str

    @property
    def features(self) -> tuple[str, ...]:
        """What the model reads, in the order it reads it."""
        return self.service.names

    def with_budget(self, trials: int | None, timeout_s: float | None) -> "UseCase":
        """The same use case with another budget for the search, where given."""
        changed = {"trials": trials, "timeout_s": timeout_s}
        budget = self.spec.search.model_copy(update={key: value for key, value in changed.items() if value is not None})
        return replace(self, spec=self.spec.model_copy(update={"search": budget}))


def use_case_names() -> list[str]:
    """The use cases that can be trained."""
    return current_project().trained()


def load_use_case(name: str) -> UseCase:
    """The use case in the folder ``use_cases/<name>`` of the platform or the project.

    Raises:
        UnknownUseCaseError: there is no such folder, or it lacks a file.
        FeatureCatalogError: ``features.py`` has no feature service of the use case's name.
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
    spec = read_specification(folder / "model.yaml")
    if spec.baseline.feature not in service.names:
        raise SpecificationError(
            f"{folder / 'model.yaml'}: baseline.feature = {spec.baseline.feature!r} is not one of the features "
            f"{', '.join(service.names)}"
        )
    label = _label(importlib.import_module(f"use_cases.{name}.labels"))
    digest = hashlib.sha256(b"".join((folder / file).read_bytes() for file in FILES)).hexdigest()
    return UseCase(name, service, label, spec, digest)


def _label(module: ModuleType) -> Label:
    where = module.__name__.replace(".", "/") + ".py"
    columns = {column.name for column in data_columns(contract(module.SOURCE))}
    for column in (module.ENTITY_COLUMN, *module.EVENT):
        if column not in columns:
            raise SpecificationError(f"{where}: {module.SOURCE} has no column {column!r}: {', '.join(sorted(columns))}")
    if module.ACTIVE_DAYS < 1 or module.HORIZON_DAYS < 1 or module.EVENT_MEANS not in (0, 1):
        raise SpecificationError(f"{where}: ACTIVE_DAYS and HORIZON_DAYS are at least 1, EVENT_MEANS is 0 or 1")
    return Label(
        source=module.SOURCE,
        entity_column=module.ENTITY_COLUMN,
        event=dict(module.EVENT),
        active=timedelta(days=module.ACTIVE_DAYS),
        horizon=timedelta(days=module.HORIZON_DAYS),
        event_means=module.EVENT_MEANS,
    )
