"""What `tidemill new` makes, and what it never does."""

import tomllib
from pathlib import Path

import pytest

from tests.unit.tidemill.projects.conftest import Run
from tidemill.projects.new import ProjectExistsError, new, project_name


def test_a_project_has_all_its_parts_and_its_own_name(tmp_path: Path) -> None:
    files = {str(file.relative_to(tmp_path / "My Shop")) for file in new(tmp_path / "My Shop")}
    parts = {
        "tidemill.toml",
        "README.md",
        ".gitignore",
        "pytest.ini",
        ".github/workflows/check.yml",
        "sources/visits.py",
    }
    assert parts <= files
    table = tomllib.loads((tmp_path / "My Shop" / "tidemill.toml").read_text(encoding="utf-8"))["project"]
    assert table == {"name": "my-shop", "builtin": False}
    texts = [(tmp_path / "My Shop" / file).read_text(encoding="utf-8") for file in files]
    assert not any("{{" in text for text in texts)


def test_an_empty_folder_is_taken(tmp_path: Path) -> None:
    assert new(tmp_path)


@pytest.mark.parametrize(("there", "message"), [("notes.txt", "has files"), ("tidemill.toml", "is a project already")])
def test_nothing_is_written_over(there: str, message: str, tmp_path: Path) -> None:
    (tmp_path / there).write_text("mine", encoding="utf-8")
    with pytest.raises(ProjectExistsError, match=message):
        new(tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == [there]
    with pytest.raises(ProjectExistsError, match="is a file"):
        new(tmp_path / there)
    assert (tmp_path / there).read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize(("folder", "name"), [("Größe 1", "gr-e-1"), ("___", "project"), ("a" * 99, "a" * 64)])
def test_any_folder_has_a_name_that_a_project_can_have(folder: str, name: str) -> None:
    assert project_name(folder) == name


def test_a_new_project_has_nothing_wrong_and_its_tests_pass(run: Run) -> None:
    checked = run("check")
    assert checked.stdout == "mine: 2 contracts, 1 use cases: nothing wrong\n", checked.stderr
    tested = run("test")
    assert tested.returncode == 0, tested.stdout + tested.stderr
    assert "2 passed" in tested.stdout
    assert "cases: 5, 0 failed\nfeature groups and questions on generated events: 1 and 1, 0 failed\n" in tested.stdout
