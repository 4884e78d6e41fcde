"""Promotion, audit and rollback on the real MLflow server."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from ml_modeling.registry import MlflowMissingError, audit, champion_version, tags
from ml_modeling.registry.audit import AuditRecord
from ml_modeling.registry.connection import connect
from ml_modeling.registry.promotion import (
    NothingToRollBackError,
    OnRollout,
    PromotionOvertakenError,
    promote,
    repair,
    retire,
    rollback,
)
from ml_modeling.registry.versions import GateNotPassedError, get_version, list_versions, register
from monitoring.control import LeaseLostError
from tidemill.config import Settings

pytestmark = pytest.mark.usefixtures("mlflow_server")


@pytest.fixture
def gated(settings: Settings, name: str):
    """Makes a run as training, evaluation and gates leave it; the value is its id."""

    def make(verdict: str | None = tags.PASSED, champion: str | None = None, roc_auc: float = 0.75) -> str:
        client = connect(settings)
        found = client.get_experiment_by_name(name)
        experiment = found.experiment_id if found else client.create_experiment(name)
        run_id = str(client.create_run(experiment, tags={tags.USE_CASE: name}).info.run_id)
        model = client.create_logged_model(experiment, name="model", source_run_id=run_id)
        client.finalize_logged_model(model.model_id, "READY")
        client.set_tag(run_id, tags.MODEL_URI, f"models:/{model.model_id}")
        client.log_metric(run_id, "test.roc_auc", roc_auc)
        if verdict:
            client.set_tag(run_id, tags.GATE, verdict)
            client.set_tag(run_id, tags.GATE_CHAMPION, champion or "")
            client.set_tag(run_id, tags.GATE_CHAMPION_MODEL, key_of(settings, name, champion) if champion else "")
            client.set_tag(run_id, tags.GATE_REASONS, "" if verdict == tags.PASSED else "floor of roc_auc: 0.5")
        client.set_terminated(run_id)
        return run_id

    return make


@pytest.fixture
def promoted(settings: Settings, name: str, gated):
    """Registers and promotes so many versions in a row."""

    def make(count: int) -> None:
        for number in range(count):
            champion = str(number) if number else None
            version = register(settings, name, gated(champion=champion)).version
            promote(settings, name, version, f"version {version}", "ada")

    return make


def key_of(settings: Settings, name: str, version: str) -> str:
    return get_version(settings, name, version).identity.key


def states(settings: Settings, name: str) -> list[tuple[str, str | None, str | None, str]]:
    return [(r.action, r.from_version, r.to_version, r.state) for r in audit.trail(settings, name)]


def ends(began, check=lambda: None):
    return OnRollout(began, "direct", check, "request-1")


def test_a_rollout_promotes_once_whatever_became_of_its_model(settings, name, gated):
    rollout = ends("epoch 1 of monday")
    first = promote(settings, name, register(settings, name, gated()).version, "drift", "worker", rollout)
    promote(settings, name, register(settings, name, gated(champion="1")).version, "better", "ada")
    assert promote(settings, name, "1", "drift", "another worker", rollout) == first
    assert champion_version(settings, name) == "2"
    assert first.request_id == "request-1"
    assert [record.request_id for record in audit.trail(settings, name)] == ["request-1", ""]


def test_a_rollout_of_a_control_store_made_anew_is_another_one_under_the_same_epoch(settings, name, gated):
    promote(settings, name, register(settings, name, gated()).version, "drift", "worker", ends("epoch 1 of monday"))
    second = register(settings, name, gated(champion="1")).version
    assert promote(settings, name, second, "drift", "worker", ends("epoch 1 of friday")).to_version == second
    assert champion_version(settings, name) == second


def test_who_may_not_go_on_moves_no_alias_and_the_trail_says_why(settings, name, gated):
    def lost():
        raise LeaseLostError("the lease with token 1 is lost")

    version = register(settings, name, gated()).version
    with pytest.raises(LeaseLostError):
        promote(settings, name, version, "drift", "worker", ends("epoch 1 of monday", lost))
    assert champion_version(settings, name) is None
    (record,) = audit.trail(settings, name)
    assert (record.state, record.note) == ("abandoned", "the alias did not move: the lease with token 1 is lost")


def test_register_again_for_the_same_run_returns_the_same_version(settings, name, gated):
    run_id = gated()
    first, second = register(settings, name, run_id), register(settings, name, run_id)
    assert (first.version, first.aliases) == ("1", ("challenger",))
    assert second == first
    assert len(list_versions(settings, name)) == 1


def test_register_at_the_same_time_makes_one_version(settings, name, gated):
    run_id = gated()
    made: list[str] = []
    threads = [threading.Thread(target=lambda: made.append(register(settings, name, run_id).version)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made == ["1"] * 4


@pytest.mark.parametrize(("verdict", "reason"), [(None, "not gated"), (tags.FAILED, "floor of roc_auc: 0.5")])
def test_a_run_that_did_not_pass_its_gates_is_not_registered(settings, name, gated, verdict, reason):
    with pytest.raises(GateNotPassedError, match=reason):
        register(settings, name, gated(verdict))
    assert list_versions(settings, name) == []


def test_a_promotion_moves_the_alias_and_says_who_when_from_to_metrics_and_why(settings, name, gated, promoted):
    promoted(1)
    version = register(settings, name, gated(champion="1", roc_auc=0.81)).version
    record = promote(settings, name, version, "better", "ada")
    assert champion_version(settings, name) == "2"
    stored = audit.trail(settings, name)[-1]
    assert stored == record
    assert (stored.state, stored.who, stored.reason) == ("completed", "ada", "better")
    assert (stored.from_version, stored.to_version, stored.metrics) == ("1", "2", {"roc_auc": 0.81})
    assert [v.aliases for v in list_versions(settings, name)] == [("champion",), ()]


def test_promoting_the_champion_again_changes_nothing(settings, name, promoted):
    promoted(1)
    before = audit.trail(settings, name)
    assert promote(settings, name, "1", "again", "ada") == before[-1]
    assert audit.trail(settings, name) == before


def test_a_version_judged_against_a_former_champion_is_not_promoted(settings, name, gated, promoted):
    early = register(settings, name, gated()).version
    run_id = gated()
    promote(settings, name, register(settings, name, run_id).version, "first", "ada")
    with pytest.raises(GateNotPassedError, match=r"judged against champion none, which is now 2 \(model m-"):
        promote(settings, name, early, "late", "ada")
    assert champion_version(settings, name) == "2"


def test_a_version_that_does_not_exist_leaves_no_record(settings, name, promoted):
    promoted(1)
    with pytest.raises(MlflowMissingError, match="version 99"):
        promote(settings, name, "99", "typo", "ada")
    assert states(settings, name) == [("promote", None, "1", "completed")]


def test_rollbacks_walk_back_through_the_champions(settings, name, promoted):
    promoted(3)
    assert rollback(settings, name, "worse live", "bob").to_version == "2"
    assert rollback(settings, name, "worse still", "bob").to_version == "1"
    assert champion_version(settings, name) == "1"
    with pytest.raises(NothingToRollBackError):
        rollback(settings, name, "further", "bob")
    assert [state[:3] for state in states(settings, name)][3:] == [("rollback", "3", "2"), ("rollback", "2", "1")]


def test_readers_never_see_no_champion_during_promotions(settings, name, promoted):
    promoted(2)
    seen: list[str | None] = []
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            seen.append(champion_version(settings, name))

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    try:
        for number in range(6):
            client = connect(settings)
            run_id = client.get_model_version(name, "1").run_id
            client.set_tag(run_id, tags.GATE_CHAMPION_MODEL, key_of(settings, name, "2"))
            if number % 2:
                rollback(settings, name, "back", "ada")
            else:
                promote(settings, name, "1", "forth", "ada")
    finally:
        done.set()
        for reader in readers:
            reader.join()
    assert set(seen) == {"1", "2"}


class Crash(BaseException):
    """The process ends here."""


def crash(*_: object) -> None:
    raise Crash


def test_a_crash_before_the_alias_moved_is_recorded_as_abandoned(settings, name, gated, promoted, monkeypatch):
    promoted(1)
    version = register(settings, name, gated(champion="1")).version
    with monkeypatch.context() as patch, pytest.raises(Crash):
        patch.setattr("mlflow.MlflowClient.set_registered_model_alias", crash)
        promote(settings, name, version, "better", "ada")
    assert states(settings, name)[-1] == ("promote", "1", "2", "intended")
    assert champion_version(settings, name) == "1"
    assert repair(settings, name)[-1].state == "abandoned"
    promote(settings, name, version, "better, again", "ada")
    assert [state[3] for state in states(settings, name)] == ["completed", "abandoned", "completed"]


def test_a_crash_after_the_alias_moved_is_completed_later(settings, name, gated, promoted, monkeypatch):
    promoted(1)
    version = register(settings, name, gated(champion="1")).version
    with monkeypatch.context() as patch, pytest.raises(Crash):
        patch.setattr(audit, "close", crash)
        promote(settings, name, version, "better", "ada")
    assert champion_version(settings, name) == "2"
    assert states(settings, name)[-1] == ("promote", "1", "2", "intended")
    retried = promote(settings, name, version, "better", "ada")
    assert (retried.state, retried.reason) == ("completed", "better")
    assert "completed later" in retried.note
    assert len(states(settings, name)) == 2
    assert rollback(settings, name, "worse", "bob").to_version == "1"


def test_an_alias_moved_by_hand_is_found_and_recorded(settings, name, gated, promoted):
    promoted(1)
    register(settings, name, gated(champion="1"))
    connect(settings).set_registered_model_alias(name, "champion", "2")
    observed = repair(settings, name)[-1]
    assert (observed.action, observed.from_version, observed.to_version) == ("observed", "1", "2")
    assert rollback(settings, name, "not ours", "bob").to_version == "1"


def test_a_model_made_anew_is_not_taken_for_the_one_of_its_number(settings, name, gated, promoted):
    promoted(2)
    by_hand(settings, name, gated(verdict=None), gated(verdict=None))
    observed = repair(settings, name)[-1]
    assert (observed.action, observed.from_version, observed.to_version) == ("observed", "2", "1")
    with pytest.raises(NothingToRollBackError, match=r"version 2 of .* and that number is another model's now"):
        rollback(settings, name, "worse", "bob")
    assert champion_version(settings, name) == "1"


def test_a_model_made_anew_under_the_number_of_the_champion_is_recorded(settings, name, gated, promoted):
    promoted(1)
    by_hand(settings, name, gated(verdict=None))
    observed = repair(settings, name)[-1]
    assert (observed.from_version, observed.to_version) == ("1", "1")
    assert "deleted and made anew" in observed.reason
    assert repair(settings, name)[-1] == observed


def test_a_gate_that_compared_with_a_deleted_model_says_nothing_about_the_one_of_its_number(
    settings, name, gated, promoted
):
    promoted(1)
    run_id = gated(champion="1")
    by_hand(settings, name, gated(verdict=None))
    version = register(settings, name, run_id).version
    with pytest.raises(GateNotPassedError, match="judged against champion 1, which is now 1"):
        promote(settings, name, version, "better", "ada")


def test_another_model_of_a_run_that_passed_is_not_promoted(settings, name, gated, promoted):
    promoted(1)
    run_id = gated(champion="1")
    client = connect(settings)
    experiment = client.get_experiment_by_name(name).experiment_id
    other = client.create_logged_model(experiment, name="other", source_run_id=run_id)
    register_by_hand(settings, name, run_id, other.model_id)
    with pytest.raises(GateNotPassedError, match=rf"version 2 of .* is model {other.model_id} .* the gates judged"):
        promote(settings, name, "2", "better", "ada")
    assert register(settings, name, run_id).version == "3"


def test_a_rollback_leaves_out_a_champion_put_there_by_hand_and_one_that_is_gone(
    settings, name, gated, promoted, caplog
):
    promoted(2)
    client = connect(settings)
    register_by_hand(settings, name, gated(verdict=None))
    client.set_registered_model_alias(name, "champion", "3")
    repair(settings, name)
    version = register(settings, name, gated(champion="3")).version
    promote(settings, name, version, "better", "ada")
    client.delete_model_version(name, "2")
    assert rollback(settings, name, "worse", "bob").to_version == "1"
    assert "version 3" in caplog.text and "without having passed its gates" in caplog.text
    assert "version 2" in caplog.text and "not in the registry any more" in caplog.text


def test_without_anybody_to_go_back_to_the_champion_can_be_retired(settings, name, gated, promoted):
    by_hand(settings, name, gated(verdict=None))
    with pytest.raises(NothingToRollBackError, match=f"tidemill models retire {name}"):
        rollback(settings, name, "unusable", "bob")
    assert retire(settings, name, "unusable", "bob").state == "completed"
    assert champion_version(settings, name) is None
    promote(settings, name, register(settings, name, gated()).version, "first of ours", "ada")
    with pytest.raises(NothingToRollBackError):
        rollback(settings, name, "worse", "bob")
    assert states(settings, name) == [
        ("observed", None, "1", "completed"),
        ("retire", "1", None, "completed"),
        ("promote", None, "2", "completed"),
    ]


def register_by_hand(settings: Settings, name: str, run_id: str, model_id: str | None = None) -> None:
    """As somebody does in MLflow's pages, without a word of ours: the model that a run logged, or another one."""
    client = connect(settings)
    which = model_id or client.get_run(run_id).data.tags[tags.MODEL_URI].removeprefix("models:/")
    client.create_model_version(name, source=f"models:/{which}", run_id=run_id, model_id=which)


