"""Two models at once on the real server, by the traffic of a real control store."""

import math
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from ml_modeling.registry.connection import connect
from ml_modeling.registry.versions import get_version
from model_serving.arms import is_drawn, salt_of
from monitoring.control import ControlStore, ModelRef, Policy, Rollout, Traffic, control_store
from tests.cases.waiting import eventually
from tests.integration.model_serving.conftest import Backends, ModelServer
from tests.integration.model_serving.prediction_topic import messages
from tests.integration.model_serving.registered import register
from tests.integration.model_serving.rows import KNOWN, amount
from tests.integration.model_serving.test_promotion import Load
from tidemill.config import Settings

BIAS = -2.0
UNKNOWN = ("purchases__amount_sum_365d", "shoe_size")


def ref_of(settings: Settings, version: str) -> ModelRef:
    found = get_version(settings, "churn", version)
    return ModelRef(found.version, found.run_id, found.model_id, found.digest)


class Rollouts:
    """Changes of churn's traffic; every share of a challenger is stated before the test goes on."""

    def __init__(self, store: ControlStore, server: ModelServer) -> None:
        self._store = store
        self._server = server

    def set(self, challenger: ModelRef | None, share: int, policy: Policy = Policy.CANARY) -> Rollout:
        now = self._store.rollouts.current("churn")
        traffic = Traffic(policy, None, challenger, share)
        epoch = 0 if now is None else now.epoch
        return self._store.rollouts.change("churn", epoch, traffic, actor="test", reason="a test")

    def follow(self, challenger: ModelRef | None, share: int, policy: Policy = Policy.CANARY) -> Rollout:
        """Wait until the server goes by it, and has loaded the challenger."""
        rollout = self.set(challenger, share, policy)
        eventually(lambda: (info(self._server)["traffic"] or {}).get("epoch") == rollout.epoch, "the epoch")
        if challenger is not None:
            eventually(lambda: (info(self._server)["traffic"]["challenger"] or {}).get("is_loaded"), "the challenger")
        return rollout


def info(server: ModelServer) -> dict[str, Any]:
    found: dict[str, Any] = server.client.get("/model-info/churn").json()
    return found


@pytest.fixture
def rollouts(backends: Backends, server: ModelServer) -> Iterator[Rollouts]:
    """No challenger before and after, and the champion of before."""
    client = connect(backends.settings)
    before = client.get_model_version_by_alias("churn", "champion").version
    with control_store(backends.settings) as store:
        made = Rollouts(store, server)
        yield made
        made.follow(None, 0, Policy.DIRECT)
    client.set_registered_model_alias("churn", "champion", before)
    eventually(lambda: info(server)["version"] == before, "the champion of before")


@pytest.fixture
def challenger(backends: Backends) -> ModelRef:
    return ref_of(backends.settings, register(backends.settings, bias=BIAS, promote=False))


def drawn(challenger: ModelRef, share: int) -> set[str]:
    salt = salt_of("churn", challenger.run_id, challenger.model_id)
    return {customer for customer in KNOWN if is_drawn(salt, customer, share)}


def arms(server: ModelServer, **options: object) -> dict[str, tuple[str, str]]:
    """Arm and version of each known customer; every score must be that of its version's model."""
    answer = server.predict(*KNOWN, **options).json()["predictions"]
    for row in answer:
        bias = BIAS if row["arm"] == "challenger" else 0.0
        by_hand = 1 / (1 + math.exp(-bias - 0.01 * amount(row["customer_id"])))
        assert row["score"] == pytest.approx(by_hand)
    return {row["customer_id"]: (row["arm"], row["version"]) for row in answer}


def of_challenger(server: ModelServer) -> set[str]:
    return {customer for customer, (arm, _) in arms(server).items() if arm == "challenger"}


def test_a_share_takes_effect_grows_without_losing_anybody_and_goes_back(
    server: ModelServer, rollouts: Rollouts, challenger: ModelRef
) -> None:
    seen = []
    for share in (0, 10, 50, 100, 0):
        rollouts.follow(challenger, share)
        seen.append(of_challenger(server))

    assert seen == [set(), drawn(challenger, 10), drawn(challenger, 50), set(KNOWN), set()]
    assert 0 < len(seen[1]) < len(seen[2]) < len(KNOWN)
    assert seen[1] < seen[2]


def test_every_row_is_logged_once_with_its_arm_epoch_and_model(
    server: ModelServer, backends: Backends, rollouts: Rollouts, challenger: ModelRef
) -> None:
    epoch = rollouts.follow(challenger, 50).epoch
    said = arms(server, headers={"x-request-id": "both-arms"})
    eventually(lambda: server.metric("tidemill_serving_prediction_log_waiting") == 0, "an empty log")

    events = [orjson.loads(value) for _, value in messages(backends.settings) if b'"both-arms"' in value]
    logged = {event["data"]["entity_id"]: event["data"] for event in events}
    assert len(events) == len(logged) == len(KNOWN)
    assert {customer: (data["arm"], data["model_version"]) for customer, data in logged.items()} == said
    of_it = [data for data in logged.values() if data["arm"] == "challenger"]
    assert {(data["model_run_id"], data["model_id"]) for data in of_it} == {(challenger.run_id, challenger.model_id)}
    assert {(data["epoch"], data["challenger_failed"]) for data in logged.values()} == {(epoch, False)}


