"""Predictions and their reasons over the application itself, with models and features by hand."""

import asyncio
import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import httpx
import numpy as np
import numpy.typing as npt
import pytest
from fastapi import FastAPI
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from feature_store.definitions import Task
from feature_store.online.reader import FeatureRow
from feature_store.tiles import Status
from ml_modeling.registry import ServedModel, ServingSpec
from ml_modeling.registry.served import MulticlassServing, RegressionServing, Serving, ValueInterval
from model_serving import asked, server
from model_serving.app import create_app
from model_serving.asked import Instance
from model_serving.features import FeaturesUnavailableError
from model_serving.prediction_events import TOPIC, prediction_events
from model_serving.scoring import Answer
from model_serving.use_case_schemas import schemas_of
from tests.unit.model_serving.answers import FEATURES, FINGERPRINT, WHICH, champion, feature_row
from tidemill.config import load_settings
from tidemill.contracts import checker

PAYMENT = {"customer_id": "c1", "terminal_id": "t1", "amount": 3.0}
COMMON: dict[str, Any] = {
    "use_case": "fraud",
    "feature_service": "fraud",
    "feature_fingerprint": FINGERPRINT,
    "features": FEATURES,
}
BINARY = ServingSpec(**COMMON, threshold=0.5, decisions=("genuine", "fraud"), cold_start_score=0.25)
MULTICLASS = MulticlassServing(
    **COMMON, classes=("low", "middle", "high"), cold_start_scores=(0.2, 0.3, 0.5), cold_start_decision="high"
)
REGRESSION = RegressionServing(
    **COMMON, minimum=0.0, interval=ValueInterval(coverage=0.9, below=-2.0, above=4.0), cold_start_value=7.0
)


class Payments:
    """The first feature of a payment is its amount; nobody knows terminal ``?``. Notes what it was asked."""

    def __init__(self) -> None:
        self.asked: list[Instance] = []
        self.is_away = False
        self.gate = threading.Event()
        self.gate.set()
        self.trouble = None

    def fetch(self, instances: Sequence[Instance]) -> list[FeatureRow]:
        self.asked += instances
        assert self.gate.wait(10)
        if self.is_away:
            raise FeaturesUnavailableError("away")
        return [
            feature_row(None, None, status=Status.NO_STATE)
            if instance["terminal_id"] == "?"
            else feature_row(float(instance["amount"]), 1.0)
            for instance in instances
        ]


def model(spec: Serving) -> ServedModel:
    x = np.array([[0.0, 1.0], [1.0, 0.0], [2.0, 1.0], [3.0, 2.0], [6.0, 1.0], [9.0, 0.0]])
    y: npt.NDArray[Any]
    match spec:
        case RegressionServing():
            final, y = Ridge(alpha=0.001), 2 * x[:, 0] - 1
        case MulticlassServing():
            final, y = LogisticRegression(), np.array([0, 0, 1, 1, 2, 2])
        case _:
            final, y = LogisticRegression(), np.array([0, 0, 0, 1, 1, 1])
    pipeline = make_pipeline(SimpleImputer(), StandardScaler(), final).fit(x, y)
    return ServedModel("fraud", "3", "champion", WHICH, spec, pipeline, x)


class Asking:
    """An application that serves fraud with a model and features by hand."""

    def __init__(self, app: FastAPI, spec: Serving) -> None:
        self.app = app
        self.rows = Payments()
        self.model = model(spec)
        self.logged: list[Answer] = []
        self.take(self.model)
        app.state.server.log.offer = self.logged.append

    def take(self, served: ServedModel) -> None:
        self.app.state.server.holders["fraud"].champion = champion(self.rows, served)

    def post(self, path: str, body: Any) -> httpx.Response:
        return asyncio.run(self.posts(path, [body]))[0]

    async def posts(self, path: str, bodies: Sequence[Any]) -> list[httpx.Response]:
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return await asyncio.gather(*(client.post(path, json=body) for body in bodies))

    def predict(self, *instances: Mapping[str, Any]) -> list[dict[str, Any]]:
        response = self.post("/predict/fraud", {"instances": [*instances]})
        assert response.status_code == 200, response.text
        return cast("list[dict[str, Any]]", response.json()["predictions"])

    def explain(self, instance: Mapping[str, Any], **options: Any) -> dict[str, Any]:
        response = self.post("/explain/fraud", {"instance": instance, **options})
        assert response.status_code == 200, response.text
        return cast("dict[str, Any]", response.json())


