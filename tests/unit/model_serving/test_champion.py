"""Which model answers while the registry's champion changes. The registry is played here; MLflow itself is asked in the
integration tests.
"""

from dataclasses import replace
from pathlib import Path

import pytest

from feature_store.definitions import Task
from ml_modeling.registry import ServedModel, cache
from model_serving import champion, loaded
from model_serving.breaker import CircuitBreaker
from model_serving.champion import ChampionHolder
from model_serving.schemas import DegradedReason
from tests.unit.model_serving.answers import ASKED
from tests.unit.model_serving.played_registry import KnownFeatures, Registry
from tidemill.config import Settings, load_settings


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Registry:
    made = Registry(tmp_path / "registry")
    monkeypatch.setattr(champion, "alias_version", made.alias_version)
    monkeypatch.setattr(loaded, "FeatureSource", KnownFeatures)
    monkeypatch.setattr(cache, "download", made.download)
    return made


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings({"TIDEMILL_HOME": str(tmp_path / "home")})


def started(settings: Settings) -> ChampionHolder:
    """A server's holder after its first look at the registry."""
    holder = ChampionHolder(settings, ASKED, CircuitBreaker(3))
    holder.refresh()
    return holder


def answering(holder: ChampionHolder) -> tuple[str, str] | None:
    """Version and model id of what answers."""
    found = holder.champion
    return None if found is None else (found.model.version, found.model.identity.model_id)


def test_a_model_made_anew_under_the_same_number_takes_over(registry: Registry, settings: Settings) -> None:
    registry.put("m-1")
    holder = started(settings)
    registry.put("m-2")
    holder.refresh()

    assert answering(holder) == ("1", "m-2")


def test_the_same_model_under_another_number_answers_with_that_and_is_not_loaded_again(
    registry: Registry, settings: Settings
) -> None:
    registry.put("m-1", "1")
    holder = started(settings)
    registry.put("m-1", "2")
    holder.refresh()

    assert answering(holder) == ("2", "m-1")
    assert registry.downloads == ["m-1"]


def test_an_unusable_champion_leaves_no_trace_once_the_alias_is_back(registry: Registry, settings: Settings) -> None:
    registry.put("m-good", "1")
    holder = started(settings)
    registry.put("m-bad", "2", ("a", "shoe_size"))
    holder.refresh()
    assert answering(holder) == ("1", "m-good")
    assert holder.load_error is not None
    registry.put("m-good", "1")
    holder.refresh()
    assert holder.load_error is None

    registry.is_away = True
    assert answering(started(settings)) == ("1", "m-good")