def by_hand(settings: Settings, name: str, *runs: str) -> None:
    """Deletes the registered model if there is one and makes it anew with a version of each run, the first champion."""
    client = connect(settings)
    if list_versions(settings, name):
        client.delete_registered_model(name)
    client.create_registered_model(name)
    for run_id in runs:
        register_by_hand(settings, name, run_id)
    client.set_registered_model_alias(name, "champion", "1")


def test_runs_that_are_no_audit_records_are_told_and_left_out(settings, name, gated, promoted, caplog):
    promoted(1)
    client = connect(settings)
    experiment = client.get_experiment_by_name(f"{name}-promotions").experiment_id
    other = audit.trail(settings, name)[0].model_copy(update={"use_case": "another"})
    bodies = [None, "", "{", "{}", "[]", other.model_dump_json(exclude={"id", "state", "note"})]
    strays = []
    for body in bodies:
        strays.append(client.create_run(experiment, tags={} if body is None else {tags.AUDIT: body}).info.run_id)
        client.set_terminated(strays[-1])
    killed = audit.intend(settings, AuditRecord(action="promote", use_case=name, from_version="1", who="a", reason="-"))
    client.set_terminated(killed.id, "KILLED")
    client.delete_run(strays[0])

    assert states(settings, name) == [("promote", None, "1", "completed")]
    assert [run_id for run_id in [*strays, killed.id] if run_id not in caplog.text] == []
    assert "it is KILLED" in caplog.text
    promote(settings, name, register(settings, name, gated(champion="1")).version, "better", "ada")
    assert rollback(settings, name, "worse", "bob").to_version == "1"


