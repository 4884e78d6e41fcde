"""Mappings of sources: each by itself, and against the contract that its rows become."""

from collections.abc import Iterator

from ingestion_layer.sources.mapped.mapping import MappingError, mapping_problems, read_mapping
from ingestion_layer.sources.names import FOLDER, mapping_files
from tidemill.config.project import Project
from tidemill.projects.checking.problems import Problem, line_of, split


def source_mapping_problems(project: Project, *, has_all: bool) -> Iterator[Problem]:
    """What is wrong with the mappings; what a contract says against one only when the project ``has_all`` of them."""
    for file in mapping_files(project).values():
        try:
            mapping = read_mapping(file)
        except MappingError as error:
            yield from split(str(error), file)
            continue
        for problem in mapping_problems(mapping) if has_all else ():
            key = problem.split(":", maxsplit=1)[0].split(" ", maxsplit=1)[0]
            yield Problem(str(file), line_of(file, f"{key.split('.')[min(1, key.count('.'))]}:"), problem)
    for folder in project.own(FOLDER):
        for other in sorted(folder.glob("*.yml")):
            yield Problem(str(other), 0, "it is no mapping: a file that is one is called <source>.yaml")
