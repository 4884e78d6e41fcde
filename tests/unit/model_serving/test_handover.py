"""From the end of a rollout in the traffic until the registry was asked: who answers. The registry is played here."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from ml_modeling.registry import cache
from model_serving import challenger as challengers
from model_serving import champion, loaded
from model_serving.arms import Arms
from model_serving.breaker import CircuitBreaker
from model_serving.challenger import TIMEOUTS, ChallengerHolder
from model_serving.champion import ChampionHolder
from model_serving.traffic import TrafficFollower
from monitoring.control import ControlStore, ModelRef, Policy, Traffic, control_store
from tests.unit.model_serving.answers import ASKED
from tests.unit.model_serving.played_registry import KnownFeatures, Registry
from tidemill.config import Settings, load_settings

OLD, NEW = ModelRef("1", "run-m-1", "m-1"), ModelRef("2", "run-m-2", "m-2")
ENTITIES = [f"customer-{number}" for number in range(200)]


@dataclass
class Server:
    """One that answers by ``OLD`` with ``NEW`` as its challenger; nothing happens in the background."""

    registry: Registry
    store: ControlStore
    follower: TrafficFollower
    arms: Arms

    def read(self, traffic: Traffic) -> None:
        """The traffic changes, and the server reads it and lets go of what it does not name."""
        current = self.store.rollouts.current("churn")
        self.store.rollouts.change("churn", current.epoch if current else 0, traffic, actor="test", reason="a test")
        self.follower.refresh()
        self.arms.challenger.refresh()

    def promote(self, number: str) -> None:
        self.registry.alias = self.registry.versions[number]

    def ask_registry(self) -> None:
        self.arms.champion.refresh()
        self.arms.challenger.refresh()

    def answering(self) -> dict[str, int]:
        """Versions, and how many of the entities each answers now."""
        turn, champion = self.arms.turn(), self.arms.champion.champion
        assert champion is not None
        theirs = sum(turn.is_challengers(entity) and turn.challenger is not None for entity in ENTITIES)
        found = {champion.model.version: len(ENTITIES) - theirs}
        if turn.challenger is not None:
            found[turn.challenger.loaded.model.version] = theirs
        return {version: count for version, count in found.items() if count}


@pytest.fixture
def handover_s() -> float:
    return 60.0


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, handover_s: float) -> Iterator[Server]:
    settings = load_settings({"TIDEMILL_HOME": str(tmp_path / "home")})
    registry = Registry(tmp_path / "registry")
    monkeypatch.setattr(champion, "alias_version", registry.alias_version)
    monkeypatch.setattr(challengers, "model_version", registry.model_version)
    monkeypatch.setattr(loaded, "FeatureSource", KnownFeatures)
    monkeypatch.setattr(cache, "download", registry.download)
    registry.put("m-2", "2")
    registry.put("m-1", "1")
    follower = TrafficFollower(settings, ["churn"])
    with control_store(settings) as store:
        made = Server(registry, store, follower, arms_of(settings, follower, handover_s))
        made.ask_registry()
        yield made
    made.arms.challenger.stop()
    follower.close()


def arms_of(settings: Settings, follower: TrafficFollower, handover_s: float) -> Arms:
    holder = ChampionHolder(settings, ASKED, CircuitBreaker(3))
    challenger = ChallengerHolder(settings, holder, CircuitBreaker(3), lambda: arms.named)
    arms = Arms(follower, holder, challenger, handover_s)
    return arms


PROMOTED = Traffic(Policy.CANARY, NEW)


def canary(share: int, policy: Policy = Policy.CANARY) -> Traffic:
    return Traffic(policy, OLD, NEW, share)


@pytest.mark.parametrize("policy", [Policy.CANARY, Policy.BLUE_GREEN, Policy.AB, Policy.SHADOW])
def test_nobody_goes_back_to_the_old_model_before_the_registry_was_asked(server: Server, policy: Policy) -> None:
    server.read(canary(0 if policy is Policy.SHADOW else 100, policy))
    server.promote("2")
    server.read(Traffic(policy, NEW))
    assert server.answering() == {"2": 200}
    server.ask_registry()
    assert server.answering() == {"2": 200}
    assert (server.arms.turn().share, server.arms.challenger.current) == (0, None)


def test_a_look_at_the_registry_that_began_before_decides_nothing(server: Server) -> None:
    server.read(canary(100))
    server.ask_registry()  # it finds the old champion: the alias moves right after
    server.promote("2")
    server.read(PROMOTED)
    assert server.answering() == {"2": 200}


def test_a_rollback_in_the_registry_wins_with_the_next_look(server: Server) -> None:
    server.read(canary(100))
    server.promote("2")
    server.read(PROMOTED)
    server.promote("1")
    server.ask_registry()
    assert server.answering() == {"1": 200}
    assert server.arms.challenger.current is None


def test_a_challenger_that_is_taken_back_answers_nobody_at_once(server: Server) -> None:
    server.read(canary(100))
    server.read(Traffic(Policy.CANARY, OLD))
    assert server.answering() == {"1": 200}


def test_a_challenger_that_was_set_aside_is_not_waited_for(server: Server) -> None:
    server.read(canary(100))
    current = server.arms.challenger.current
    assert current is not None
    for _ in range(TIMEOUTS):
        current.timeouts.failed("it hangs")
    server.read(PROMOTED)
    assert server.answering() == {"1": 200}


def test_a_server_that_never_had_the_challenger_waits_for_the_registry(server: Server) -> None:
    server.read(PROMOTED)
    assert server.answering() == {"1": 200}
    assert server.registry.downloads == ["m-1"]


@pytest.mark.parametrize("handover_s", [0.0])
def test_a_registry_that_is_away_is_not_waited_for_without_end(server: Server) -> None:
    server.read(canary(100))
    server.registry.is_away = True
    server.read(PROMOTED)
    server.ask_registry()
    assert server.answering() == {"1": 200}


def test_while_the_registry_is_away_the_promoted_model_answers(server: Server) -> None:
    server.read(canary(100))
    server.promote("2")
    server.registry.is_away = True
    server.read(PROMOTED)
    server.ask_registry()
    assert server.answering() == {"2": 200}
