"""Jobs of Flink: each declaration by itself, and its topics against the contracts. Flink alone can judge its query."""

from collections.abc import Iterator, Mapping

from stream_processing.flink.job import JobError, read_job
from tidemill.config.project import Project
from tidemill.contracts.registry import Contract
from tidemill.projects.checking.problems import Problem, split


def flink_problems(project: Project, contracts: Mapping[str, Contract]) -> Iterator[Problem]:
    """What is wrong with the jobs, whose topics must be among ``contracts``."""
    for file in project.flink_files().values():
        try:
            read_job(file, contracts)
        except JobError as error:
            yield from split(str(error), file)
    for folder in project.own("use_cases"):
        for other in sorted(folder.glob("*/flink/*")):
            if other.suffix != ".yaml" and not other.name.startswith("."):
                yield Problem(str(other), 0, "it declares no job of Flink: a file that does is called <job>.yaml")
