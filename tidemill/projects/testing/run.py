"""A project's tests, one after another: cases in YAML, generated events, and its own pytest."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from feature_store import catalog
from tidemill.config.project import Project, current_project
from tidemill.projects.checking.questions import question_groups
from tidemill.projects.testing.answers import groups_of
from tidemill.projects.testing.cases import Failure, read_cases, run
from tidemill.projects.testing.definitions import Definitions
from tidemill.projects.testing.properties import Finding, findings

FOLDER = "tests"
CASES = ".yaml"
YAML = (CASES, ".yml")
NOT_RUN = "its cases are not run: a file that has some is called <name>.yaml"
PYTEST_FOUND_NONE = 5


@dataclass(frozen=True)
class Results:
    """What failed; ``pytest`` is its exit status, 0 where there is nothing for it."""

    cases: int
    failures: tuple[Failure, ...]
    groups: int
    questions: int
    findings: tuple[Finding, ...]
    pytest: int

    @property
    def passed(self) -> bool:
        return not (self.failures or self.findings or self.pytest)


def run_tests(seed: int, pytest_output: TextIO) -> Results:
    """The tests of this process's project: all are run, whatever failed before."""
    project = current_project()
    count, failures = _cases(project)
    names = _use_cases(project)
    groups = groups_of([catalog.service(name) for name in names])
    found = [finding for group in groups for finding in findings(group, seed)]
    asked = {name: question_groups(catalog.question(name)) for name in names if name in project.trained()}
    for name, looked_for in asked.items():
        found += [finding for group in looked_for for finding in findings(group, seed, f"LABEL of {name}")]
    return Results(count, tuple(failures), len(groups), len(asked), tuple(found), _pytest(project, pytest_output))


def _cases(project: Project) -> tuple[int, list[Failure]]:
    there = sorted(file for folder in project.own(FOLDER) for file in folder.rglob("*"))
    failures = [Failure(file, 0, "", NOT_RUN) for file in there if file.suffix.lower() in YAML and file.suffix != CASES]
    definitions, count = Definitions(), 0
    for file in (file for file in there if file.suffix == CASES):
        placed, unreadable = read_cases(file)
        count += len(placed)
        failures += unreadable
        failures += [failure for case in placed for failure in run(case, definitions)]
    return count, failures


def _use_cases(project: Project) -> list[str]:
    """Those of the project; for the platform alone, its own."""
    own = [folder.resolve() for folder in project.own("use_cases")]
    return [name for name, folder in project.use_cases().items() if not own or folder.resolve().parent in own]


def _pytest(project: Project, output: TextIO) -> int:
    folders = [folder for folder in project.own(FOLDER) if any(folder.rglob("*.py"))]
    if not folders:
        return 0
    root: Path = folders[0].parent
    options = () if (root / "pytest.ini").is_file() else ("-p", "tidemill.projects.testing.fixtures")
    output.flush()
    command = [sys.executable, "-B", "-m", "pytest", "-q", "-p", "no:cacheprovider", *options, str(folders[0])]
    status = subprocess.run(command, cwd=root, stdout=output, check=False).returncode
    return 0 if status == PYTEST_FOUND_NONE else status
