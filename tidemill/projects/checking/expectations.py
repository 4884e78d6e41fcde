"""Suites of expectations: each by itself, and against the tables. Spark alone can judge the SQL in them."""

from collections.abc import Iterator

from data_lake.expectations import SuiteError, read_suite, suite_problems
from tidemill.config.project import Project
from tidemill.projects.checking.problems import Problem, line_of, split


def expectation_problems(project: Project, *, has_all: bool) -> Iterator[Problem]:
    """What is wrong with the suites; what tables say against one only when the project ``has_all`` contracts."""
    for file in project.suite_files().values():
        try:
            suite = read_suite(file)
        except SuiteError as error:
            yield from split(str(error), file)
            continue
        for problem in suite_problems(suite) if has_all else ():
            yield Problem(str(file), line_of(file, f"{_last_key(problem)}:"), problem)
    for folder in project.own("use_cases"):
        for other in sorted(folder.glob("*/expectations/*")):
            if other.suffix != ".yaml" and not other.name.startswith("."):
                yield Problem(str(other), 0, "it is no suite: a file that is one is called <suite>.yaml")


def _last_key(problem: str) -> str:
    """Of ``expectations.lines.table: ...`` the name of the expectation, of ``table = ...`` the key itself."""
    parts = problem.split(":", maxsplit=1)[0].split(" ", maxsplit=1)[0].split(".")
    return parts[1] if len(parts) > 1 else parts[0]