@pytest.fixture
def asking(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Asking]:
    spec: Serving = getattr(request, "param", BINARY)
    monkeypatch.setattr(server, "asked_of", lambda name: replace(asked.asked_of(name), task=Task(spec.task)))
    environment = {
        "TIDEMILL_HOME": str(tmp_path),
        "TIDEMILL_SERVING__USE_CASES": '["churn", "fraud"]',
        "TIDEMILL_SERVING__EXPLAIN_TIMEOUT_S": "60",  # however busy the machine is
    }
    app = create_app(load_settings(environment))
    app.state.server.batcher.start()
    yield Asking(app, spec)
    app.state.server.batcher.stop()
    app.state.server.reasons.stop()


def by_task(*specs: Serving) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("asking", specs, ids=[spec.task for spec in specs], indirect=True)


def test_a_score_is_answered_with_the_keys_of_all_entities_and_of_the_inputs_that_came(asking: Asking) -> None:
    first, second = asking.predict(PAYMENT | {"amount": 6.0}, PAYMENT | {"amount": 0.5, "customer_id": "c2"})

    scores = asking.model.pipeline.predict_proba([[6.0, 1.0], [0.5, 1.0]])[:, 1]
    assert set(first) == {
        "customer_id",
        "terminal_id",
        "score",
        "decision",
        "features_as_of",
        "degraded",
        "arm",
        "version",
    }
    assert [(one["customer_id"], one["terminal_id"]) for one in (first, second)] == [("c1", "t1"), ("c2", "t1")]
    assert [first["score"], second["score"]] == pytest.approx(scores)
    assert [first["decision"], second["decision"]] == ["fraud", "genuine"]
    assert asking.rows.asked == [PAYMENT | {"amount": 6.0}, PAYMENT | {"amount": 0.5, "customer_id": "c2"}]


@by_task(REGRESSION)
def test_a_value_is_answered_with_its_interval_not_below_the_minimum(asking: Asking) -> None:
    high, low, unknown = asking.predict(PAYMENT, PAYMENT | {"amount": 0.0}, PAYMENT | {"terminal_id": "?"})

    assert high["value"] == pytest.approx(5.0, abs=0.05)
    assert high["interval"] == pytest.approx([high["value"] - 2, high["value"] + 4])
    assert (low["value"], low["interval"]) == (0.0, [0.0, 4.0])
    assert (unknown["value"], unknown["interval"], unknown["degraded"]) == (7.0, None, ["cold_start"])
    assert "decision" not in high


@by_task(MULTICLASS)
def test_scores_are_answered_by_class(asking: Asking) -> None:
    known, unknown = asking.predict(PAYMENT | {"amount": 9.0}, PAYMENT | {"terminal_id": "?"})

    probabilities = asking.model.pipeline.predict_proba([[9.0, 1.0]])[0]
    assert known["scores"] == pytest.approx(dict(zip(("low", "middle", "high"), probabilities, strict=True)))
    assert known["decision"] == "high"
    assert (unknown["scores"], unknown["decision"]) == ({"low": 0.2, "middle": 0.3, "high": 0.5}, "high")


@by_task(BINARY, MULTICLASS, REGRESSION)
def test_what_is_logged_is_valid_and_has_entities_inputs_and_the_answer(asking: Asking) -> None:
    answers = asking.predict(PAYMENT, PAYMENT | {"terminal_id": "?"})

    events = [event for answer in asking.logged for event in prediction_events(answer)]
    assert [checker(TOPIC).check(event) for event in events] == [None, None]
    for event, answer in zip(events, answers, strict=True):
        data = event["data"]
        assert (data["use_case"], data["entity_id"], data["inputs"]) == ("fraud", "c1", {"amount": 3.0})
        assert data["entities"] == {"customer_id": "c1", "terminal_id": answer["terminal_id"]}
        fields = {name: answer.get(name) for name in ("score", "scores", "value", "interval")}
        assert {name: data.get(name) for name in fields} == fields
        assert data["decision"] == (answer.get("decision") or "none")


