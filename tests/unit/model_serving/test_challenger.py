"""Which challenger is loaded while the traffic names one and another. MLflow itself is asked in integration tests."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from ml_modeling.registry import ServedModel, cache
from model_serving import challenger, champion, loaded
from model_serving.breaker import CircuitBreaker
from model_serving.challenger import ChallengerHolder
from model_serving.champion import ChampionHolder
from monitoring.control import ModelRef
from tests.unit.model_serving.answers import ASKED
from tests.unit.model_serving.played_registry import KnownFeatures, Registry
from tidemill.config import Settings, load_settings

NEW = ModelRef("2", "run-m-2", "m-2")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings({"TIDEMILL_HOME": str(tmp_path / "home")})


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Registry:
    """Version 2 is registered, version 1 is the champion."""
    made = Registry(tmp_path / "registry")
    monkeypatch.setattr(champion, "alias_version", made.alias_version)
    monkeypatch.setattr(challenger, "model_version", made.model_version)
    monkeypatch.setattr(loaded, "FeatureSource", KnownFeatures)
    monkeypatch.setattr(cache, "download", made.download)
    made.put("m-2", "2")
    made.put("m-1", "1")
    return made


class Named:
    """What the traffic names."""

    def __init__(self, ref: ModelRef | None) -> None:
        self.ref = ref

    def __call__(self) -> ModelRef | None:
        return self.ref


Start = Callable[[Named], ChallengerHolder]


@pytest.fixture
def start(settings: Settings, registry: Registry) -> Start:
    """Makes a holder beside a loaded champion."""

    def made(named: Named) -> ChallengerHolder:
        of_champion = ChampionHolder(settings, ASKED, CircuitBreaker(3))
        of_champion.refresh()
        return ChallengerHolder(settings, of_champion, CircuitBreaker(3), named)

    return made


def loaded_as(holder: ChallengerHolder) -> tuple[str, str, str] | None:
    """Version, model id and alias of what is loaded."""
    current = holder.current
    model = None if current is None else current.loaded.model
    return None if model is None else (model.version, model.identity.model_id, model.alias)


def test_the_challenger_that_the_traffic_names_is_loaded_once_and_let_go_with_it(
    start: Start, registry: Registry
) -> None:
    named = Named(None)
    holder = start(named)
    holder.refresh()
    assert loaded_as(holder) is None
    named.ref = NEW
    for _ in range(3):
        holder.refresh()
    assert loaded_as(holder) == ("2", "m-2", "challenger")
    assert (registry.downloads.count("m-2"), holder.trouble(NEW), holder.has_failed(NEW)) == (1, None, False)
    named.ref = None
    holder.refresh()

    assert loaded_as(holder) is None


def test_it_reads_its_features_with_the_champion_where_both_take_the_same(start: Start, registry: Registry) -> None:
    registry.put("m-3", "3", ("a",))
    registry.put("m-1", "1")
    named = Named(NEW)
    holder = start(named)
    sources = []
    for ref in (NEW, ModelRef("3", "run-m-3", "m-3")):
        named.ref = ref
        holder.refresh()
        assert holder.current is not None
        sources.append(holder.current.loaded.source)

    assert holder._champion.champion is not None
    assert [source is holder._champion.champion.source for source in sources] == [True, False]


@pytest.mark.parametrize(
    "changed",
    [{"run_id": "run-other"}, {"model_id": "m-other"}, {"digest": "00ff"}],
    ids=["another run", "another model", "other files"],
)
def test_a_version_that_stands_for_another_model_is_refused_with_both_named(
    start: Start, registry: Registry, changed: dict[str, str]
) -> None:
    ref = replace(NEW, **changed)
    holder = start(Named(ref))
    holder.refresh()

    assert loaded_as(holder) is None
    assert holder.has_failed(ref)
    reason = holder.trouble(ref)
    assert reason is not None
    assert "version 2 of 'churn' is model m-2 of run run-m-2 now" in reason
    assert f"({ref.model_id} of run {ref.run_id})" in reason
    assert "m-2" not in registry.downloads


def test_a_model_that_cannot_be_used_is_downloaded_once_and_told_once(
    start: Start, registry: Registry, caplog: pytest.LogCaptureFixture
) -> None:
    registry.put("m-bad", "3", ("a", "shoe_size"))
    registry.put("m-1", "1")
    ref = ModelRef("3", "run-m-bad", "m-bad")
    holder = start(Named(ref))
    for _ in range(3):
        holder.refresh()

    assert (loaded_as(holder), holder.has_failed(ref)) == (None, True)
    assert registry.downloads.count("m-bad") == 1
    assert caplog.text.count("shoe_size") == 1


def test_a_model_at_which_loading_breaks_in_an_unforeseen_way_has_failed_and_is_told_once(
    start: Start, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    holder = start(Named(NEW))

    def breaks(_: ServedModel) -> None:
        raise RuntimeError("no CUDA")

    monkeypatch.setattr(loaded, "warm", breaks)
    for _ in range(3):
        holder.refresh()

    assert (loaded_as(holder), holder.has_failed(NEW)) == (None, True)
    assert "no CUDA" in (holder.trouble(NEW) or "")
    assert caplog.text.count("no CUDA") == 1


def test_a_registry_that_is_away_is_no_failure_of_the_challenger_and_is_asked_again(
    start: Start, registry: Registry
) -> None:
    holder = start(Named(NEW))
    registry.is_away = True
    holder.refresh()
    assert (loaded_as(holder), holder.has_failed(NEW)) == (None, False)
    assert "MLflow does not answer" in (holder.trouble(NEW) or "")
    registry.is_away = False
    holder.refresh()

    assert loaded_as(holder) == ("2", "m-2", "challenger")


def test_a_version_that_comes_later_is_found(start: Start, registry: Registry) -> None:
    late = ModelRef("3", "run-m-3", "m-3")
    holder = start(Named(late))
    holder.refresh()
    assert holder.has_failed(late)
    registry.put("m-3", "3")
    holder.refresh()

    assert (loaded_as(holder), holder.trouble(late)) == (("3", "m-3", "challenger"), None)


def test_one_refused_challenger_says_nothing_of_the_next(start: Start, registry: Registry) -> None:
    named = Named(replace(NEW, model_id="m-other"))
    holder = start(named)
    holder.refresh()
    named.ref = NEW
    assert (holder.trouble(NEW), holder.has_failed(NEW)) == (None, False)
    holder.refresh()

    assert loaded_as(holder) == ("2", "m-2", "challenger")


def test_the_champion_is_not_loaded_a_second_time_as_its_own_challenger(start: Start, registry: Registry) -> None:
    holder = start(Named(ModelRef("1", "run-m-1", "m-1")))
    holder.refresh()

    assert loaded_as(holder) is None
    assert registry.downloads == ["m-1"]


def test_a_full_disk_is_tried_again(start: Start, registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> Path:
        raise OSError(28, "No space left on device")

    holder = start(Named(NEW))
    with monkeypatch.context() as patch:
        patch.setattr(cache, "download", full)
        holder.refresh()
    assert "No space left on device" in (holder.trouble(NEW) or "")
    assert not holder.has_failed(NEW)
    holder.refresh()

    assert loaded_as(holder) == ("2", "m-2", "challenger")
