"""Looks at what a real model of the real registry was asked, from the lake's own log."""

import hashlib
import json
import threading
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from data_lake import arrow
from data_lake.delta_rs import open_table
from data_lake.delta_tables import create_table
from data_lake.tables import silver, table
from ml_modeling import use_case
from ml_modeling.frames import frame
from ml_modeling.lifecycle import evaluate_run, train
from ml_modeling.registry import tags
from ml_modeling.tracking.runs import TrainingRun, existing_run
from monitoring.control import Limits, RetrainRequest, control_store
from monitoring.drift import EarlierLookError, Outcome
from monitoring.looks.columns import predictions
from monitoring.looks.look import FutureLookError, Look, look
from monitoring.looks.metrics import metrics_file
from monitoring.looks.page import page_path
from monitoring.looks.reference import REFERENCE, NoReferenceError, keep_reference
from monitoring.looks.restoring import restore
from monitoring.looks.served import Window
from monitoring.profiles import from_bytes
from tests.cases import lookers
from tests.cases.control_processes import begun_at_once, process_of
from tests.cases.lake import append_rows
from tidemill.cli import cli
from tidemill.config import Settings

pytestmark = pytest.mark.usefixtures("mlflow_server")

LOG = silver("serving.prediction.v1")
DAY = timedelta(days=1)
MOVED = "purchases__amount_sum_90d"


@dataclass(frozen=True)
class Model:
    """A champion of a use case of its own, that can be asked."""

    settings: Settings
    name: str
    run: TrainingRun
    who: Mapping[str, Any]
    predict: Callable[[pd.DataFrame], Any]

    def asked(self, values: pd.DataFrame, end: datetime = lookers.UNTIL, **who: Any) -> None:
        scores = self.predict(values)
        append_rows(self.settings, LOG, lookers.answers(self.name, {**self.who, **who}, values, scores, end))

    def look(self, end: datetime = lookers.UNTIL, **options: Any) -> Look:
        window, now = Window(end - DAY, end), lookers.UNTIL + 30 * DAY
        seen = look(self.settings, self.name, window, once_each=True, now=now, **options)
        assert seen is not None
        return seen


@pytest.fixture
def model(settings: Settings, name: str) -> Model:
    """A champion, trained as ``tidemill models train`` does, that nobody has asked yet."""
    create_table(LOG, settings)
    definition = lookers.churn(name)
    run, fitted = train(settings, definition, lookers.frame, lambda *_: None)
    keep_reference(run, definition, fitted)
    version = lookers.make_champion(settings, run, name)
    who = {
        "model_version": version,
        "model_run_id": run.run_id,
        "model_id": run.model().model_id,
        "feature_fingerprint": fitted.serving.feature_fingerprint,
    }

    def predict(values: pd.DataFrame) -> Any:
        return predictions(fitted.serving, fitted.pipeline, values.to_numpy())[:, 0].tolist()

    return Model(settings, name, run, who, predict)


def drawn(seed: int, count: int = 3_000, shift: float = 0.0) -> pd.DataFrame:
    """Rows like those the model learnt from; ``MOVED`` is moved by so many of its standard deviations."""
    values = lookers.rows(np.random.default_rng(seed), count)
    return values.assign(**{MOVED: values[MOVED] + shift * 10 * 2**0.5})


def recorded(model: Model) -> list[dict[str, Any]]:
    """The rows of ``gold/drift`` of a use case."""
    with duckdb.connect() as connection:
        connection.register("drift", arrow.source(open_table(table("gold/drift"), model.settings)))
        found = connection.sql("SELECT * FROM drift WHERE use_case = ?", params=[model.name]).to_arrow_table()
    return found.to_pylist()


def requests_of(model: Model) -> list[RetrainRequest]:
    with control_store(model.settings) as store:
        return list(store.requests.newest(model.name))


def test_what_is_served_as_it_was_learnt_raises_nothing(model: Model) -> None:
    model.asked(drawn(1))
    seen = model.look(limits=Limits())
    assert seen.verdicts.counts.judged == 3_000
    assert seen.verdicts.drifted == ()
    assert {verdict.outcome for verdict in seen.verdicts.verdicts if verdict.finding.feature} == {Outcome.STEADY}
    assert (seen.request, requests_of(model)) == (None, [])


def test_a_feature_that_moved_is_named_and_ten_looks_are_one_request(model: Model) -> None:
    for number in range(10):
        model.asked(drawn(number, 800, shift=0.5), end=lookers.UNTIL + number * DAY)
    looks = [model.look(lookers.UNTIL + number * DAY, limits=Limits()) for number in range(10)]
    for seen in looks:
        assert MOVED in {verdict.finding.feature for verdict in seen.verdicts.drifted}
        assert {verdict.finding.feature for verdict in seen.verdicts.drifted} <= {MOVED, "predicted score", None}
    (request,) = requests_of(model)
    assert (request.asked, request.source) == (10, "drift")
    assert MOVED in request.reason
    assert request.evidence["model"]["run_id"] == model.run.run_id
    since = {verdict.finding.key: verdict.since for verdict in looks[-1].verdicts.drifted}
    assert since[f"{MOVED}/distribution"] == lookers.UNTIL


