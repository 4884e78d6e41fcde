"""What use cases declare: the service in ``features.py``, the groups that it reads, the question in ``labels.py``."""

import importlib
from collections.abc import Iterable, Mapping
from functools import cache
from types import ModuleType

from feature_store.definitions import FeatureGroup, FeatureService, Question
from feature_store.definitions.questions import KINDS
from tidemill.config.errors import TerminalError
from tidemill.config.project import current_project

REQUEST_TIME = "request_time"
"""What a Feast client gives beside entities and inputs: microseconds since 1970."""
MERGED = "_features"
"""How the name of the Feast view goes on that merges the states of a service."""


class FeatureCatalogError(TerminalError):
    """A use case without a proper feature service or question, or a name that nothing has."""


@cache
def services() -> Mapping[str, FeatureService]:
    """The ``SERVICE`` of every use case that has a ``features.py``, by name.

    Raises:
        FeatureCatalogError: it is missing, or two different groups or services share a name.
    """
    found: dict[str, FeatureService] = {}
    for use_case in current_project().use_cases():
        name = f"use_cases.{use_case}.features"
        one = getattr(importlib.import_module(name), "SERVICE", None)
        if not isinstance(one, FeatureService):
            raise FeatureCatalogError(f"{name} has no SERVICE, a FeatureService")
        if one.name in found:
            raise FeatureCatalogError(f"{name}: another use case has a FeatureService {one.name!r} already")
        found[one.name] = one
    return found


def service(name: str) -> FeatureService:
    """The feature service called ``name``.

    Raises:
        FeatureCatalogError: no use case has it.
    """
    try:
        return services()[name]
    except KeyError:
        raise FeatureCatalogError(f"no feature service {name!r}; known: {', '.join(services())}") from None


def question(use_case: str) -> Question:
    """The question that ``use_case`` asks.

    Raises:
        FeatureCatalogError: its ``labels.py`` has none.
    """
    return question_of(importlib.import_module(f"use_cases.{use_case}.labels"))


def question_of(module: ModuleType) -> Question:
    """The ``LABEL`` of a ``labels.py``.

    Raises:
        FeatureCatalogError: it is missing, or no question.
    """
    label = getattr(module, "LABEL", None)
    if not isinstance(label, KINDS):
        kinds = ", ".join(kind.__name__ for kind in KINDS)
        where = module.__name__.replace(".", "/")
        raise FeatureCatalogError(f"{where}.py: LABEL is {label!r}; write LABEL = one of {kinds}")
    return label


@cache
def groups() -> Mapping[str, FeatureGroup]:
    """Every group that a service reads, by name; services may share one.

    Raises:
        FeatureCatalogError: two different groups have one name.
    """
    found: dict[str, FeatureGroup] = {}
    for one in services().values():
        for group in one.groups:
            if found.setdefault(group.name, group) != group:
                raise FeatureCatalogError(f"FeatureService {one.name}: another service's group {group.name!r} differs")
    return found


def served_groups(use_cases: Iterable[str]) -> tuple[FeatureGroup, ...]:
    """The groups that these use cases read, each once: those whose states are kept."""
    return tuple(dict.fromkeys(group for name in use_cases for group in service(name).groups))


def group(name: str) -> FeatureGroup:
    """The group called ``name``.

    Raises:
        FeatureCatalogError: no service reads it.
    """
    try:
        return groups()[name]
    except KeyError:
        raise FeatureCatalogError(f"no feature group {name!r}; known: {', '.join(groups())}") from None


def state_view_name(group: FeatureGroup) -> str:
    """Another definition has another view: its states are made beside those in use."""
    return f"{group.name}_{group.fingerprint[:8]}"


def group_of_view(name: str) -> FeatureGroup:
    """The group whose states the view called ``name`` has."""
    return next(group for group in groups().values() if state_view_name(group) == name)


def state_feature_name(group: FeatureGroup) -> str:
    """The one feature of a group's view: named apart, since Feast's short names of several views share a place."""
    return f"{state_view_name(group)}_state"
