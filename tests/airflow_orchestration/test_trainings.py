from pathlib import Path

import pytest
import yaml
from airflow.dag_processing.dagbag import DagBag

from airflow_orchestration import trainings
from airflow_orchestration.dags import retrain
from airflow_orchestration.environment import DAGS
from airflow_orchestration.trainings import Training
from tidemill.config.project import TRAINED

GOOD = {"description": "What a basket costs.", "schedule": "@daily", "owner": "pricing", "tags": ["regression"]}


def declare(folder: Path, name: str, text: str) -> Path:
    place = folder / name
    place.mkdir(parents=True)
    for file in TRAINED:
        (place / file).touch()
    (place / "model.yaml").write_text(text, encoding="utf-8")
    return place / "model.yaml"


def test_a_use_case_says_when_its_model_is_asked_for_and_whose_it_is(folder: Path) -> None:
    declare(folder, "basket", yaml.safe_dump(GOOD))
    declare(folder, "on_demand", "description: Now and then.\n")
    declare(folder, "no_model", "").unlink()
    assert trainings.trainings() == [
        Training("basket", "What a basket costs.", "@daily", "pricing", ("regression",)),
        Training("on_demand", "Now and then."),
    ]


def test_a_setting_moves_a_schedule(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    declare(folder, "churn", yaml.safe_dump(GOOD))
    monkeypatch.setenv("TIDEMILL_AIRFLOW__SCHEDULES__REQUEST", '{"churn": "5 4 * * *"}')
    assert [one.schedule for one in trainings.trainings()] == ["5 4 * * *"]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a: [", "model.yaml: while parsing"),
        ("- a", "model.yaml: a mapping is wanted"),
        ("schedule: every day", "model.yaml: schedule = 'every day': must be a cron expression"),
        ("schedule: 5", "model.yaml: schedule = 5: a text is wanted"),
        ("owner: [me]", "model.yaml: owner = ['me']: a text is wanted"),
        ("tags: fast", "model.yaml: tags = 'fast': a list of texts is wanted"),
    ],
)
def test_a_file_that_cannot_be_followed_is_named_and_holds_up_no_other(folder: Path, text: str, why: str) -> None:
    declare(folder, "basket", yaml.safe_dump(GOOD))
    declare(folder, "wrong", text)
    good, bad = trainings.trainings()
    assert (good.trouble, good.schedule) == ("", "@daily")
    assert why in bad.trouble
    assert bad.schedule is None


@pytest.fixture
def bag(folder: Path, database: None) -> DagBag:
    declare(folder, "basket", yaml.safe_dump(GOOD))
    declare(folder, "wrong", "schedule: 5")
    return DagBag(dag_folder=str(DAGS), bundle_name="dags-folder")


def test_each_use_case_has_a_dag_of_its_own_that_works_its_requests_off(bag: DagBag) -> None:
    assert bag.import_errors == {}
    basket, wrong = bag.dags["retrain_basket"], bag.dags["retrain_wrong"]
    assert {task.owner for task in basket.tasks} == {"pricing"}
    assert basket.tags >= {"basket", "models", "regression"}
    assert "What a basket costs." in (basket.doc_md or "")
    assert basket.get_task("train").command[:4] == ["tidemill", "retrain", "train", "basket"]
    assert basket.get_task("open_request").use_case == "basket"
    assert "schedule = 5: a text is wanted" in (wrong.doc_md or "")
    assert "trouble" in wrong.tags


def test_the_verdict_on_a_request_that_was_cancelled_before_the_gates_is_no(database: None) -> None:
    gated = {"passed": True, "reasons": []}
    assert retrain.verdict_of({"state": "gated", "gated": gated}) == gated
    assert retrain.verdict_of({"state": "rejected"}) == {"passed": False, "reasons": ["the request is rejected"]}


def test_each_use_case_has_a_dag_of_its_own_that_goes_on_with_its_rollout(bag: DagBag) -> None:
    basket, wrong = bag.dags["rollout_basket"], bag.dags["rollout_wrong"]
    (step,) = basket.tasks
    assert step.command == ["tidemill", "rollout", "step", "basket", "--by", "{{ dag.dag_id }}", "--json"]
    assert (step.owner, step.skip_without) == ("pricing", "action")
    assert "schedule = 5: a text is wanted" in (wrong.doc_md or "")


def test_each_use_case_has_a_dag_of_its_own_that_asks_at_its_times(bag: DagBag) -> None:
    basket, wrong = bag.dags["request_basket"], bag.dags["request_wrong"]
    assert basket.timetable.expression == "0 0 * * *"
    assert [task.command[:4] for task in basket.tasks] == [["tidemill", "retrain", "request", "basket"]]
    assert {task.owner for task in basket.tasks} == {"pricing"}
    assert "schedule = 5: a text is wanted" in (wrong.doc_md or "")
    assert not wrong.timetable.can_be_scheduled
