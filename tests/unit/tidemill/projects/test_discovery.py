"""Which project a process works for, and what it then has."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.tidemill.projects.conftest import Run, edit
from tidemill.config.errors import ConfigError
from tidemill.config.project import Project, find_project, read_project
from tidemill.config.settings import REPO

SCHEMAS = REPO / "tidemill" / "contracts" / "schemas"


def test_the_nearest_project_above_the_working_directory_is_found(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project / "use_cases" / "next_visits")
    assert find_project({}) == project
    monkeypatch.chdir(project.parent)
    assert find_project({}) is None


@pytest.mark.parametrize("place", ["mine", "mine/tidemill.toml"])
def test_the_variable_names_the_folder_or_its_file(place: str, project: Path) -> None:
    assert find_project({"TIDEMILL_PROJECT": str(project.parent / place)}) == project


def test_an_empty_variable_is_the_platform_alone_wherever_one_is(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project)
    assert find_project({"TIDEMILL_PROJECT": ""}) is None
    assert read_project(None) == Project()


def test_a_folder_without_a_project_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"there is no .*tidemill\.toml; `tidemill new .*` makes a project"):
        find_project({"TIDEMILL_PROJECT": str(tmp_path)})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[project\n", "not valid TOML"),
        ("project = 1\n", "write a table"),
        ('[project]\nnme = "a"\n', r"project\.nme: there is no such key; did you mean 'name'"),
        ('[project]\nname = "A b"\n', r"project\.name = 'A b'"),
        ('[project]\nbuiltin = "perhaps"\n', r"project\.builtin = 'perhaps'"),
    ],
)
def test_a_wrong_file_is_named_with_the_key(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "tidemill.toml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=rf"tidemill\.toml: .*{message}|tidemill\.toml: {message}"):
        read_project(tmp_path)


def test_own_definitions_are_beside_the_platforms_or_alone(project: Path) -> None:
    alone, beside = Project(project, builtin=False), Project(project, builtin=True)
    assert [path.stem for path in alone.contract_files()] == ["app.visit.v1", "serving.prediction.v1"]
    assert list(alone.use_cases()) == alone.trained() == ["next_visits"]
    assert {path.stem for path in SCHEMAS.glob("*.*.json")} < {path.stem for path in beside.contract_files()}
    assert list(beside.use_cases()) == ["churn", "fraud", "next_spend", "next_visits"]


def test_a_name_of_the_platforms_is_refused_with_both_places(project: Path) -> None:
    shutil.copy(SCHEMAS / "shop.click.v1.json", project / "contracts")
    (project / "use_cases" / "next_visits").rename(project / "use_cases" / "churn")
    beside = Project(project, builtin=True)
    with pytest.raises(ConfigError, match=rf"'shop\.click\.v1' .*{SCHEMAS}.* and {project}/contracts/shop"):
        beside.contract_files()
    with pytest.raises(ConfigError, match=rf"'churn' .*{REPO}/use_cases/churn .* and {project}/use_cases/churn"):
        beside.use_cases()
    assert len(Project(project, builtin=False).contract_files()) == 3


def test_every_command_in_a_project_sees_its_definitions(run: Run, project: Path) -> None:
    tables = run("lake", "tables", "--help")
    assert tables.returncode == 0
    done = run("produce", "source", "visit")
    assert "no source 'visit'" in done.stderr
    assert "did you mean 'visits'?" in done.stderr
    done = run("features", "get", "--service", "visits", "x")
    assert "next_visits" in done.stderr
    edit(project / "tidemill.toml", "builtin = false", "builtin = maybe")
    assert "not valid TOML" in run("config", "show").stderr


SEEN = """
import json
from airflow_orchestration.trainings import trainings
from feature_store import catalog
from ml_modeling.use_case import use_case_names
from model_serving.app import create_app
from tidemill.config.settings import load_settings
settings = load_settings()
print(json.dumps({
    "paths": sorted(path for path in create_app(settings).openapi()["paths"] if path.startswith("/predict")),
    "dags": [training.use_case for training in trainings()],
    "trained": use_case_names(),
    "features": sorted(catalog.services()),
    "states": [group.name for group in catalog.served_groups(settings.serving.use_cases)],
}))
"""


@pytest.mark.parametrize(("builtin", "others"), [("false", []), ("true", ["churn", "fraud", "next_spend"])])
def test_what_serves_trains_and_schedules_sees_the_projects_use_cases(
    builtin: str, others: list[str], project: Path
) -> None:
    edit(project / "tidemill.toml", "builtin = false", f"builtin = {builtin}")
    shutil.copytree(project / "use_cases" / "next_visits", project / "use_cases" / "visits_again")
    for file in ("features.py", "labels.py"):
        edit(project / "use_cases" / "visits_again" / file, "next_visits", "visits_again")
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(REPO), "TIDEMILL_PROJECT": str(project)}
    done = subprocess.run([sys.executable, "-c", SEEN], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    names = [*others, "next_visits", "visits_again"]
    assert seen.pop("paths") == [f"/predict/{name}" for name in names]
    assert "visits" in seen.pop("states")
    assert seen == {"dags": names, "trained": names, "features": names}


def test_the_option_names_the_project_from_anywhere(run: Run, project: Path, tmp_path: Path) -> None:
    shown = run("--project", str(project), "config", "show", TIDEMILL_PROJECT="", TIDEMILL_HOME=str(tmp_path / "h"))
    assert shown.returncode == 0
    missing = run("--project", str(tmp_path / "no"), "config", "show")
    assert missing.returncode == 1
    assert "there is no" in missing.stderr
