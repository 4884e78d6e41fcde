"""Files through a mapping onto the real broker: each row an event once, or a reject with its line."""

import json
import os
import signal
from collections import Counter
from pathlib import Path
from typing import Any

import orjson
import pytest

from ingestion_layer.kafka.topics import ensure_topics
from tests.cases.inventory_files import TOPIC, expected, told, write_csv
from tests.cases.kafka_messages import ends, messages_after
from tests.integration.ingestion_layer.mapped.ingesting import finish, started, wait_for_progress
from tidemill.config import Settings

MAPPING = "partner_inventory"


@pytest.fixture
def own(settings: Settings, kafka: str, tmp_path: Path) -> Settings:
    """The shared broker with a home of the test's own."""
    ensure_topics(settings)
    return settings.model_copy(update={"home": tmp_path / "home"})


def events_after(settings: Settings, starts: dict[int, int]) -> list[dict[str, Any]]:
    return [orjson.loads(m.value()) for m in messages_after(settings.kafka.bootstrap_servers, TOPIC, starts)]


def rejects_in(file: str) -> dict[int, str]:
    rejects = [json.loads(line) for line in Path(file).read_text(encoding="utf-8").splitlines()]
    assert len({reject["line"] for reject in rejects}) == len(rejects)
    return {reject["line"]: reject["reason"] for reject in rejects}


def test_a_file_that_was_killed_goes_on_and_each_row_is_there(own: Settings, tmp_path: Path) -> None:
    count, file = 120_000, tmp_path / "stock.csv"
    bad, starts = write_csv(file, count), ends(own.kafka.bootstrap_servers, TOPIC)
    with started(own, "files", MAPPING, str(file)) as process:
        position = wait_for_progress(own, MAPPING, process)
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    summary = finish(own, "files", MAPPING, str(file))
    (of_file,) = summary["files"]
    assert of_file["began_at"] >= position > 0
    assert (summary["rows"], summary["produced"]) == (count, count - len(bad))
    assert summary["rejected"] == Counter(bad.values())
    assert rejects_in(of_file["rejected_file"]) == bad
    by_id = {event["id"]: event["data"] for event in events_after(own, starts)}
    good = [number for number in range(count) if number + 2 not in bad]
    assert sorted(map(told, by_id.values()), key=str) == sorted(map(expected, good), key=str)

    again = finish(own, "files", MAPPING, str(file))
    assert (again["sent"], again["produced"]) == (0, summary["produced"])
