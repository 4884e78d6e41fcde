from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk.execution_time import macros

from airflow_orchestration.environment import DAGS
from airflow_orchestration.scorings import ScoringRun, scoring_runs
from tests.airflow_orchestration.test_trainings import declare

GOOD = {"cutoffs": {}, "scoring": {"schedule": "@daily"}, "owner": "pricing", "tags": ["regression"]}


def test_a_use_case_says_when_everybody_is_scored_and_whether_these_are_events(folder: Path) -> None:
    declare(folder, "basket", yaml.safe_dump(GOOD))
    declare(folder, "on_demand", "periods: {}\nschedule: '@daily'\n")
    assert scoring_runs() == [
        ScoringRun("basket", "@daily", False, "pricing", ("regression",)),
        ScoringRun("on_demand", None, True),
    ]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("- a", "model.yaml: a mapping is wanted"),
        ("scoring: daily", "model.yaml: scoring = 'daily': a mapping is wanted"),
        ("scoring: {schedule: every day}", "model.yaml: scoring.schedule = 'every day': must be a cron expression"),
    ],
)
def test_a_file_that_cannot_be_followed_is_named_and_holds_up_no_other(folder: Path, text: str, why: str) -> None:
    declare(folder, "basket", yaml.safe_dump(GOOD))
    declare(folder, "wrong", text)
    good, bad = scoring_runs()
    assert (good.trouble, good.schedule) == ("", "@daily")
    assert why in bad.trouble
    assert bad.schedule is None


def test_each_use_case_has_a_dag_that_scores(folder: Path, database: None) -> None:
    declare(folder, "basket", yaml.safe_dump(GOOD))
    declare(folder, "payment", "periods: {}\n")
    declare(folder, "wrong", "scoring: 5")
    bag = DagBag(dag_folder=str(DAGS / "score.py"), bundle_name="dags-folder")
    assert bag.import_errors == {}
    basket, payment, wrong = (bag.dags[f"score_{name}"] for name in ("basket", "payment", "wrong"))
    assert basket.get_task("score").command == ["tidemill", "models", "score", "basket", "--json"]
    assert set(basket.get_task("score").options) == {"--at", "--version"}
    assert set(payment.get_task("score").options) == {"--from", "--to", "--version"}
    assert basket.timetable.can_be_scheduled
    assert not payment.timetable.can_be_scheduled
    assert {task.owner for task in basket.tasks} == {"pricing"}
    assert basket.tags >= {"basket", "models", "regression"}
    assert "scoring = 5: a mapping is wanted" in (wrong.doc_md or "")
    assert "trouble" in wrong.tags


@pytest.mark.parametrize(
    ("of", "conf", "expected"),
    [
        ("cutoffs", {}, {"--at": "2026-03-02T05:00:00.000000Z"}),
        ("cutoffs", {"at": "2026-01-01"}, {"--at": "2026-01-01"}),
        ("periods", {}, {"--from": "2026-03-01T05:00:00.000000Z", "--to": "2026-03-02T05:00:00.000000Z"}),
        ("periods", {"begin": "2026-01-01"}, {"--from": "2026-01-01", "--to": "2026-03-02T05:00:00.000000Z"}),
    ],
)
def test_the_times_are_those_of_the_run_or_of_its_configuration(
    of: str, conf: dict[str, str], expected: dict[str, str], folder: Path, database: None
) -> None:
    declare(folder, "basket", yaml.safe_dump({of: {}}))
    bag = DagBag(dag_folder=str(DAGS / "score.py"), bundle_name="dags-folder")
    task = bag.dags["score_basket"].get_task("score")
    asked = dict.fromkeys(bag.dags["score_basket"].params) | conf
    run = SimpleNamespace(run_after=datetime(2026, 3, 2, 5, tzinfo=UTC))
    rendered = task.render_template(task.options, {"params": asked, "dag_run": run, "macros": macros})
    assert rendered == expected | {"--version": ""}
