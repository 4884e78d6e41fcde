"""Sources: that each module has the function that is called."""

import ast
from collections.abc import Iterator

from ingestion_layer.sources.names import source_files
from tidemill.config.project import Project
from tidemill.projects.checking.problems import Problem, of_exception


def source_problems(project: Project) -> Iterator[Problem]:
    """What is wrong with the project's sources; they are read, not run."""
    for file in source_files(project):
        try:
            tree = ast.parse(file.read_bytes(), str(file))
        except (OSError, SyntaxError, ValueError, RecursionError, MemoryError) as error:
            yield of_exception(file, error)
            continue
        names = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
        if "events" not in names:
            yield Problem(str(file), 0, "there is no function events(): write one that yields CloudEvents")