def test_a_tag_that_holds_no_metrics_is_told_and_the_version_is_listed(settings, name, promoted, caplog):
    promoted(1)
    connect(settings).set_model_version_tag(name, "1", tags.METRICS, "no JSON")
    assert [(version.version, version.metrics) for version in list_versions(settings, name)] == [("1", {})]
    assert f"version 1 of {name} has no metrics" in caplog.text


def test_the_champion_is_listed_on_a_server_of_more_models_than_a_page(settings, name, promoted):
    client = connect(settings)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: client.create_registered_model(f"a page {name} {number}"), range(100)))
    promoted(1)
    listed = [version for version in list_versions(settings) if version.name == name]
    assert [version.aliases for version in listed] == [("champion",)]


def test_another_host_in_the_middle_of_a_promotion_is_waited_for(settings, name, gated, promoted):
    promoted(1)
    register(settings, name, gated(champion="1"))
    elsewhere = AuditRecord(
        action="promote", use_case=name, from_version="1", to_version="2", who="eve", reason="-", host="elsewhere"
    )
    audit.intend(settings, elsewhere)
    with pytest.raises(PromotionOvertakenError, match="eve on elsewhere"):
        promote(settings, name, "2", "better", "ada")
    assert champion_version(settings, name) == "1"


def test_a_record_deleted_in_mlflows_pages_stays_in_the_trail(settings, name, promoted):
    promoted(2)
    connect(settings).delete_run(audit.trail(settings, name)[0].id)
    assert [record.to_version for record in audit.trail(settings, name)] == ["1", "2"]


def test_the_command_prints_one_json_document(name, promoted, models_command):
    promoted(2)
    listed = models_command("list", name, "--json")
    assert [(row["version"], row["aliases"]) for row in json.loads(listed)] == [("2", ["champion"]), ("1", [])]
    rolled = json.loads(models_command("rollback", name, "--reason", "worse", "--by", "bob", "--json"))
    assert (rolled["from_version"], rolled["to_version"], rolled["who"]) == ("2", "1", "bob")
    assert len(json.loads(models_command("audit", name, "--json"))) == 3