def test_a_server_started_without_the_registry_passes_over_what_it_cannot_use_and_says_so_once(
    registry: Registry, settings: Settings, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as newer:
        newer.setattr(KnownFeatures, "__init__", lambda *_: None)
        registry.put("m-good", "1")
        holder = started(settings)
        registry.put("m-later", "2", ("a", "shoe_size"))
        holder.refresh()
        assert answering(holder) == ("2", "m-later")
    registry.is_away = True
    caplog.clear()

    older = started(settings)
    for _ in range(3):
        older.refresh()

    assert answering(older) == ("1", "m-good")
    assert older.champion is not None
    assert DegradedReason.CACHED_MODEL in older.standing_reasons(older.champion)
    assert caplog.text.count("shoe_size") == 1
    assert "version 2 of 'churn' (model m-later of run run-m-later): the model takes shoe_size" in caplog.text


def test_a_server_started_under_an_unusable_champion_answers_with_the_last_that_served(
    registry: Registry, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    registry.put("m-good", "1")
    started(settings)
    registry.put("m-bad", "2", ("a", "shoe_size"))
    holder = started(settings)
    for _ in range(3):
        holder.refresh()

    assert answering(holder) == ("1", "m-good")
    assert holder.champion is not None
    assert holder.champion.is_cached
    assert caplog.text.count("shoe_size") == 1
    registry.put("m-good", "1")
    holder.refresh()
    assert (holder.champion.is_cached, holder.load_error) == (False, None)


def test_a_champion_at_which_loading_breaks_in_an_unforeseen_way_is_refused_and_the_last_that_served_answers(
    registry: Registry, settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    registry.put("m-good", "1")
    started(settings)
    registry.put("m-bad", "2")

    def breaks_at_bad(model: ServedModel) -> None:
        if model.identity.model_id == "m-bad":
            raise RuntimeError("no CUDA")

    monkeypatch.setattr(loaded, "warm", breaks_at_bad)
    holder = started(settings)
    for _ in range(3):
        holder.refresh()

    assert answering(holder) == ("1", "m-good")
    assert holder.load_error is not None
    assert "version 2 of 'churn' (model m-bad of run run-m-bad): no CUDA" in holder.load_error
    assert caplog.text.count("no CUDA") == 1


def test_a_copy_at_which_loading_breaks_in_an_unforeseen_way_is_passed_over(
    registry: Registry, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry.put("m-1", "1")
    started(settings)
    registry.is_away = True

    def breaks(_: ServedModel) -> None:
        raise RuntimeError("no CUDA")

    monkeypatch.setattr(loaded, "warm", breaks)
    holder = started(settings)

    assert answering(holder) is None
    assert "no CUDA" in (holder.load_error or "")


def test_a_registry_that_fails_in_an_unforeseen_way_is_away(registry: Registry, settings: Settings) -> None:
    registry.put("m-1")
    started(settings)
    registry.is_broken = True
    holder = started(settings)

    assert answering(holder) == ("1", "m-1")
    assert holder.registry_error == "MLflow's client is broken"


@pytest.mark.parametrize("ours", [False, True], ids=["logged by hand", "of unknown features"])
def test_a_refused_model_is_downloaded_once_and_named_with_what_leads_out(
    registry: Registry, settings: Settings, caplog: pytest.LogCaptureFixture, ours: bool
) -> None:
    registry.put("m-foreign", "2", ("shoe_size",), ours=ours)
    holder = started(settings)
    for _ in range(3):
        holder.refresh()
    again = started(settings)

    assert registry.downloads == ["m-foreign"]
    assert answering(holder) is answering(again) is None
    assert holder.load_error is not None
    assert "version 2 of 'churn' (model m-foreign of run run-m-foreign)" in holder.load_error
    assert "tidemill models rollback churn" in holder.load_error
    assert "tidemill models retire churn" in holder.load_error
    assert caplog.text.count("no other model was loaded") == 2


def test_a_champion_of_another_task_than_the_label_does_not_answer_and_is_named_with_what_leads_out(
    registry: Registry, settings: Settings
) -> None:
    """Somebody asks for a number now, and the champion still says yes or no."""
    registry.put("m-1")
    asks_otherwise = ChampionHolder(settings, replace(ASKED, task=Task.REGRESSION), CircuitBreaker(3))
    asks_otherwise.refresh()

    assert answering(asks_otherwise) is None
    assert asks_otherwise.load_error is not None
    assert "it is a binary model, and churn asks for regression" in asks_otherwise.load_error
    assert "tidemill models retire churn" in asks_otherwise.load_error


def test_a_champion_that_is_gone_from_the_registry_stays_and_readers_are_told(
    registry: Registry, settings: Settings
) -> None:
    registry.put("m-1")
    holder = started(settings)
    registry.alias = None
    holder.refresh()

    assert answering(holder) == ("1", "m-1")
    assert holder.load_error == "model 'churn' has no champion: run `tidemill models promote churn VERSION`"


def test_a_registry_that_is_back_confirms_the_model_from_disk(registry: Registry, settings: Settings) -> None:
    registry.put("m-1")
    started(settings)
    registry.is_away = True
    holder = started(settings)
    assert holder.champion is not None
    assert holder.champion.is_cached
    registry.is_away = False
    holder.refresh()

    assert not holder.champion.is_cached
    assert registry.downloads == ["m-1"]


def test_a_model_that_could_not_be_downloaded_is_tried_again(
    registry: Registry, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry.put("m-1")

    def full(*_: object) -> Path:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(cache, "download", full)
        holder = started(settings)
    assert holder.load_error is not None
    assert "No space left on device" in holder.load_error
    holder.refresh()

    assert (answering(holder), holder.load_error) == (("1", "m-1"), None)