def test_a_look_repeated_says_the_same_and_is_recorded_once(model: Model) -> None:
    model.asked(drawn(3, shift=0.5))
    first = model.look()
    model.asked(drawn(4, count=500), end=lookers.UNTIL - timedelta(hours=3))  # came late
    again = model.look()
    assert again.verdicts == first.verdicts
    assert again.is_newest
    assert len(recorded(model)) == len(first.verdicts.verdicts)


def test_who_was_killed_before_it_asked_asks_when_the_look_is_repeated_and_an_old_look_never(model: Model) -> None:
    model.asked(drawn(18, 800, shift=0.5))
    assert model.look().request is None
    later = lookers.UNTIL + timedelta(hours=1)
    repeated = model.look(limits=Limits())
    assert isinstance(repeated.request, RetrainRequest)
    model.look(later)
    old = model.look(limits=Limits())
    assert (old.verdicts, old.is_newest, old.request) == (repeated.verdicts, False, None)
    assert [request.asked for request in requests_of(model)] == [1]


def test_of_two_lookers_at_once_one_records(model: Model) -> None:
    model.asked(drawn(5))
    seen: list[Look] = []
    lookers_at_once = [threading.Thread(target=lambda: seen.append(model.look())) for _ in range(2)]
    for looker in lookers_at_once:
        looker.start()
    for looker in lookers_at_once:
        looker.join()
    assert seen[0].verdicts == seen[1].verdicts
    assert len(recorded(model)) == len(seen[0].verdicts.verdicts)


@pytest.mark.loop
@pytest.mark.matrix
@pytest.mark.parametrize("times", [2, 50])
def test_two_monitors_at_once_that_find_the_same_again_and_again_write_one_request(
    model: Model, environment: dict[str, str], times: int
) -> None:
    model.asked(drawn(21, 800, shift=0.5))
    arguments = ("tests.cases.monitor", model.name, lookers.UNTIL.isoformat(), str(times))
    with ExitStack() as stack:
        monitors = [stack.enter_context(process_of(*arguments, environment=environment)) for _ in range(2)]
        numbers = begun_at_once(monitors, timeout_s=600)
    (request,) = requests_of(model)
    assert numbers == [str(request.number)] * 2 * times
    assert request.asked == 2 * times
    with control_store(model.settings) as store:
        assert len(store.requests.trail(request.id)) == 1


def test_only_answers_that_the_champion_made_from_its_features_are_judged(model: Model) -> None:
    hour = timedelta(hours=1)
    model.asked(drawn(6, count=1_000))
    model.asked(drawn(7, count=200, shift=5.0), lookers.UNTIL - hour, degraded=["cold_start"])
    model.asked(drawn(8, count=300, shift=5.0), lookers.UNTIL - 2 * hour, model_id="m-before")
    model.asked(drawn(9, count=400, shift=5.0), lookers.UNTIL - 3 * hour, feature_fingerprint="another")
    model.asked(drawn(10, count=500, shift=5.0), lookers.UNTIL - 2 * DAY)
    model.asked(drawn(17, count=100, shift=5.0), lookers.UNTIL - 4 * hour, degraded=["stale_features"])
    seen = model.look()
    counts = seen.verdicts.counts
    assert (counts.answers, counts.judged) == (2_000, 1_000)
    assert (counts.unscored, counts.others, counts.lacking, counts.stale) == (200, 300, 400, 100)
    assert seen.verdicts.drifted == ()


def test_a_few_answers_and_then_none_raise_no_request(model: Model) -> None:
    model.asked(drawn(19, 50, shift=9.0))
    few = model.look(limits=Limits())
    assert {verdict.outcome for verdict in few.verdicts.verdicts} == {Outcome.UNKNOWN}
    none = model.look(lookers.UNTIL + 2 * DAY, limits=Limits())
    assert [verdict.finding.key for verdict in none.verdicts.drifted] == ["/volume"]
    assert requests_of(model) == []


def test_looks_go_forward_and_never_into_the_future(model: Model) -> None:
    model.asked(drawn(11))
    model.look()
    with pytest.raises(EarlierLookError, match="go forward in time"):
        model.look(lookers.UNTIL - timedelta(minutes=10))
    with pytest.raises(FutureLookError):
        model.look(lookers.UNTIL + 60 * DAY)


def test_a_look_leaves_a_page_and_metrics(model: Model) -> None:
    model.asked(drawn(12, shift=1.0))
    seen = model.look()
    page = model.run.read_bytes(page_path(seen.verdicts.look_id)).decode()
    first = page.index("data:image/png")
    assert f"alt='{MOVED}'" in page[:first] or "alt='predicted score'" in page[:first]
    metrics = metrics_file(model.settings, model.name).read_text(encoding="utf-8")
    lines = [line for line in metrics.splitlines() if line.startswith("tidemill_drift_drifted{")]
    (moved,) = [line for line in lines if f'feature="{MOVED}"' in line and 'aspect="distribution"' in line]
    assert moved.endswith(" 1.0")
    assert f'use_case="{model.name}"' in moved


