"""A promotion while requests are in flight."""

import math
import threading
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from mlflow.entities.model_registry import ModelVersion

from ml_modeling.registry.connection import connect
from tests.cases.waiting import eventually
from tests.integration.model_serving.conftest import Backends, ModelServer, answers
from tests.integration.model_serving.registered import register

CLIENTS = 4
UNKNOWN = ("purchases__amount_sum_365d", "shoe_size")


class Load:
    """Clients that ask for predictions one after the other, and keep every answer."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._stopping = threading.Event()
        self._threads = [threading.Thread(target=self._run) for _ in range(CLIENTS)]
        self.answers: list[httpx.Response | httpx.HTTPError] = []

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        body = {"instances": [{"customer_id": "known-9"}]}
        with httpx.Client(base_url=self._url, timeout=30) as client:
            while not self._stopping.is_set():
                try:
                    self.answers.append(client.post("/predict/churn", json=body))
                except httpx.HTTPError as error:
                    self.answers.append(error)


@pytest.fixture
def alias_restored(server: ModelServer, backends: Backends) -> Iterator[None]:
    """The champion is as before when the test ends, and the server answers with it."""
    client = connect(backends.settings)
    before = client.get_model_version_by_alias("churn", "champion").version
    yield
    client.set_registered_model_alias("churn", "champion", before)
    eventually(lambda: version_of(server) == before, "the champion of before")


@pytest.fixture
def made_anew_after(server: ModelServer, backends: Backends) -> Iterator[None]:
    """When the test ends the registered model is made anew, as the package's fixtures made it."""
    yield
    made_anew(server, backends, bias=0.0)


def made_anew(server: ModelServer, backends: Backends, bias: float) -> ModelVersion:
    """Deletes the registered model and makes it anew; the server has taken its champion over when this returns."""
    client = connect(backends.settings)
    client.delete_registered_model("churn")
    found = client.get_model_version("churn", register(backends.settings, bias=bias, promote=True))
    eventually(lambda: model_info(server)["run_id"] == found.run_id, "the model made anew")
    return found


def model_info(server: ModelServer) -> dict[str, Any]:
    info: dict[str, Any] = server.client.get("/model-info/churn").json()
    return info


def version_of(server: ModelServer) -> str:
    return str(model_info(server)["version"])


def test_a_promotion_under_load_loses_no_request_and_changes_the_version_answered(
    server: ModelServer, backends: Backends, alias_restored: None
) -> None:
    old = version_of(server)
    new = register(backends.settings, bias=-2.0, promote=False)

    with Load(server.settings.serving.url) as load:
        eventually(lambda: len(load.answers) > 50, "answers before the promotion")
        connect(backends.settings).set_registered_model_alias("churn", "champion", new)
        eventually(lambda: version_of(server) == new, "the new champion")
        enough = len(load.answers) + 50
        eventually(lambda: len(load.answers) > enough, "answers after the promotion")

    assert_each_score_is_that_of_its_version(load, old, new)


@pytest.mark.attack
@pytest.mark.timeout(1800)
def test_promotions_and_rollbacks_by_the_hundred_under_load_answer_each_request_with_the_version_it_names(
    server: ModelServer, backends: Backends, alias_restored: None
) -> None:
    old = version_of(server)
    new = register(backends.settings, bias=-2.0, promote=False)
    client = connect(backends.settings)

    with Load(server.settings.serving.url) as load:
        for version in (new, old) * 50:
            client.set_registered_model_alias("churn", "champion", version)
            eventually(lambda version=version: version_of(server) == version, "the champion of now")  # type: ignore[misc]

    assert_each_score_is_that_of_its_version(load, old, new)


def assert_each_score_is_that_of_its_version(load: Load, old: str, new: str) -> None:
    errors = [answer for answer in load.answers if isinstance(answer, httpx.HTTPError) or answer.status_code != 200]
    assert errors == []
    seen = [
        (answer.json()["model"]["version"], answer.json()["predictions"][0]["score"])
        for answer in load.answers
        if isinstance(answer, httpx.Response)
    ]
    by_hand = {old: 1 / (1 + math.exp(-0.9)), new: 1 / (1 + math.exp(2.0 - 0.9))}
    assert {version for version, _ in seen} == {old, new}
    assert [score for _, score in seen] == pytest.approx([by_hand[version] for version, _ in seen])


def test_a_model_that_cannot_be_served_leaves_the_champion_in_place_and_readyz_says_why(
    server: ModelServer, backends: Backends, alias_restored: None
) -> None:
    before = version_of(server)
    wrong = register(backends.settings, bias=0.0, promote=True, features=UNKNOWN)

    eventually(lambda: server.dependency("model/churn") == "degraded", "readyz that tells")
    detail = server.client.get("/readyz").json()["dependencies"]["model/churn"]["detail"]

    assert wrong != before
    assert version_of(server) == before
    assert "shoe_size" in detail
    assert server.predict("known-9").status_code == 200


@pytest.mark.matrix
def test_a_model_made_anew_under_the_number_of_the_deleted_one_answers(
    server: ModelServer, backends: Backends, made_anew_after: None
) -> None:
    first = made_anew(server, backends, bias=0.0)
    second = made_anew(server, backends, bias=-2.0)

    answer = server.predict("known-9").json()
    ready = server.client.get("/readyz").json()["dependencies"]["model/churn"]

    assert first.version == second.version == answer["model"]["version"]
    assert answer["model"]["run_id"] == second.run_id
    assert f"models:/{answer['model']['model_id']}" == second.source
    assert answer["predictions"][0]["score"] == pytest.approx(1 / (1 + math.exp(2.0 - 0.9)))
    assert (ready["state"], second.run_id in ready["detail"]) == ("ok", True)


@pytest.mark.matrix
def test_an_unusable_version_that_was_the_champion_for_a_while_is_not_met_again_without_mlflow(
    server: ModelServer, backends: Backends, alias_restored: None, second_url: str
) -> None:
    before = version_of(server)
    register(backends.settings, bias=0.0, promote=True, features=UNKNOWN)
    eventually(lambda: server.dependency("model/churn") == "degraded", "the refusal")
    connect(backends.settings).set_registered_model_alias("churn", "champion", before)
    eventually(lambda: server.dependency("model/churn") == "ok", "readyz that forgets the refusal")

    serving = backends.settings.serving.model_copy(update={"url": second_url})
    settings = backends.settings.model_copy(update={"serving": serving})
    log = backends.settings.home / "after-an-unusable-one.log"
    with backends.without("mlflow"):
        restarted = ModelServer(settings, log)
        try:
            eventually(lambda: answers(restarted, "/readyz"), "a model from disk")
            found = version_of(restarted)
        finally:
            restarted.stop()

    assert found == before
    assert "shoe_size" not in log.read_text(encoding="utf-8")
