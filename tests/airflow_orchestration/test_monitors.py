from pathlib import Path

import pytest
import yaml
from airflow.dag_processing.dagbag import DagBag

from airflow_orchestration import monitors
from airflow_orchestration.environment import DAGS
from airflow_orchestration.monitors import EVERY_SIX_HOURS, Monitor
from tidemill.config.project import TRAINED


def declare(folder: Path, name: str, content: object) -> None:
    place = folder / name
    place.mkdir(parents=True)
    for file in TRAINED:
        (place / file).touch()
    (place / "model.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")


def test_a_use_case_is_looked_at_every_six_hours_unless_it_says_otherwise(folder: Path) -> None:
    declare(folder, "basket", {"owner": "pricing", "monitor": {"schedule": "@daily", "window_h": 168}})
    declare(folder, "plain", {"description": "What it is."})
    declare(folder, "window_only", {"monitor": {"window_h": 48}})
    assert monitors.monitors() == [
        Monitor("basket", "@daily", "pricing"),
        Monitor("plain", "0 */6 * * *"),
        Monitor("window_only", "0 */6 * * *"),
    ]


def test_a_setting_moves_a_schedule(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    declare(folder, "churn", {"monitor": {"schedule": "@daily"}})
    monkeypatch.setenv("TIDEMILL_AIRFLOW__SCHEDULES__MONITOR", '{"churn": "5 4 * * *"}')
    assert [monitor.schedule for monitor in monitors.monitors()] == ["5 4 * * *"]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ({"monitor": "hourly"}, "model.yaml: monitor = 'hourly': a mapping is wanted"),
        ({"monitor": {"schedule": "soon"}}, "model.yaml: monitor.schedule = 'soon': must be a cron expression"),
        ({"monitor": {"schedule": 6}}, "model.yaml: schedule = 6: a text is wanted"),
    ],
)
def test_a_file_that_cannot_be_followed_is_told_and_still_looked_at(folder: Path, content: object, why: str) -> None:
    declare(folder, "basket", content)
    (monitor,) = monitors.monitors()
    assert why in monitor.trouble
    assert monitor.schedule == EVERY_SIX_HOURS


def test_the_task_looks_at_the_time_of_its_run(folder: Path, database: None) -> None:
    declare(folder, "basket", {"owner": "pricing"})
    bag = DagBag(dag_folder=str(DAGS / "monitor.py"), bundle_name="dags-folder")
    assert bag.import_errors == {}
    task = bag.dags["monitor_basket"].get_task("look")
    assert task.command[:6] == ["tidemill", "drift", "look", "basket", "--request", "--at"]
    assert "dag_run.run_after" in task.command[6]
    assert task.owner == "pricing"


def test_the_champion_is_judged_by_its_outcomes_and_skipped_while_there_is_nothing_to_judge(
    folder: Path, database: None
) -> None:
    declare(folder, "basket", {})
    bag = DagBag(dag_folder=str(DAGS / "monitor.py"), bundle_name="dags-folder")
    dag = bag.dags["monitor_basket"]
    task = dag.get_task("standing")
    assert task.command == ["tidemill", "models", "standing", "basket", "--request", "--json"]
    assert task.skip_without == "verdict"
    assert not task.upstream_task_ids
    assert "`prediction_outcomes`" in dag.doc_md
