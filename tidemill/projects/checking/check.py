"""All checks of a project, one after another."""

import importlib
from collections.abc import Iterator

from ingestion_layer.sources.names import mapping_files
from tidemill.config.errors import ConfigError
from tidemill.config.project import Project, current_project
from tidemill.config.settings import load_with_origin
from tidemill.projects.checking.contracts import contract_problems
from tidemill.projects.checking.expectations import expectation_problems
from tidemill.projects.checking.features import service_problems, shared_problems
from tidemill.projects.checking.flink import flink_problems
from tidemill.projects.checking.gold import gold_problems
from tidemill.projects.checking.mappings import source_mapping_problems
from tidemill.projects.checking.models import label_problems, model_problems
from tidemill.projects.checking.problems import Problem
from tidemill.projects.checking.sources import source_problems


def check() -> list[Problem]:
    """What is wrong with the definitions of this process's project, sorted by file; empty when nothing is."""
    try:
        project = current_project()
        for named in (
            project.use_cases,
            project.contract_files,
            project.gold_files,
            project.suite_files,
            project.flink_files,
        ):
            named()
        mapping_files(project)
    except ConfigError as error:
        return [Problem("tidemill.toml", 0, str(error))]
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
    yield from source_mapping_problems(project, has_all=not of_contracts)
    yield from gold_problems(project, contracts, has_all=not of_contracts)
    yield from expectation_problems(project, has_all=not of_contracts)
    if not of_contracts:
        yield from flink_problems(project, contracts)
    services = {}
    for name, folder in project.use_cases().items():
        of_service = list(service_problems(name, folder, contracts, has_all=not of_contracts))
        yield from of_service
        if not of_service:
            services[name] = folder, importlib.import_module(f"use_cases.{name}.features").SERVICE
    of_groups = list(shared_problems(services))
    yield from of_groups
    yield from _without_features(project)
    is_whole = not (of_contracts or of_groups or len(services) < len(project.use_cases()))
    for name, (folder, _) in services.items():
        of_labels = list(label_problems(name, folder, contracts, has_all=not of_contracts))
        yield from of_labels
        if is_whole and not of_labels:  # training reads all definitions before it reads one
            yield from model_problems(name, folder)


def _without_features(project: Project) -> Iterator[Problem]:
    for folder in project.own("use_cases"):
        for file in (*folder.glob("*/labels.py"), *folder.glob("*/model.yaml")):
            if not (file.parent / "features.py").is_file():
                yield Problem(
                    str(file), 0, "there is no features.py beside it, so the folder is no use case: write one"
                )
