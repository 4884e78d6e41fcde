"""A promotion while requests are in flight."""

import math
import threading
from collections.abc import Iterator

import httpx
import pytest

from ml_modeling.registry.connection import connect
from tests.integration.model_serving.conftest import Backends, ModelServer, eventually
from tests.integration.model_serving.registered import register

CLIENTS = 4


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


def version_of(server: ModelServer) -> str:
    return str(server.client.get("/model-info/churn").json()["version"])


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
    wrong = register(backends.settings, bias=0.0, promote=True, features=("purchases__amount_sum_365d", "shoe_size"))

    eventually(lambda: server.dependency("model/churn") == "degraded", "readyz that tells")
    detail = server.client.get("/readyz").json()["dependencies"]["model/churn"]["detail"]

    assert wrong != before
    assert version_of(server) == before
    assert "shoe_size" in detail
    assert server.predict("known-9").status_code == 200