def test_while_the_store_is_away_the_traffic_goes_on_and_readyz_says_so(
    server: ModelServer, backends: Backends, rollouts: Rollouts, challenger: ModelRef
) -> None:
    rollouts.follow(challenger, 50)
    file = backends.settings.home / "control.db"
    kept = Path(shutil.move(file, file.with_suffix(".kept")))
    try:
        eventually(lambda: server.dependency("control_store") == "degraded", "readyz that tells")
        ready = server.client.get("/readyz")
        found, epochs = of_challenger(server), info(server)["traffic"]
        up = server.metric('tidemill_serving_dependency_up{dependency="control_store"}')
    finally:
        shutil.move(kept, file)

    assert (ready.status_code, ready.json()["status"]) == (200, "degraded")
    assert found == drawn(challenger, 50)
    assert (epochs["share"], epochs["challenger"]["trouble"], up) == (50, None, 0)
    eventually(lambda: server.dependency("control_store") == "ok", "readyz that tells it is back")


def test_a_version_that_stands_for_another_model_is_refused_and_the_champion_answers_all(
    server: ModelServer, rollouts: Rollouts, challenger: ModelRef, backends: Backends
) -> None:
    other = register(backends.settings, bias=5.0, promote=False)
    wrong = ModelRef(other, challenger.run_id, challenger.model_id, challenger.digest)
    rollouts.set(wrong, 100)
    eventually(lambda: "means another model" in told(server), "the refusal")

    assert of_challenger(server) == set()
    assert f"version {other} of 'churn'" in told(server)
    assert server.client.get("/readyz").status_code == 200


@pytest.mark.parametrize("what", ["features that are not there", "a version that is not there"])
def test_a_challenger_that_cannot_be_loaded_leaves_the_champion_as_it_is(
    server: ModelServer, backends: Backends, rollouts: Rollouts, what: str
) -> None:
    if what == "features that are not there":
        wrong = ref_of(backends.settings, register(backends.settings, bias=0.0, promote=False, features=UNKNOWN))
        expected = "shoe_size"
    else:
        wrong, expected = ModelRef("999999", "no-run", "m-none"), "not found"
    rollouts.set(wrong, 100)
    eventually(lambda: expected in told(server), "the trouble")

    assert of_challenger(server) == set()
    assert server.dependency("model/churn") == "ok"
    assert server.metric('tidemill_serving_challenger_failed_total{use_case="churn",why="unusable"}') >= len(KNOWN)


def told(server: ModelServer) -> str:
    dependencies = server.client.get("/readyz").json()["dependencies"]
    return str(dependencies.get("challenger/churn", {}).get("detail", ""))


def test_a_promotion_during_a_canary_loses_no_request_and_answers_all_with_the_new_champion(
    server: ModelServer, backends: Backends, rollouts: Rollouts, challenger: ModelRef
) -> None:
    rollouts.follow(challenger, 50)
    with Load(server.settings.serving.url) as load:
        eventually(lambda: len(load.answers) > 30, "answers before the promotion")
        connect(backends.settings).set_registered_model_alias("churn", "champion", challenger.version)
        eventually(lambda: info(server)["version"] == challenger.version, "the new champion")
        enough = len(load.answers) + 30
        eventually(lambda: len(load.answers) > enough, "answers after the promotion")
    promoted = server.predict(*KNOWN).json()["predictions"]

    assert {getattr(answer, "status_code", answer) for answer in load.answers} == {200}
    assert {(row["arm"], row["version"]) for row in promoted} == {("champion", challenger.version)}
    assert "challenger/churn" not in server.client.get("/readyz").json()["dependencies"]


def test_a_shadow_answers_nobody_and_is_logged_beside_each_answer(
    server: ModelServer, backends: Backends, rollouts: Rollouts, challenger: ModelRef
) -> None:
    rollouts.follow(challenger, 0, Policy.SHADOW)
    said = arms(server, headers={"x-request-id": "with-a-shadow"})
    shadowed = f'tidemill_serving_arm_predictions_total{{arm="shadow",use_case="churn",version="{challenger.version}"}}'
    eventually(lambda: server.metric(shadowed) >= len(KNOWN), "the shadow")
    eventually(lambda: server.metric("tidemill_serving_prediction_log_waiting") == 0, "an empty log")

    events = [orjson.loads(value) for _, value in messages(backends.settings) if b'"with-a-shadow"' in value]
    by_arm = {
        arm: {event["data"]["entity_id"]: event["data"] for event in events if event["data"]["arm"] == arm}
        for arm in ("champion", "shadow")
    }
    assert {arm for arm, _ in said.values()} == {"champion"}
    assert len({event["id"] for event in events}) == len(events) == 2 * len(KNOWN)
    for customer in KNOWN:
        answer, shadow = by_arm["champion"][customer], by_arm["shadow"][customer]
        assert shadow["model_id"] == challenger.model_id
        assert shadow["score"] == pytest.approx(1 / (1 + math.exp(-BIAS - 0.01 * amount(customer))))
        assert (shadow["features"], shadow["features_at"]) == (answer["features"], answer["features_at"])
