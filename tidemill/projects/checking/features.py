"""Features: that each use case has a service of its name, and that groups of one name are the same."""

import importlib
from collections.abc import Iterator, Mapping
from pathlib import Path

from feature_store.definitions import FeatureGroup, FeatureService
from tidemill.contracts.registry import Contract
from tidemill.projects.checking.groups import Place, group_problems
from tidemill.projects.checking.problems import Problem, line_of_constant, of_exception
from tidemill.projects.modules import own_module


def service_problems(name: str, folder: Path, contracts: Mapping[str, Contract], *, has_all: bool) -> Iterator[Problem]:
    """What is wrong with the feature service of the use case ``name`` and with its groups.

    Unless ``contracts`` ``has_all``, a group of a table that none of them has is not held against any.
    """
    file = folder / "features.py"
    module = f"use_cases.{name}.features"
    try:
        service = getattr(importlib.import_module(module), "SERVICE", None)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever the user's module raises is what is wrong with it
        yield of_exception(own_module(error, file), error)
        return
    if not isinstance(service, FeatureService):
        yield Problem(str(file), 0, f"SERVICE is missing: write SERVICE = FeatureService(name={name!r}, features=...)")
        return
    if service.name != name:
        line = line_of_constant(file, service.name)
        yield Problem(str(file), line, f"FeatureService {service.name!r}: it is called like its folder, {name!r}")
    for group in service.groups:
        yield from group_problems(Place(file, f"FeatureGroup {group.name}", group.name), group, contracts, has_all)


def shared_problems(services: Mapping[str, tuple[Path, FeatureService]]) -> Iterator[Problem]:
    """Groups of one name that differ between services."""
    first: dict[str, tuple[str, FeatureGroup]] = {}
    for name, (folder, service) in services.items():
        for group in service.groups:
            owner, other = first.setdefault(group.name, (name, group))
            if other != group:
                file = folder / "features.py"
                why = f"FeatureGroup {group.name!r} is not that of use case {owner!r}: give it another name"
                yield Problem(str(file), line_of_constant(file, group.name), why)
