"""Train, evaluate, gate, register, promote and load, on the real MLflow server; the frame is made here."""

import os
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass, replace

import httpx
import mlflow
import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from ml_modeling.evaluation.report import EvaluationReport
from ml_modeling.frames.leakage import LeakageError
from ml_modeling.gates import GateReport
from ml_modeling.lifecycle import evaluate_run, gate_run, train
from ml_modeling.registry import CHAMPION, ModelCache, alias_version, tags
from ml_modeling.registry.answers import answer
from ml_modeling.registry.connection import connect
from ml_modeling.registry.promotion import promote, retire
from ml_modeling.registry.served import UnreadableModelError
from ml_modeling.registry.versions import GateNotPassedError, Version, list_versions, register
from ml_modeling.specification import BinaryFairness
from ml_modeling.tracking import runs
from ml_modeling.tracking.runs import UnusableRunError, existing_run
from ml_modeling.training.train import TrainedModel
from ml_modeling.use_case import UseCase
from tests.cases.small_churn import CHURN, churn, data, quiet
from tidemill.stack.machine.ports import free_ports
from tidemill.stack.supervision.running import stop_group

pytestmark = pytest.mark.usefixtures("mlflow_server")


@dataclass(frozen=True)
class Promoted:
    """The first champion of a use case, and what each step of its life gave."""

    use_case: UseCase
    run: runs.TrainingRun
    trained: TrainedModel
    report: EvaluationReport
    verdict: GateReport
    version: Version


@pytest.fixture
def use_case(name):
    return churn(name)


@pytest.fixture(scope="module")
def champion(settings, mlflow_server):
    """A champion that tests only read, or compare with."""
    use_case = churn("read-by-all")
    run, trained = train(settings, use_case, data, quiet)
    report = evaluate_run(settings, use_case, run.run_id)
    verdict = gate_run(settings, use_case, run.run_id)
    version = register(settings, use_case.name, run.run_id)
    promote(settings, use_case.name, version.version, "first", "ada")
    return Promoted(use_case, run, trained, report, verdict, version)


def passed_run(settings, use_case, seed=0):
    run, _ = train(settings, use_case, lambda: data(seed=seed), quiet)
    evaluate_run(settings, use_case, run.run_id)
    assert gate_run(settings, use_case, run.run_id).passed
    return run.run_id


def artefacts(settings, run_id, path=None):
    found = connect(settings).list_artifacts(run_id, path)
    return {file.path for file in found if not file.is_dir} | {
        inner for folder in found if folder.is_dir for inner in artefacts(settings, run_id, folder.path)
    }


def test_a_model_goes_from_training_to_the_server(settings, champion, tmp_path):
    name, trained, metric = champion.use_case.name, champion.trained, champion.report.metrics["roc_auc"]
    served = ModelCache(tmp_path).load(settings, alias_version(settings, name, CHAMPION))
    assert (champion.verdict.passed, champion.verdict.champion) == (True, None)
    assert served.identity == champion.version.identity == champion.run.model()
    assert len(served.identity.digest) == 64
    answered = answer(served.spec, served.pipeline, trained.test.x)
    expected = trained.pipeline.predict_proba(trained.test.x)[:, 1]
    described = connect(settings).get_model_version(name, champion.version.version).description
    assert (CHURN.spec.description in described, champion.run.run_id in described) == (True, True)
    assert answered.scores == pytest.approx(expected, abs=1e-9)
    assert metric.low < metric.value < metric.high
    assert champion.version.metrics["roc_auc"] == pytest.approx(metric.value)


def test_mlflows_own_server_answers_what_ours_answers(settings, champion, environment, tmp_path):
    name, trained = champion.use_case.name, champion.trained
    served = ModelCache(tmp_path).load(settings, alias_version(settings, name, CHAMPION))
    turned = pd.DataFrame(trained.test.x, columns=served.features)[list(reversed(served.features))]
    with mlflow_serving(settings, f"models:/{name}@champion", environment, tmp_path / "log") as client:
        response = client.post("/invocations", json={"dataframe_split": turned.to_dict(orient="split")})
        lacking = client.post("/invocations", json={"dataframe_split": turned.iloc[:, 1:].to_dict(orient="split")})
    scores = [positive for _, positive in response.json()["predictions"]]
    answered = answer(served.spec, served.pipeline, trained.test.x)
    assert scores == pytest.approx(answered.scores, abs=1e-9)
    assert tuple(served.spec.decisions[score >= served.spec.threshold] for score in scores) == answered.decisions
    assert set(answered.decisions) == set(served.spec.decisions)
    assert (lacking.status_code, turned.columns[0] in lacking.text) == (400, True)


