"""Two models at once behind one application: whose answer is whose, and what a bad challenger does to nobody."""

import asyncio
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import httpx
import numpy as np
import numpy.typing as npt
import pytest
from fastapi import FastAPI
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from feature_store.online.reader import FeatureRow
from ml_modeling.registry import ServedModel
from model_serving.app import create_app
from model_serving.arms import is_drawn, salt_of
from model_serving.asked import Instance
from model_serving.batching import Batcher
from model_serving.breaker import CircuitBreaker
from model_serving.challenger import TIMEOUTS, Challenger
from model_serving.prediction_events import TOPIC, prediction_events
from model_serving.schemas import Arm
from model_serving.scoring import Answer
from model_serving.traffic import Followed
from monitoring.control import Policy
from tests.unit.model_serving.answers import Tenth, champion, feature_row, served_model
from tests.unit.model_serving.rollouts import CHALLENGER, identity_of, rollout, traffic
from tidemill.config import load_settings
from tidemill.contracts import checker

CUSTOMERS = [f"{number}" for number in range(10)]
SALT = salt_of("churn", CHALLENGER.run_id, CHALLENGER.model_id)
SHARE = 50
THEIRS = {customer for customer in CUSTOMERS if is_drawn(SALT, customer, SHARE)}


class Rows:
    """The first feature of customer ``"3"`` is 3.0; counts how often it was asked."""

    def __init__(self) -> None:
        self.reads = 0
        self.trouble = None

    def fetch(self, instances: Sequence[Instance]) -> list[FeatureRow]:
        self.reads += 1
        return [feature_row(float(instance["customer_id"]), None) for instance in instances]


