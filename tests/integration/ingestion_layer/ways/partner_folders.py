"""Two ways of a partner's file into Kafka that keep one promise: NiFi's flow, and a command."""

import json
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson

from ingestion_layer.sources.mapped.dropped import DONE, REJECTED
from tests.cases.kafka_messages import Offsets, messages_after
from tests.integration.ingestion_layer.mapped.ingesting import started
from tidemill.config import Settings

PATIENCE_S = 3_600.0


class PartnerFolder:
    """The folder into which files of one mapping are renamed; somebody looks into it."""

    def __init__(self, settings: Settings, path: Path) -> None:
        self.settings, self.path = settings, path
        path.mkdir(parents=True, exist_ok=True)

    def drop(self, file: Path) -> None:
        """Put ``file`` there as a partner does: under a name that begins with a dot, then renamed."""
        hidden = self.path / f".{file.name}"
        shutil.copyfile(file, hidden)
        hidden.rename(self.path / file.name)

    def done(self, name: str) -> Path:
        return self.path / DONE / name

    def rejected(self, name: str) -> Path:
        return self.path / REJECTED / name

    def wait_for(self, *files: Path) -> None:
        """Until each of ``files`` is there, whole."""
        until(lambda: all(file.exists() and not file.with_name(f".{file.name}").exists() for file in files))

    def rejects(self, name: str) -> dict[int, str]:
        """The reason of each line of the file ``name`` that is no event, each line told once."""
        rejects = self.done(f"{name}.rejected.jsonl")
        self.wait_for(self.done(name), rejects)
        told = [json.loads(line) for line in rejects.read_text(encoding="utf-8").splitlines()]
        reasons = {reject["line"]: reject["reason"] for reject in told}
        assert len(reasons) == len(told)
        return reasons

    def events(self, topic: str, starts: Offsets) -> list[dict[str, Any]]:
        """Every event sent to ``topic`` after ``starts``, also those sent twice."""
        return [orjson.loads(m.value()) for m in messages_after(self.settings.kafka.bootstrap_servers, topic, starts)]


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.2)


def wait_for_progress(settings: Settings, mapping: str) -> None:
    """Until a part of a file was acknowledged and noted, and not all of it."""

    def is_in_the_middle() -> bool:
        return any(of["position"] > 0 and not of["is_finished"] for of in _noted(settings, mapping))

    until(is_in_the_middle)


def noted_events(settings: Settings, mapping: str) -> int:
    """How many events of its files were acknowledged and noted."""
    return sum(progress["counts"].get("events", 0) for progress in _noted(settings, mapping))


def _noted(settings: Settings, mapping: str) -> list[dict[str, Any]]:
    return [json.loads(path.read_text()) for path in (settings.home / "progress").glob(f"{mapping}-*.json")]


@contextmanager
def plain_python(settings: Settings, mapping: str, path: Path) -> Iterator[PartnerFolder]:
    """``tidemill ingest watch``, while the block runs."""
    folder = PartnerFolder(settings, path)
    with started(settings, "watch", mapping, str(path), "--every", "0.2"):
        yield folder