@contextmanager
def mlflow_serving(settings, uri, environment, log):
    """A client of ``mlflow models serve``."""
    (port,) = free_ports(1)
    programs = str(settings.platform_environment / "bin")
    line = [
        f"{programs}/mlflow",
        "models",
        "serve",
        "-m",
        uri,
        "--env-manager",
        "local",
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
    ]
    path = os.pathsep.join([programs, os.environ["PATH"]])  # MLflow calls `uvicorn`
    variables = os.environ | environment | {"MLFLOW_TRACKING_URI": settings.mlflow.tracking_uri, "PATH": path}
    with log.open("wb") as output:
        process = subprocess.Popen(line, env=variables, stdout=output, stderr=output, start_new_session=True)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
            deadline = time.monotonic() + 120
            while not _is_up(client):
                assert process.poll() is None and time.monotonic() < deadline, log.read_text(encoding="utf-8")
                time.sleep(0.2)
            yield client
    finally:
        stop_group(process, 10)


def _is_up(client):
    try:
        return client.get("/ping").status_code == 200
    except httpx.TransportError:
        return False


def test_the_run_holds_lineage_plots_and_the_model_card(settings, champion):
    run_id = champion.run.run_id
    found = connect(settings).get_run(run_id).data
    assert found.params["table.silver/transactions"] == "version 4"
    assert (found.params["feature_service"], found.params["definition.sha256"]) == ("churn", CHURN.digest)
    assert "| events.left_out | 1 before 2026-01-05 (from 2001-05-05 on) |" in found.tags[tags.NOTE]
    assert artefacts(settings, run_id) >= {
        "evaluation/calibration.png",
        "evaluation/curves.png",
        "evaluation/groups.png",
        "evaluation/report.json",
        "evaluation/shap_importance.json",
        "evaluation/shap_summary.png",
        "environment/packages.txt",
        "gate/report.json",
        "model_card.md",
        "search/trials.json",
    }
    importance = existing_run(settings, champion.use_case.name, run_id).read_json("evaluation/shap_importance.json")
    assert set(list(importance)[:2]) == {
        "returns__count_90d",
        "purchases__amount_sum_90d",
    }  # what the label was made of


def test_the_same_data_trains_the_same_model(settings, champion):
    run, trained = train(settings, champion.use_case, data, quiet)
    assert trained.serving == champion.trained.serving
    logged = [connect(settings).get_run(run_id).data for run_id in (run.run_id, champion.run.run_id)]
    assert len({found.params["frame.sha256"] for found in logged}) == 1


def test_a_model_of_noise_is_not_registered_and_its_run_says_why(settings, use_case):
    run, _ = train(settings, use_case, lambda: data(signal=0.0), quiet)
    evaluate_run(settings, use_case, run.run_id)
    verdict = gate_run(settings, use_case, run.run_id)
    assert not verdict.passed
    with pytest.raises(GateNotPassedError, match="floor of roc_auc"):
        register(settings, use_case.name, run.run_id)
    stored = connect(settings).get_run(run.run_id).data.tags
    assert stored[tags.GATE] == "failed"
    assert "better than the baseline" in stored[tags.GATE_REASONS]
    assert list_versions(settings, use_case.name) == []


def test_a_champion_that_is_clearly_better_stays(settings, champion):
    use_case = champion.use_case
    stump = {"random_forest": {"n_estimators": 1, "max_depth": 1}}
    low = use_case.spec.gates.model_copy(update={"floors": {"roc_auc": 0.5}})
    weak = replace(use_case, spec=use_case.spec.model_copy(update={"candidates": stump, "gates": low}))
    run, _ = train(settings, weak, data, quiet)
    evaluate_run(settings, weak, run.run_id)
    verdict = gate_run(settings, weak, run.run_id)
    assert (verdict.passed, verdict.champion) == (False, "1")
    assert verdict.reasons[-1].startswith("not worse than champion 1: roc_auc minus the champion's is -")


def test_a_run_against_itself_as_champion_passes(settings, champion):
    verdict = gate_run(settings, champion.use_case, champion.run.run_id)
    assert (verdict.passed, verdict.champion) == (True, "1")


def test_a_champion_that_cannot_be_read_is_named_with_what_leads_out(settings, use_case):
    run_id = passed_run(settings, use_case)
    client = connect(settings)
    client.create_registered_model(use_case.name)
    mlflow.set_experiment(use_case.name)
    with mlflow.start_run() as theirs:
        foreign = mlflow.sklearn.log_model(LogisticRegression().fit([[0.0], [1.0]], [0, 1]), name="model")
    client.create_model_version(
        use_case.name, source=foreign.model_uri, run_id=theirs.info.run_id, model_id=foreign.model_id
    )
    client.set_registered_model_alias(use_case.name, "champion", "1")

    verdict = gate_run(settings, use_case, run_id)

    assert (verdict.passed, verdict.champion) == (False, "1")
    (reason,) = verdict.reasons
    assert "`tidemill models train` did not make it" in reason
    assert f"version 1 of '{use_case.name}' (model {foreign.model_id} of run {theirs.info.run_id})" in reason
    assert f"tidemill models retire {use_case.name} --reason" in reason
    retire(settings, use_case.name, "not ours", "ada")
    assert gate_run(settings, use_case, run_id).passed
    promote(settings, use_case.name, register(settings, use_case.name, run_id).version, "ours", "ada")