@pytest.mark.parametrize(
    ("instance", "field"),
    [
        ({"customer_id": "c1", "terminal_id": "t1"}, "amount"),
        (PAYMENT | {"amount": "3"}, "amount"),
        (PAYMENT | {"country": "GB"}, "country"),
        (PAYMENT | {"terminal_id": ""}, "terminal_id"),
    ],
)
def test_a_wrong_field_is_named_by_a_pointer(asking: Asking, instance: dict[str, Any], field: str) -> None:
    predicted = asking.post("/predict/fraud", {"instances": [PAYMENT, instance]})
    explained = asking.post("/explain/fraud", {"instance": instance})

    assert (predicted.status_code, explained.status_code) == (422, 422)
    assert [error["field"] for error in predicted.json()["errors"]] == [f"/instances/1/{field}"]
    assert [error["field"] for error in explained.json()["errors"]] == [f"/instance/{field}"]


def test_a_request_of_another_use_case_is_refused(asking: Asking) -> None:
    response = asking.post("/predict/churn", {"instances": [PAYMENT]})

    assert [error["field"] for error in response.json()["errors"]] == [
        "/instances/0/terminal_id",
        "/instances/0/amount",
    ]


@by_task(BINARY, MULTICLASS, REGRESSION)
def test_reasons_are_of_the_answer_and_of_the_features_it_was_made_from(asking: Asking) -> None:
    told = asking.explain(PAYMENT)

    assert told["prediction"] == asking.predict(PAYMENT)[0]
    assert {reason["feature"]: reason["value"] for reason in told["reasons"]} == {FEATURES[0]: 3.0, FEATURES[1]: 1.0}
    contributions = [reason["contribution"] for reason in told["reasons"]]
    assert contributions == sorted(contributions, key=abs, reverse=True)
    assert told["base"] + sum(contributions) == pytest.approx(told["output"])
    assert told["rest"] == pytest.approx(0.0, abs=1e-12)
    outputs = {
        "binary": ("log_odds", "fraud", lambda one: np.log(one["score"] / (1 - one["score"]))),
        "multiclass": ("logit", told["prediction"].get("decision"), lambda _: told["output"]),
        "regression": ("value", None, lambda one: one["value"]),
    }
    space, explained, output = outputs[asking.model.spec.task]
    assert (told["space"], told["explained"]) == (space, explained)
    assert told["output"] == pytest.approx(output(told["prediction"]))
    assert asking.rows.asked == [PAYMENT, PAYMENT]  # once for each of the two requests
    assert len(asking.logged) == 1  # what is explained is not logged


def test_the_largest_reasons_are_told_and_the_rest_is_their_sum(asking: Asking) -> None:
    all_of_them, one = asking.explain(PAYMENT), asking.explain(PAYMENT, top=1)

    assert one["reasons"] == all_of_them["reasons"][:1]
    assert one["rest"] == pytest.approx(all_of_them["reasons"][1]["contribution"])


@pytest.mark.parametrize("is_away", [False, True], ids=["nobody knows it", "the store is away"])
def test_an_answer_without_features_has_no_reasons_and_says_why(asking: Asking, is_away: bool) -> None:
    asking.rows.is_away = is_away
    told = asking.explain(PAYMENT | {"terminal_id": "?"})

    assert told["prediction"]["degraded"] == ["feature_store_unavailable" if is_away else "cold_start"]
    assert told["prediction"]["score"] == 0.25
    assert told["reasons"] == []
    assert [told[name] for name in ("space", "explained", "base", "rest", "output")] == [None] * 5


def test_a_model_that_cannot_be_explained_is_400_and_still_predicts(asking: Asking) -> None:
    class Own(LogisticRegression):
        pass

    x = np.array([[0.0, 1.0], [1.0, 0.0]])
    asking.take(replace(asking.model, pipeline=make_pipeline(SimpleImputer(), Own()).fit(x, [0, 1])))
    response = asking.post("/explain/fraud", {"instance": PAYMENT})

    assert response.status_code == 400
    assert response.json()["detail"] == (
        "version 3 of 'fraud' cannot be explained: there are no reasons for a Own: only for the built-in candidates"
    )
    assert asking.predict(PAYMENT)[0]["degraded"] == []


HUGE = PAYMENT | {"amount": 1.7e308}


