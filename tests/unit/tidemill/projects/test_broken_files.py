"""Whatever stands in a file of a project, checking it says what is wrong and goes on."""

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.unit.tidemill.projects.conftest import Run, edit
from tidemill.config.project import Project
from tidemill.projects.checking.contracts import contract_problems
from tidemill.projects.checking.sources import source_problems

TOPIC = "app.visit.v1"
CONTRACT = f"contracts/{TOPIC}.json"
PUBLISHED = f"contracts/published/{TOPIC}.json"
SOURCE = "sources/visits.py"
VALUES: tuple[Any, ...] = (None, 5, "x", [], {}, [[1]], [{}], True, "\ud800")
BYTES = {
    "empty": b"",
    "Latin-1": b'{"title": "caf\xe9"}',
    "NUL": b"\0",
    "cut off": b"{",
    "nested": b"[" * 5_000,
    "nested schemas": b'{"items": ' * 400 + b"{}" + b"}" * 400,
}


def changed(content: Any) -> Iterator[Any]:
    """``content`` with each value in it replaced by each of ``VALUES``."""
    yield from VALUES
    for key in content if isinstance(content, dict) else range(len(content)) if isinstance(content, list) else ():
        for value in changed(content[key]):
            other = copy.copy(content)
            other[key] = value
            yield other


@pytest.mark.parametrize("name", [CONTRACT, PUBLISHED])
def test_any_value_in_a_contract_is_read_or_said_to_be_wrong(name: str, project: Path) -> None:
    mine, file = Project(project, "mine", builtin=False), project / name
    for content in changed(json.loads(file.read_text(encoding="utf-8"))):
        file.write_text(json.dumps(content), encoding="utf-8")
        problems, usable = contract_problems(mine)
        assert problems or TOPIC in usable, content


@pytest.mark.parametrize("raw", BYTES.values(), ids=BYTES)
@pytest.mark.parametrize("name", [CONTRACT, PUBLISHED, SOURCE])
def test_bytes_that_are_no_content_are_said_to_be_none(name: str, raw: bytes, project: Path) -> None:
    (project / name).write_bytes(raw)
    mine = Project(project, "mine", builtin=False)
    problems = [*contract_problems(mine)[0], *source_problems(mine)]
    assert {problem.file for problem in problems} == {str(project / name)}


@pytest.mark.parametrize("name", [CONTRACT, PUBLISHED, SOURCE])
def test_a_folder_called_like_a_file_is_said_to_be_none(name: str, project: Path) -> None:
    (project / name).unlink()
    (project / name).mkdir()
    mine = Project(project, "mine", builtin=False)
    (problem,) = [*contract_problems(mine)[0], *source_problems(mine)]
    assert problem.file == str(project / name)
    assert "Is a directory" in problem.message


@pytest.mark.parametrize("name", ["features", "labels"])
def test_a_module_that_ends_python_does_not_end_the_check(name: str, run: Run, project: Path) -> None:
    file = project / "use_cases" / "next_visits" / f"{name}.py"
    file.write_text("import sys\n\nsys.exit(0)\n", encoding="utf-8")
    done = run("check")
    assert done.returncode == 1
    assert f"{name}.py:3: SystemExit: 0" in done.stdout, done.stdout + done.stderr


def test_a_number_beyond_floating_point_is_a_problem_of_its_model(run: Run, project: Path) -> None:
    edit(project / "use_cases" / "next_visits" / "model.yaml", "high: 1000,", f"high: 1{'0' * 400},")
    done = run("check")
    assert done.returncode == 1
    assert done.stdout.startswith("use_cases/next_visits/model.yaml: "), done.stdout + done.stderr


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('{"type": "string", "minLength": 1, "maxLength": 64}', '"text"', "/properties/user_id is no valid JSON"),
        ('"type": "string", "minLength": 1', '"type": 5, "minLength": 1', "/properties/user_id/type is no valid"),
        ('["user_id"]', "[{}]", "x-key names {}, which is no property"),
        ('"type": "string", "minLength": 1', '"type": ["array", "null"], "items": {"type": "string"}', "no single"),
    ],
    ids=["a text as property", "a number as type", "an object as key", "a list as key"],
)
def test_what_is_no_schema_is_said_with_its_place(old: str, new: str, message: str, project: Path) -> None:
    file = project / CONTRACT
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new, 1), encoding="utf-8")
    problems, usable = contract_problems(Project(project, "mine", builtin=False))
    assert TOPIC not in usable
    assert any(message in problem.message and problem.line for problem in problems), problems