class Complement(Tenth):
    """What Tenth says, the other way round."""

    def predict_proba(self, matrix: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return super().predict_proba(matrix)[:, ::-1]


class Raises(Tenth):
    def predict_proba(self, matrix: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        raise ArithmeticError("no")


class Says(Tenth):
    """Answers with what is no probability."""

    def __init__(self, score: float) -> None:
        self.score = score

    def predict_proba(self, matrix: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return np.full((len(matrix), 2), self.score)


class Hangs(Tenth):
    def __init__(self) -> None:
        self.gate = threading.Event()
        self.calls = 0

    def predict_proba(self, matrix: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        self.calls += 1
        self.gate.wait(60)
        return super().predict_proba(matrix)


@dataclass
class Serving:
    app: FastAPI
    rows: Rows
    logged: list[Answer]

    def follow(self, share: int, epoch: int = 5, policy: Policy = Policy.CANARY) -> None:
        now = rollout("churn", epoch, traffic(share, policy=policy))
        self.app.state.server.traffic._followed = {"churn": Followed(now, time.monotonic())}

    def challenge(self, made: object, rows: Rows | None = None) -> Challenger:
        """Load a model, or one of a classifier, as the challenger of CHALLENGER's identity."""
        model = made if isinstance(made, ServedModel) else served_model(classifier=made)
        model = replace(model, version=CHALLENGER.version, identity=identity_of(CHALLENGER), alias="challenger")
        loaded = champion(rows or self.rows, model)
        batcher = Batcher(1, 256)
        batcher.start()
        challenger = Challenger(CHALLENGER, loaded, batcher, CircuitBreaker(TIMEOUTS))
        self.app.state.server.arms["churn"].challenger.current = challenger
        return challenger

    def post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
                return await client.post(path, json=body)

        response = asyncio.run(ask())
        assert response.status_code == 200, response.text
        return cast("dict[str, Any]", response.json())

    def predict(self, *customers: str) -> dict[str, Any]:
        return self.post("/predict/churn", {"instances": [{"customer_id": customer} for customer in customers]})

    def shadow_until(self, logged: int) -> None:
        """Let the shadow score what waits, until so many answers are logged."""
        shadow = self.app.state.server.shadow
        shadow.start()
        for _ in range(200):
            if len(self.logged) >= logged:
                break
            threading.Event().wait(0.05)
        shadow.stop()

    def events(self) -> list[dict[str, Any]]:
        events = [event for answer in self.logged for event in prediction_events(answer)]
        assert [checker(TOPIC).check(event) for event in events] == [None] * len(events)
        return [event["data"] for event in events]


@pytest.fixture
def serving(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Serving]:
    """A server; its parameter is for how many seconds it waits for a challenger."""
    app = create_app(
        load_settings(
            {
                "TIDEMILL_HOME": str(tmp_path),
                "TIDEMILL_SERVING__USE_CASES": '["churn"]',
                "TIDEMILL_SERVING__CHALLENGER_TIMEOUT_S": getattr(request, "param", "60"),
            }
        )
    )
    rows = Rows()
    logged: list[Answer] = []
    server = app.state.server
    server.holders["churn"].champion = champion(rows)
    server.log.offer = logged.append
    server.batcher.start()
    yield Serving(app, rows, logged)
    server.batcher.stop()
    server.reasons.stop()
    server.challengers_reasons.stop()
    server.arms["churn"].challenger.stop()


def answered(answer: Mapping[str, Any]) -> list[tuple[str, float, str, str]]:
    return [(row["customer_id"], row["score"], row["arm"], row["version"]) for row in answer["predictions"]]


def by_champion(customer: str) -> tuple[str, Any, str, str]:
    return customer, pytest.approx(int(customer) / 10), "champion", "7"


def by_challenger(customer: str) -> tuple[str, Any, str, str]:
    return customer, pytest.approx(1 - int(customer) / 10), "challenger", "8"


def test_a_request_about_both_is_answered_in_order_each_by_its_own_arm(serving: Serving) -> None:
    assert 2 <= len(THEIRS) <= 8, "the ids of this test"
    serving.challenge(Complement())
    serving.follow(SHARE)
    answer = serving.predict(*CUSTOMERS)

    expected = [by_challenger(customer) if customer in THEIRS else by_champion(customer) for customer in CUSTOMERS]
    assert answered(answer) == expected
    assert answer["model"]["arm"] == answer["predictions"][0]["arm"]
    assert answer["model"]["version"] == answer["predictions"][0]["version"]


@pytest.mark.parametrize(("share", "arm"), [(0, by_champion), (100, by_challenger)])
def test_a_share_of_nothing_or_all_is_answered_by_one(serving: Serving, share: int, arm: Any) -> None:
    serving.challenge(Complement())
    serving.follow(share)

    assert answered(serving.predict(*CUSTOMERS)) == [arm(customer) for customer in CUSTOMERS]


def test_the_log_says_arm_model_epoch_and_time_of_each_row(serving: Serving) -> None:
    serving.challenge(Complement())
    serving.follow(SHARE, epoch=12)
    serving.predict(*CUSTOMERS)

    by_id = {data["entity_id"]: data for data in serving.events()}
    assert set(by_id) == set(CUSTOMERS)
    for customer, data in by_id.items():
        expected = (
            ("challenger", "8", "m-8", "challenger") if customer in THEIRS else ("champion", "7", "m-1", "champion")
        )
        assert (data["arm"], data["model_version"], data["model_id"], data["model_alias"]) == expected
        assert (data["epoch"], data["challenger_failed"]) == (12, False)
        assert data["ms"] > 0


def test_without_a_rollout_the_champion_answers_all_and_the_log_has_no_epoch(serving: Serving) -> None:
    assert answered(serving.predict("3", "4")) == [by_champion("3"), by_champion("4")]
    assert [(data["arm"], "epoch" in data) for data in serving.events()] == [("champion", False)] * 2


@pytest.mark.parametrize(
    "classifier",
    [Raises(), Says(float("nan")), Says(1.5), Says(float("-inf"))],
    ids=["raises", "not a number", "above one", "endless"],
)
def test_where_the_challenger_fails_the_champion_answers_and_the_log_says_so(
    serving: Serving, classifier: object
) -> None:
    serving.challenge(classifier)
    serving.follow(SHARE)

    assert answered(serving.predict(*CUSTOMERS)) == [by_champion(customer) for customer in CUSTOMERS]
    failed = {data["entity_id"] for data in serving.events() if data["challenger_failed"]}
    assert failed == THEIRS


@pytest.mark.parametrize("serving", ["0.5"], indirect=True)
def test_a_challenger_that_hangs_is_waited_for_a_few_times_and_then_set_aside(serving: Serving) -> None:
    hangs = Hangs()
    challenger = serving.challenge(hangs)
    serving.follow(100)
    try:
        for _ in range(TIMEOUTS):
            assert answered(serving.predict("3")) == [by_champion("3")]
        assert challenger.is_set_aside
        began_waiting = hangs.calls
        assert [answered(serving.predict("3")) for _ in range(5)] == [[by_champion("3")]] * 5
        dependency = serving.app.state.server.readiness().dependencies["challenger/churn"]
    finally:
        hangs.gate.set()

    assert hangs.calls == began_waiting == 1
    assert {data["challenger_failed"] for data in serving.events()} == {True}
    assert dependency.state == "degraded"
    assert "version 8 gave no answer within 0.5 s" in dependency.detail


def test_while_the_challenger_is_being_loaded_the_champion_answers_and_nothing_has_failed(serving: Serving) -> None:
    serving.follow(100)

    assert answered(serving.predict("3")) == [by_champion("3")]
    assert [data["challenger_failed"] for data in serving.events()] == [False]
    ready = serving.app.state.server.readiness().dependencies
    assert "being loaded" in ready["challenger/churn"].detail
    assert ready["control_store"].detail == "churn: epoch 5, canary, version 8 100 %"


def test_a_challenger_that_became_the_champion_answers_as_the_champion(serving: Serving) -> None:
    challenger = serving.challenge(Complement())
    serving.follow(SHARE)
    serving.app.state.server.holders["churn"].champion = challenger.loaded

    assert {(arm, version) for _, _, arm, version in answered(serving.predict(*CUSTOMERS))} == {("champion", "8")}
    assert "challenger/churn" not in serving.app.state.server.readiness().dependencies


def test_another_loaded_challenger_than_the_traffic_names_does_not_answer(serving: Serving) -> None:
    challenger = serving.challenge(Complement())
    serving.follow(100)
    other = replace(challenger, ref=replace(CHALLENGER, model_id="m-other"))
    serving.app.state.server.arms["churn"].challenger.current = other

    assert answered(serving.predict("3")) == [by_champion("3")]


X = np.array([[0.0, 1.0], [1.0, 0.0], [2.0, 1.0], [9.0, 0.0]])


def explainable(answers: Sequence[int]) -> ServedModel:
    pipeline = make_pipeline(SimpleImputer(), LogisticRegression()).fit(X, answers)
    return replace(served_model("7", pipeline), background=X)


def test_what_is_explained_is_the_answer_of_the_entitys_own_arm(serving: Serving) -> None:
    serving.challenge(explainable([0, 0, 1, 1]))
    serving.app.state.server.holders["churn"].champion = champion(serving.rows, explainable([1, 1, 0, 0]))
    serving.follow(SHARE)

    for customer in CUSTOMERS:
        told = serving.post("/explain/churn", {"instance": {"customer_id": customer}})
        expected = ("challenger", "8") if customer in THEIRS else ("champion", "7")
        assert (told["model"]["arm"], told["model"]["version"]) == expected
        assert told["prediction"] == serving.predict(customer)["predictions"][0]


def test_a_challenger_without_reasons_leaves_them_to_the_champion(serving: Serving) -> None:
    serving.app.state.server.holders["churn"].champion = champion(serving.rows, explainable([0, 0, 1, 1]))
    serving.challenge(served_model("8", Raises()))
    serving.follow(100)
    told = serving.post("/explain/churn", {"instance": {"customer_id": "3"}})

    assert (told["model"]["arm"], told["model"]["version"], told["prediction"]["arm"]) == ("champion", "7", "champion")
    assert told["reasons"]


def test_a_shadow_scores_the_same_requests_for_the_log_alone_from_the_features_that_were_read(
    serving: Serving,
) -> None:
    serving.challenge(Complement())
    serving.follow(0, policy=Policy.SHADOW)
    assert answered(serving.predict("3", "9")) == [by_champion("3"), by_champion("9")]
    reads = serving.rows.reads
    serving.shadow_until(2)

    answers, shadows = serving.logged
    assert [by.arm for by in shadows.by] == [Arm.SHADOW] * 2
    assert [scored.fields["score"] for scored in shadows.scored] == pytest.approx([0.7, 0.1])
    assert [scored.row for scored in shadows.scored] == [scored.row for scored in answers.scored]
    assert serving.rows.reads == reads
    events = [*prediction_events(answers), *prediction_events(shadows)]
    assert len({event["id"] for event in events}) == 4
    assert [event["data"]["request_id"] for event in events] == [answers.request_id] * 4
    assert [(data["arm"], data["model_version"], data["epoch"]) for data in serving.events()] == [
        ("champion", "7", 5),
        ("champion", "7", 5),
        ("shadow", "8", 5),
        ("shadow", "8", 5),
    ]


def test_a_shadow_of_other_features_reads_its_own(serving: Serving) -> None:
    own = Rows()
    serving.challenge(Complement(), own)
    serving.follow(0, policy=Policy.SHADOW)
    serving.predict("3")
    serving.shadow_until(2)

    assert own.reads == 1
    assert [scored.fields["score"] for scored in serving.logged[1].scored] == pytest.approx([0.7])


def test_a_shadow_that_fails_at_one_request_logs_that_and_scores_the_others(serving: Serving) -> None:
    class FailsAtNine(Complement):
        def predict_proba(self, matrix: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
            if 9.0 in matrix[:, 0]:
                raise ArithmeticError("nine")
            return super().predict_proba(matrix)

    serving.challenge(FailsAtNine())
    serving.follow(0, policy=Policy.SHADOW)
    for customer in ("3", "9", "4"):
        serving.predict(customer)
    serving.shadow_until(6)

    shadows = [data for data in serving.events() if data["arm"] == "shadow"]
    said = {data["entity_id"]: (data.get("score"), data["challenger_failed"], data["degraded"]) for data in shadows}
    assert said == {
        "3": (pytest.approx(0.7), False, []),
        "9": (None, True, ["challenger_failed"]),
        "4": (pytest.approx(0.6), False, []),
    }


def test_a_shadow_that_cannot_keep_up_is_dropped_from_and_counted(serving: Serving) -> None:
    challenger = serving.challenge(Complement())
    shadow = serving.app.state.server.shadow
    serving.predict("3", "4")
    (answer,) = serving.logged
    taken = [shadow.offer(answer, challenger) for _ in range(shadow.capacity // 2 + 2)]

    assert taken == [True] * (shadow.capacity // 2) + [False] * 2