def test_quality_is_estimated_where_inputs_are_known_and_else_said_to_be_unknown(model: Model) -> None:
    model.asked(drawn(13))
    known = model.look().estimates
    assert {"roc_auc", "accuracy"} <= set(known)
    model.asked(drawn(14, shift=9.0), lookers.UNTIL + DAY)
    unknown = model.look(lookers.UNTIL + DAY).estimates
    assert set(unknown) == {"quality"}


def test_a_verdict_says_what_share_of_the_model_a_feature_has(model: Model) -> None:
    model.asked(drawn(15, shift=1.0))
    evaluate_run(model.settings, lookers.churn(model.name), model.run.run_id)
    moved = next(verdict for verdict in model.look().verdicts.drifted if verdict.finding.feature == MOVED)
    of_run = model.run.read_json("evaluation/shap_importance.json")
    assert moved.importance == pytest.approx(of_run[MOVED] / sum(of_run.values()))


def test_a_use_case_that_nobody_asked_or_without_a_champion_is_no_error(model: Model, settings: Settings) -> None:
    assert model.look().verdicts.verdicts == ()
    assert look(settings, "nobody", Window(lookers.UNTIL - DAY, lookers.UNTIL), once_each=True) is None


def test_a_reference_that_is_damaged_or_missing_is_told_and_made_again(model: Model) -> None:
    whole = model.run.read_bytes(REFERENCE)
    model.asked(drawn(16))
    model.run.log_bytes(whole[:-7], REFERENCE)
    with pytest.raises(NoReferenceError, match=f"not as it was written: `tidemill drift reference {model.name}`"):
        model.look()
    copied = restore(model.settings, lookers.churn(model.name))
    assert (copied.content, model.run.read_bytes(REFERENCE)) == (whole, whole)

    forget_copies(model)
    model.run.log_bytes(b"no profile", REFERENCE)
    made = restore(model.settings, lookers.churn(model.name))
    assert made.profile.definition.digest == from_bytes(whole).definition.digest
    assert copies(model) == [made.content]
    assert model.look().verdicts.drifted == ()


def copies(model: Model) -> list[bytes]:
    """What the lake has of a model's reference."""
    rows = open_table(table("gold/model_profiles"), model.settings).to_pyarrow_table().to_pylist()
    assert all(row["digest"] == hashlib.sha256(row["profile"]).hexdigest() for row in rows)
    return [row["profile"] for row in rows if row["run_id"] == model.run.run_id]


def forget_copies(model: Model) -> None:
    open_table(table("gold/model_profiles"), model.settings).delete(f"run_id = '{model.run.run_id}'")


def test_the_reference_of_a_model_is_in_its_run_and_in_the_lake_once(model: Model) -> None:
    assert copies(model) == [model.run.read_bytes(REFERENCE)]
    assert model.run.read().data.tags[tags.REFERENCE] == hashlib.sha256(copies(model)[0]).hexdigest()
    profile = from_bytes(copies(model)[0])
    rows = lookers.frame().frame.rows
    assert profile.columns[MOVED].rows == profile.rows == (rows["matured_at"] <= pd.Timestamp(lookers.DAYS[3])).sum()


def test_the_commands_train_with_a_reference_and_look_by_it(
    settings: Settings, name: str, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable, value in environment.items():
        monkeypatch.setenv(variable, value)
    monkeypatch.setattr(frame, "read_in_session", lambda *_: lookers.frame())  # else Spark reads it from silver
    monkeypatch.setattr(use_case, "load_use_case", lookers.churn)
    create_table(LOG, settings)
    run_id = told("models", "train", name, "--trials", "1")["run_id"]
    run = existing_run(settings, name, run_id)
    version = lookers.make_champion(settings, run, name)
    who = {"model_version": version, "model_run_id": run_id, "model_id": run.model().model_id}
    who["feature_fingerprint"] = run.read_model()[0].feature_fingerprint
    end = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=1)
    values = drawn(20, 800, shift=1.0)
    append_rows(settings, LOG, lookers.answers(name, who, values, [0.5] * len(values), end))

    seen = told("drift", "look", name, "--at", f"{end:%Y-%m-%dT%H:%M:%S}", "--request")

    assert (seen["judged"], seen["champion"]["run_id"], seen["is_newest"]) == (800, run_id, True)
    assert f"{MOVED}/distribution" in seen["drifted"]
    assert (seen["request"]["state"], seen["request"]["source"]) == ("requested", "drift")
    assert told("drift", "reference", name)["digest"] == run.read().data.tags[tags.REFERENCE]


def told(*arguments: str) -> Any:
    """The JSON document that a command printed."""
    done = CliRunner().invoke(cli, [*arguments, "--json"])
    assert done.exit_code == 0, done.exception
    return json.loads(done.stdout)
