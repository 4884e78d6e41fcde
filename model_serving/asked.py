"""What a use case is asked: whom a request is about and what it brings, as its feature service says."""

from collections.abc import Mapping
from dataclasses import dataclass

from feature_store import catalog
from feature_store.definitions import Task
from feature_store.definitions.questions import task_of
from tidemill.config.errors import TerminalError

Instance = Mapping[str, str | float]
"""The id of each entity under its key, and each input under its name."""
ANSWERED = frozenset(
    {"score", "decision", "scores", "value", "interval", "features_as_of", "degraded", "arm", "version"}
)
REASONED = frozenset({"space", "explained", "base", "output", "reasons", "rest"})
MAX_NAME = 64  # characters, in the contract of a prediction


class UnaskableError(TerminalError):
    """A use case that no request can be about."""


@dataclass(frozen=True)
class Asked:
    """``keys`` are those of its entities, the first of which a prediction is logged under; ``inputs`` are numbers."""

    use_case: str
    task: Task
    keys: tuple[str, ...]
    inputs: tuple[str, ...]

    def entities(self, instance: Instance) -> dict[str, str]:
        """The id of each entity, by key."""
        return {key: str(instance[key]) for key in self.keys}

    def brought(self, instance: Instance) -> dict[str, float]:
        """The number of each input."""
        return {name: float(instance[name]) for name in self.inputs}


def asked_of(use_case: str) -> Asked:
    """What a request of ``use_case`` is made of.

    Raises:
        FeatureCatalogError: it has no feature service, or no question.
        UnaskableError: it has no entity, or one whose key is a field of every answer; or its name is too long to log.
    """
    if len(use_case) > MAX_NAME:
        raise UnaskableError(f"{use_case!r} has {len(use_case)} characters, and a use case's name at most {MAX_NAME}")
    service = catalog.service(use_case)
    keys, inputs = service.keys, tuple(given.name for given in service.inputs)
    if not keys:
        raise UnaskableError(f"feature service {use_case!r} reads no feature group: a request would be about nobody")
    if taken := sorted((ANSWERED | REASONED).intersection(keys)):
        raise UnaskableError(f"{', '.join(taken)}: a key of {use_case!r} is called like a field of every answer")
    if both := sorted(set(keys).intersection(inputs)):
        raise UnaskableError(f"{', '.join(both)}: a key and an input of {use_case!r} have one name")
    return Asked(use_case, task_of(catalog.question(use_case)), keys, inputs)
