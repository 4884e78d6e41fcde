"""Copies of models on disk. The registry's files are a folder here; the real server is in the integration tests."""

import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import skops.io
import yaml
from sklearn.linear_model import LogisticRegression

from ml_modeling.registry import cache, tags
from ml_modeling.registry.answers import answer
from ml_modeling.registry.cache import ModelCache, registered
from ml_modeling.registry.identity import digest_of
from ml_modeling.registry.served import METADATA_KEY, ServingSpec, UnreadableModelError
from tidemill.config import load_settings

SETTINGS = load_settings({})
SPEC = ServingSpec(
    use_case="churn",
    feature_service="churn",
    feature_fingerprint="0" * 32,
    features=("a",),
    threshold=0.5,
    decisions=("stays", "churns"),
    cold_start_score=0.25,
)


class Registry:
    """Registered models in a folder; ``downloads`` are those that were asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.downloads: list[str] = []

    def add(self, model_id: str, slope: float) -> Path:
        folder = self.folder / model_id
        folder.mkdir(parents=True)
        model = LogisticRegression().fit([[0.0], [1.0]], [0, 1])
        model.coef_, model.intercept_ = np.array([[slope]]), np.array([0.0])
        skops.io.dump(model, folder / "model.skops")
        description = {
            "flavors": {"sklearn": {"pickled_model": "model.skops"}},
            "metadata": {METADATA_KEY: SPEC.model_dump(mode="json")},
        }
        (folder / "MLmodel").write_text(yaml.safe_dump(description), encoding="utf-8")
        return folder

    def version(self, number: str, model_id: str, digest: str | None = None) -> SimpleNamespace:
        stored = {} if digest is None else {tags.DIGEST: digest}
        run_id = f"run of {model_id}"
        return SimpleNamespace(name="churn", version=number, run_id=run_id, source=f"models:/{model_id}", tags=stored)

    def download(self, _settings, uri: str, parent: Path) -> Path:
        self.downloads.append(uri)
        shutil.copytree(self.folder / uri.removeprefix("models:/"), parent / "model")
        return parent / "model"


@pytest.fixture
def registry(tmp_path, monkeypatch):
    made = Registry(tmp_path / "registry")
    monkeypatch.setattr(cache, "download", made.download)
    return made


@pytest.fixture
def copies(tmp_path):
    return ModelCache(tmp_path / "cache")


def score_of_one(model):
    return float(answer(model.spec, model.pipeline, np.array([[1.0]])).scores[0])


def sigmoid(x):
    return float(1 / (1 + np.exp(-x)))


def test_a_model_is_downloaded_once(registry, copies):
    registry.add("m-1", slope=2.0)
    scores = [score_of_one(copies.load(SETTINGS, registry.version("1", "m-1"))) for _ in range(2)]
    assert scores == pytest.approx([sigmoid(2.0)] * 2)
    assert registry.downloads == ["models:/m-1"]


def test_another_model_under_the_same_number_is_another_copy(registry, copies):
    registry.add("m-1", slope=2.0)
    registry.add("m-2", slope=-2.0)
    copies.load(SETTINGS, registry.version("1", "m-1"))
    assert score_of_one(copies.load(SETTINGS, registry.version("1", "m-2"))) == pytest.approx(sigmoid(-2.0))


def test_the_same_model_under_another_number_is_the_same_copy(registry, copies):
    registry.add("m-1", slope=2.0)
    copies.load(SETTINGS, registry.version("1", "m-1"))
    assert copies.load(SETTINGS, registry.version("7", "m-1")).version == "7"
    assert len(registry.downloads) == 1


def test_a_damaged_copy_is_removed_and_downloaded_again(registry, copies, tmp_path, caplog):
    registry.add("m-1", slope=2.0)
    copies.note(copies.load(SETTINGS, registry.version("1", "m-1")))
    (stored,) = (tmp_path / "cache").rglob("model.skops")
    stored.write_bytes(stored.read_bytes()[:-1] + b"?")
    assert copies.served() == []
    assert "is damaged and was removed" in caplog.text
    assert score_of_one(copies.load(SETTINGS, registry.version("1", "m-1"))) == pytest.approx(sigmoid(2.0))
    assert len(registry.downloads) == 2


def test_files_that_are_not_those_that_were_trained_are_refused_and_not_downloaded_again(registry, copies):
    trained = digest_of(registry.add("m-1", slope=2.0))
    shutil.rmtree(registry.folder / "m-1")
    registry.add("m-1", slope=-2.0)
    for _ in range(2):
        with pytest.raises(UnreadableModelError, match=r"version 1 of 'churn' \(model m-1 .* were changed since"):
            copies.load(SETTINGS, registry.version("1", "m-1", trained))
    assert len(registry.downloads) == 1


def test_what_was_only_downloaded_has_not_served(registry, copies):
    registry.add("m-1", slope=2.0)
    copies.load(SETTINGS, registry.version("1", "m-1"))
    assert copies.served() == []


def test_what_served_last_comes_first_and_once(registry, copies):
    for number in ("1", "2"):
        registry.add(f"m-{number}", slope=float(number))
        copies.note(copies.load(SETTINGS, registry.version(number, f"m-{number}")))
    copies.note(copies.load(SETTINGS, registry.version("1", "m-1")))
    assert [model.version for model in copies.served()] == ["1", "2"]
    assert score_of_one(copies.read(copies.served()[1])) == pytest.approx(sigmoid(2.0))


def test_copies_beyond_the_newest_few_are_removed_but_none_that_has_served(registry, copies, tmp_path):
    registry.add("m-0", slope=0.0)
    good = copies.load(SETTINGS, registry.version("0", "m-0"))
    for number in range(1, 7):
        registry.add(f"m-{number}", slope=float(number))
        copies.load(SETTINGS, registry.version(str(number), f"m-{number}"))
        copies.note(good)
    assert [model.version for model in copies.served()] == ["0"]
    assert len([path for path in (tmp_path / "cache").iterdir() if path.is_dir()]) == 4


def test_a_model_id_names_no_folder_outside(registry, copies, tmp_path):
    registry.add("elsewhere", slope=2.0)
    version = registry.version("1", "../registry/elsewhere")
    copies.note(copies.load(SETTINGS, version))
    assert [model.identity for model in copies.served()] == [registered(version).identity]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cache", "registry"]


def test_a_damaged_note_is_told_once_and_nothing_is_taken_from_disk(registry, copies, tmp_path, caplog):
    registry.add("m-1", slope=2.0)
    copies.note(copies.load(SETTINGS, registry.version("1", "m-1")))
    (tmp_path / "cache" / "served.json").write_text('[{"name": 1}]', encoding="utf-8")
    assert [copies.served(), copies.served()] == [[], []]
    assert caplog.text.count("cannot be read and was removed") == 1


@pytest.mark.parametrize("change", ["name", "byte", "one more", "moved"])
def test_a_digest_tells_any_change_of_the_files(tmp_path, change):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "MLmodel").write_text("x", encoding="utf-8")
    other = tmp_path / "b"
    assert digest_of(other) == digest_of(tmp_path / "a")
    match change:
        case "name":
            (other / "MLmodel").rename(other / "MLmodeL")
        case "byte":
            (other / "MLmodel").write_text("y", encoding="utf-8")
        case "one more":
            (other / "empty").touch()
        case "moved":
            (other / "in").mkdir()
            (other / "MLmodel").rename(other / "in" / "MLmodel")
    assert digest_of(other) != digest_of(tmp_path / "a")


def test_what_mlflow_adds_when_it_downloads_is_no_part_of_a_model(tmp_path):
    (tmp_path / "MLmodel").write_text("x", encoding="utf-8")
    before = digest_of(tmp_path)
    (tmp_path / "registered_model_meta").write_text("model_name: churn", encoding="utf-8")
    assert digest_of(tmp_path) == before
