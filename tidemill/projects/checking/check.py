"""All checks of a project, one after another."""

import importlib
from collections.abc import Iterator

from tidemill.config.errors import ConfigError, TidemillError
from tidemill.config.project import Project, current_project
from tidemill.config.settings import load_with_origin
from tidemill.projects.checking.contracts import contract_problems
from tidemill.projects.checking.features import service_problems, shared_problems
from tidemill.projects.checking.models import model_problems
from tidemill.projects.checking.problems import Problem
from tidemill.projects.checking.sources import source_problems


def check() -> list[Problem]:
    """What is wrong with the definitions of this process's project, sorted by file; empty when nothing is."""
    try:
        project = current_project()
        use_cases, contracts = project.use_cases(), project.contract_files()
    except ConfigError as error:
        return [Problem("tidemill.toml", 0, str(error))]
    del use_cases, contracts
    return sorted(dict.fromkeys(_problems(project)))


def _problems(project: Project) -> Iterator[Problem]:
    try:
        load_with_origin(choose_ports=False)
    except ConfigError as error:
        place = str(project.file or "settings")
        yield Problem(place, 0, str(error).replace(f" in {place}: ", ": "))
    of_contracts, contracts = contract_problems(project)
    yield from of_contracts
    yield from source_problems(project)
    services = {}
    for name, folder in project.use_cases().items():
        of_service = list(service_problems(name, folder, contracts, has_all=not of_contracts))
        yield from of_service
        if not of_service:
            services[name] = folder, importlib.import_module(f"use_cases.{name}.features").SERVICE
    yield from shared_problems(services)
    if of_contracts:
        return
    for name in services:
        try:
            yield from model_problems(name, project.use_cases()[name])
        except TidemillError as error:
            yield Problem(str(project.use_cases()[name]), 0, str(error))
