"""Gold tables: each declaration by itself, and its source against the contracts. Spark alone can judge its query."""

from collections.abc import Iterator, Mapping

from data_lake.gold import GoldTableError, read_gold_table, unknown_source
from tidemill.config.project import Project
from tidemill.contracts.registry import Contract
from tidemill.projects.checking.problems import Problem, line_of, split


def gold_problems(project: Project, contracts: Mapping[str, Contract], *, has_all: bool) -> Iterator[Problem]:
    """What is wrong with the gold tables.

    Unless ``contracts`` ``has_all``, a source that none of them is of is not held against any.
    """
    for file in project.gold_files().values():
        try:
            declared = read_gold_table(file)
        except GoldTableError as error:
            yield from split(str(error), file)
            continue
        if has_all and (why := unknown_source(declared, contracts)):
            yield Problem(str(file), line_of(file, "source:"), why)
    for folder in project.own("use_cases"):
        for other in sorted(folder.glob("*/gold/*")):
            if other.suffix != ".yaml" and not other.name.startswith("."):
                yield Problem(str(other), 0, "it declares no gold table: a file that does is called <table>.yaml")