def test_files_changed_after_training_are_noticed_at_the_gate_and_by_the_server(settings, use_case, tmp_path):
    run_id = passed_run(settings, use_case)
    version = register(settings, use_case.name, run_id)
    (stored,) = (settings.home / "mlflow").rglob(f"{version.model_id}/artifacts/requirements.txt")
    stored.write_text("another==1\n", encoding="utf-8")
    with pytest.raises(UnreadableModelError, match=rf"{version.model_id} .* changed since it was trained"):
        evaluate_run(settings, use_case, run_id)
    promote(settings, use_case.name, version.version, "first", "ada")
    with pytest.raises(UnreadableModelError, match=r"version 1 of .* changed since it was trained"):
        ModelCache(tmp_path).load(settings, alias_version(settings, use_case.name, CHAMPION))


def test_what_was_overwritten_in_a_run_is_told_and_no_traceback(settings, use_case):
    run_id = passed_run(settings, use_case)
    overwritten = [
        (gate_run, runs.EVALUATION, "no JSON"),
        (gate_run, runs.EVALUATION, "{}"),
        (evaluate_run, runs.TEST_EXAMPLES, "no parquet"),
    ]
    for step, path, content in overwritten:
        connect(settings).log_text(run_id, content, path)
        with pytest.raises(UnusableRunError, match=f"run {run_id}: {path} is not as it was written"):
            step(settings, use_case, run_id)


def test_a_planted_leak_stops_the_run_which_says_why(settings, use_case):
    leaked = data(purchases__amount_sum_30d=lambda rows: 1.0 - rows["label"])
    with pytest.raises(LeakageError):
        train(settings, use_case, lambda: leaked, quiet)
    experiment = connect(settings).get_experiment_by_name(use_case.name)
    (run,) = connect(settings).search_runs([experiment.experiment_id])
    assert run.info.status == "FAILED"
    assert "LeakageError: feature purchases__amount_sum_30d" in run.data.tags[tags.ERROR]
    with pytest.raises(UnusableRunError, match="is FAILED, not FINISHED: LeakageError"):
        evaluate_run(settings, use_case, run.info.run_id)


def test_a_run_that_was_not_evaluated_cannot_be_gated(settings, use_case):
    run, _ = train(settings, use_case, data, quiet)
    with pytest.raises(UnusableRunError, match="was not evaluated"):
        gate_run(settings, use_case, run.run_id)


def test_a_run_of_another_use_case_is_refused(settings, champion):
    with pytest.raises(UnusableRunError, match="not 'fraud'"):
        existing_run(settings, "fraud", champion.run.run_id)


def test_groups_that_lie_too_far_apart_are_brought_closer_by_a_model_like_any_other(settings, use_case, tmp_path):
    """Who spends little is of one region mostly: the plain model fails for it, the mitigated one is served."""

    def region(rows):
        little = rows["purchases__amount_sum_90d"].rank(pct=True) < 0.4
        return np.where(little & (np.arange(len(rows)) % 4 < 3), "south", "north")

    limit = {"selection_rate": {"difference": 0.2}}
    mitigation = {"candidate": "logistic_regression", "column": "region", "constraint": "demographic_parity"}
    strength = {"strength": {"low": 0.3, "high": 0.35}}
    gates = use_case.spec.gates.model_copy(update={"floors": {"roc_auc": 0.55}, "ceilings": {}})  # it has its price
    verdicts = []
    for more in ({}, {"mitigation": mitigation | strength}):
        fairness = BinaryFairness(columns=("region",), gates=limit, **more)
        spec = use_case.spec.model_copy(update={"fairness": fairness, "gates": gates})
        asked = replace(use_case, spec=spec).with_budget(3, 60.0)
        run, trained = train(settings, asked, lambda: data(group_of__region=region), quiet)
        report = evaluate_run(settings, asked, run.run_id)
        verdicts.append((report, gate_run(settings, asked, run.run_id)))
    (plain, refused), (_, passed) = verdicts
    assert [reason.split(":")[0] for reason in refused.reasons] == ["fairness of selection_rate by region"]
    assert passed.passed, passed.reasons
    read = connect(settings).get_run(run.run_id).data
    assert read.params["candidate"] == "mitigated_logistic_regression"
    assert read.params["fairness.cost"].startswith("average_precision -0.")
    assert read.metrics["disparity.region.selection_rate"] < plain.fairness.disparities[0].difference.value
    assert "## By group" in read.tags[tags.NOTE]
    promote(settings, asked.name, register(settings, asked.name, run.run_id).version, "fair enough", "ada")
    served = ModelCache(tmp_path).load(settings, alias_version(settings, asked.name, CHAMPION))
    answered = answer(served.spec, served.pipeline, trained.test.x)
    assert answered.scores == pytest.approx(trained.pipeline.predict_proba(trained.test.x)[:, 1])


def test_the_test_part_is_kept_without_names(settings, champion):
    rows = existing_run(settings, champion.use_case.name, champion.run.run_id).read_rows(runs.TEST_EXAMPLES)
    assert sorted(rows["entity"]) == list(range(500))
