from pathlib import Path
from typing import Any

import pytest
import yaml
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk import DAG

from airflow_orchestration.environment import DAGS
from airflow_orchestration.gold_tables import GoldTable, gold_tables
from tests.unit.tidemill.projects.conftest import edit
from tidemill.config.project import current_project

CONTRACT = '{"x-topic": "app.visit.v1", "x-table": "visits"}'
GOOD = {"description": "What was visited a day", "source": "app.visit.v1", "owner": "web"}


@pytest.fixture
def project(project: Path) -> Path:
    """With a contract, and no gold table yet."""
    (project / "contracts").mkdir()
    (project / "contracts" / "app.visit.v1.json").write_text(CONTRACT, encoding="utf-8")
    return project


def declare(project: Path, name: str, content: Any) -> None:
    file = project / "use_cases" / "pages" / "gold" / f"{name}.yaml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content if isinstance(content, str) else yaml.safe_dump(content), encoding="utf-8")


def dag_of(project: Path) -> DAG | None:
    bag = DagBag(dag_folder=str(DAGS / "lakehouse_gold.py"), bundle_name="dags-folder")
    assert bag.import_errors == {}
    return bag.dags.get("lakehouse_gold")


def test_a_declaration_says_what_is_made_of_what_and_whose_it_is(project: Path) -> None:
    declare(project, "visits_daily", GOOD)
    declare(project, "own_predictions", {"source": "serving.prediction.v1"})
    assert gold_tables() == [
        GoldTable("own_predictions", "", "silver/predictions"),
        GoldTable("visits_daily", "What was visited a day", "silver/visits", "web"),
    ]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("a: [", "wrong.yaml: while parsing"),
        ("- a", "wrong.yaml: a mapping is wanted"),
        ("source: a\nsource: b\n", "key 'source' is there twice"),
        ({"source": 5}, "wrong.yaml: source = 5: a text is wanted"),
        (GOOD | {"owner": ["me"]}, "wrong.yaml: owner = ['me']: a text is wanted"),
        ({}, "wrong.yaml: source = '': no contract has this topic"),
        ({"source": "app.visits.v1"}, "wrong.yaml: source = 'app.visits.v1': no contract has this topic"),
    ],
)
def test_a_file_that_cannot_be_followed_is_named_and_holds_up_no_other(project: Path, content: Any, why: str) -> None:
    declare(project, "visits_daily", GOOD)
    declare(project, "wrong", content)
    good, bad = gold_tables()
    assert (good.trouble, good.silver) == ("", "silver/visits")
    assert why in bad.trouble
    assert bad.silver == ""


def test_a_contract_without_a_table_is_named(project: Path) -> None:
    declare(project, "visits_daily", GOOD)
    edit(project / "contracts" / "app.visit.v1.json", "x-table", "x-tables")
    (table,) = gold_tables()
    assert "app.visit.v1.json names no x-table" in table.trouble


def test_a_projects_gold_tables_are_tasks_and_a_broken_file_is_one_with_the_reason(
    project: Path, database: None
) -> None:
    assert dag_of(project) is None
    declare(project, "visits_daily", GOOD)
    declare(project, "wrong", "source: [app.visit.v1]")
    dag = dag_of(project)
    assert dag is not None
    assert "trouble" in dag.tags
    assert dag.timetable.can_be_scheduled
    assert dag.get_task("new_silver_commits").tables == ("silver/visits",)
    good, wrong = dag.get_task("visits_daily"), dag.get_task("wrong")
    assert (good.owner, good.doc_md) == ("web", "`gold/visits_daily`: What was visited a day.")
    assert "source = ['app.visit.v1']: a text is wanted" in wrong.doc_md
    assert wrong.command == ["tidemill", "lake", "refresh", "wrong"]
    assert (good.upstream_task_ids, wrong.upstream_task_ids) == ({"new_silver_commits"}, {"new_silver_commits"})
    assert wrong.task_id not in good.upstream_task_ids


def test_with_no_file_that_can_be_followed_the_dag_runs_on_demand_and_tells_why(project: Path, database: None) -> None:
    declare(project, "wrong", "source: [app.visit.v1]")
    dag = dag_of(project)
    assert dag is not None
    assert dag.task_ids == ["wrong"]
    assert not dag.timetable.can_be_scheduled


def test_the_shops_tables_are_those_of_a_project_that_has_the_platforms_own(project: Path, database: None) -> None:
    declare(project, "visits_daily", GOOD)
    edit(project / "tidemill.toml", "false", "true")
    current_project.cache_clear()
    dag = dag_of(project)
    assert dag is not None
    assert {"customer_daily", "daily_product_sales", "sessions", "visits_daily"} < set(dag.task_ids)
    assert dag.get_task("new_silver_commits").tables == (
        "silver/sessions",
        "silver/transactions",
        "silver/visits",
    )


def expect(project: Path, text: str) -> None:
    file = project / "use_cases" / "pages" / "expectations" / "visits.yaml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")


@pytest.mark.parametrize(
    ("text", "is_judged"),
    [("table: silver/visits", True), ("table: silver/predictions", False), ("a: [", True), ("table: 5", True)],
)
def test_what_is_expected_of_a_source_is_judged_before_gold_and_so_is_each_when_a_file_is_unreadable(
    project: Path, database: None, text: str, is_judged: bool
) -> None:
    declare(project, "visits_daily", GOOD)
    expect(project, text)
    dag = dag_of(project)
    assert dag is not None
    before = "check_visits" if is_judged else "new_silver_commits"
    assert dag.get_task("visits_daily").upstream_task_ids == {before}
    assert ("check_visits" in dag.task_ids) is is_judged
