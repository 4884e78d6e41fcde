from datetime import timedelta
from pathlib import Path

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk import DAG

from airflow_orchestration.environment import DAGS
from tidemill.config.settings import REPO

TRAINED = sorted(path.parent.name for path in (REPO / "use_cases").glob("*/model.yaml"))
OF_USE_CASES = {
    file: [f"{file}_{name}" for name in TRAINED] for file in ("monitor", "request", "retrain", "rollout", "score")
}
FILES = {path.stem: [path.stem] for path in DAGS.glob("*.py")} | OF_USE_CASES
DAG_IDS = sorted(dag_id for ids in FILES.values() for dag_id in ids)


@pytest.fixture(scope="module")
def dag_bag(database: None) -> DagBag:
    return DagBag(dag_folder=str(DAGS), bundle_name="dags-folder")


@pytest.fixture(params=DAG_IDS)
def dag(request: pytest.FixtureRequest, dag_bag: DagBag) -> DAG:
    return dag_bag.dags[request.param]


def test_each_file_imports_and_holds_the_dag_it_is_named_after_or_one_a_use_case(dag_bag: DagBag) -> None:
    assert dag_bag.import_errors == {}
    found: dict[str, list[str]] = {}
    for dag_id, dag in sorted(dag_bag.dags.items()):
        found.setdefault(Path(dag.fileloc).stem, []).append(dag_id)
    assert found == FILES


def test_a_dag_runs_once_at_a_time_and_never_for_the_past(dag: DAG) -> None:
    assert dag.max_active_runs == 1
    assert dag.catchup is False
    assert dag.dagrun_timeout is not None


def test_the_ui_says_what_a_dag_is_for_and_what_to_do_when_it_fails(dag: DAG) -> None:
    assert dag.description
    assert dag.tags
    assert dag.doc_md is not None
    assert "fails**" in dag.doc_md


def test_every_task_has_an_owner_an_explanation_and_a_time_limit(dag: DAG) -> None:
    for task in dag.tasks:
        assert task.owner == "tidemill", task.task_id
        assert task.doc_md, task.task_id
        assert timedelta() < task.execution_timeout <= timedelta(hours=2), task.task_id


def test_every_platform_command_is_tried_again_after_growing_pauses(dag: DAG) -> None:
    commands = [task for task in dag.tasks if task.task_type == "PlatformCommandOperator"]
    assert commands
    for task in commands:
        assert task.retries >= 1, task.task_id
        assert task.retry_exponential_backoff > 1, task.task_id
        assert task.max_retry_delay is not None, task.task_id


def test_tasks_that_start_spark_share_the_pool_of_one_slot(dag_bag: DagBag) -> None:
    pooled = {
        f"{dag_id}.{task.task_id}" for dag_id, dag in dag_bag.dags.items() for task in dag.tasks if task.pool == "spark"
    }
    assert pooled == {
        "feature_consistency.compare_churn",
        "lakehouse_gold.check_transactions",
        "lakehouse_gold.customer_daily",
        "lakehouse_gold.daily_product_sales",
        "lakehouse_gold.sessions",
        *(f"score_{name}.score" for name in TRAINED),
        *(f"retrain_{name}.{task}" for name in TRAINED for task in ("check_data", "train")),
        "prediction_outcomes.join_outcomes",
    }


def test_each_gold_table_has_a_task_between_the_check_of_its_source_and_the_record(dag_bag: DagBag) -> None:
    dag = dag_bag.dags["lakehouse_gold"]
    names = {file.stem for file in (REPO / "use_cases").glob("*/gold/*.yaml")}
    assert names == {"customer_daily", "daily_product_sales", "sessions"}
    assert set(dag.task_ids) == names | {"new_silver_commits", "check_transactions", "record_handled"}
    assert dag.get_task("new_silver_commits").tables == ("silver/sessions", "silver/transactions")
    for name in names:
        task = dag.get_task(name)
        assert task.command == ["tidemill", "lake", "refresh", name]
        before = "new_silver_commits" if name == "sessions" else "check_transactions"
        assert (task.upstream_task_ids, task.downstream_task_ids) == ({before}, {"record_handled"})
    check = dag.get_task("check_transactions")
    assert check.command == ["tidemill", "quality", "run", "silver/transactions"]
    assert (check.upstream_task_ids, check.downstream_task_ids) == ({"new_silver_commits"}, names - {"sessions"})
