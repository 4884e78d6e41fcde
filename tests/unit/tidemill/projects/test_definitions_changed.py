"""`tidemill up` starts again what runs on other definitions than those that are there."""

from pathlib import Path

from tests.unit.tidemill.projects.conftest import edit
from tidemill.config.settings import load_settings
from tidemill.stack.definitions import definitions_digest, definitions_environment


def test_definitions_are_the_same_until_one_of_them_changes(project: Path) -> None:
    before = definitions_digest(project)
    edit(project / "tests" / "visits.yaml", "label: 2", "label: 3")
    (project / "use_cases" / "next_visits" / "__pycache__").mkdir()
    assert definitions_digest(project) == before
    edit(project / "use_cases" / "next_visits" / "labels.py", "days(14)", "days(15)")
    changed = definitions_digest(project)
    (project / "use_cases" / "next_visits").rename(project / "use_cases" / "visits")
    renamed = definitions_digest(project)
    (project / "contracts" / "app.page.v1.json").write_text("{}", encoding="utf-8")
    assert len({before, changed, renamed, definitions_digest(project)}) == 4


def test_those_who_read_definitions_at_their_start_are_told_which(project: Path, tmp_path: Path) -> None:
    settings = load_settings({"TIDEMILL_PROJECT": str(project)})
    assert definitions_environment(settings) == {"PROJECT_DEFINITIONS": definitions_digest(project)}
    assert definitions_environment(load_settings({"TIDEMILL_PROJECT": "", "TIDEMILL_HOME": str(tmp_path)})) == {}