@by_task(BINARY, MULTICLASS, REGRESSION)
@pytest.mark.parametrize("says", [float("nan"), float("inf"), 1e308], ids=["nan", "inf", "an end is beyond a double"])
def test_an_answer_that_is_not_finite_is_422_and_names_the_instance(asking: Asking, says: float) -> None:
    class SaysOfHuge:
        """What it says of a payment that is as large as numbers get; of others what its task asks for."""

        def predict(self, matrix: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
            return np.where(matrix[:, 0] > 1e300, says, 0.5)

        def predict_proba(self, matrix: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
            positive = self.predict(matrix)
            return np.column_stack([1 - positive, positive, 0 * positive])

    spec = asking.model.spec
    if isinstance(spec, RegressionServing):
        spec = spec.model_copy(update={"interval": ValueInterval(coverage=0.9, below=-2.0, above=1.7e308)})
    asking.take(replace(asking.model, spec=spec, pipeline=SaysOfHuge()))
    response = asking.post("/predict/fraud", {"instances": [PAYMENT, HUGE, PAYMENT, HUGE]})

    kind = "finite number" if isinstance(spec, RegressionServing) else "probability"
    assert response.status_code == 422
    assert response.json()["errors"] == [
        {"field": f"/instances/{place}", "message": f"what version 3 of 'fraud' answers is no {kind}"}
        for place in (1, 3)
    ]
    assert asking.logged == []
    assert [row["degraded"] for row in asking.predict(PAYMENT, PAYMENT)] == [[], []]


@by_task(REGRESSION)
def test_an_explanation_of_an_answer_that_is_not_finite_is_422_and_names_the_instance(asking: Asking) -> None:
    x = np.array([[0.0, 1.0], [1.0, 0.0], [2.0, 1.0]])
    asking.take(replace(asking.model, pipeline=make_pipeline(SimpleImputer(), Ridge(alpha=0.001)).fit(x, 3 * x[:, 0])))
    response = asking.post("/explain/fraud", {"instance": HUGE})

    assert response.status_code == 422
    assert response.json()["detail"] == "/instance: what version 3 of 'fraud' answers is no finite number"


def test_reasons_that_take_too_long_are_503_and_when_to_come_back(asking: Asking) -> None:
    asking.rows.gate.clear()
    desk = asking.app.state.server.reasons
    patient, desk.timeout_s = desk.timeout_s, 0.5
    try:
        responses = asyncio.run(asking.posts("/explain/fraud", [{"instance": PAYMENT}] * 3))
    finally:
        asking.rows.gate.set()
        desk.timeout_s = patient

    assert [response.status_code for response in responses] == [503] * 3
    assert {response.headers["retry-after"] for response in responses} == {"1"}
    assert len(asking.rows.asked) == 1  # one at a time, and who has given up is not worked on
    assert asking.explain(PAYMENT)["reasons"]


def test_without_a_model_and_for_an_unknown_use_case_reasons_answer_as_predictions_do(asking: Asking) -> None:
    without, unknown = (asking.post(f"/explain/{name}", {"instance": {"customer_id": "c"}}) for name in ("churn", "x"))

    assert (without.status_code, without.headers["retry-after"]) == (503, "3")
    assert (unknown.status_code, unknown.json()["detail"]) == (404, "no use case 'x'; this server has: churn, fraud")


@by_task(BINARY, MULTICLASS, REGRESSION)
def test_model_info_tells_what_the_task_has(asking: Asking) -> None:
    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(asking.app), base_url="http://test") as client:
            return await client.get("/model-info/fraud")

    info = asyncio.run(ask()).json()
    assert (info["task"], info["entities"], info["inputs"]) == (
        asking.model.spec.task,
        ["customer_id", "terminal_id"],
        ["amount"],
    )
    expected = {
        "binary": {"threshold": 0.5, "decisions": ["genuine", "fraud"], "cold_start_score": 0.25},
        "multiclass": {"classes": ["low", "middle", "high"], "cold_start_decision": "high"},
        "regression": {"minimum": 0.0, "coverage": 0.9, "cold_start_value": 7.0},
    }[asking.model.spec.task]
    assert {name: info[name] for name in expected} == expected


@by_task(BINARY, MULTICLASS, REGRESSION)
def test_the_examples_of_the_description_fit_its_types(asking: Asking) -> None:
    paths = asking.app.openapi()["paths"]
    for use_case, made_of in asking.app.state.server.asked.items():
        types = schemas_of(made_of, 1)
        for route, kind in (("predict", types.predictions), ("explain", types.explanation)):
            operation = paths[f"/{route}/{use_case}"]["post"]
            body = operation["requestBody"]["content"]["application/json"]["example"]
            response = asking.post(f"/{route}/{use_case}", body)
            assert response.status_code == (200 if use_case == "fraud" else 503), response.text
            for example in operation["responses"]["200"]["content"]["application/json"]["examples"].values():
                kind.model_validate_json(json.dumps(example["value"]))
