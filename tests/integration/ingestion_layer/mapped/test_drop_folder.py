"""A drop folder onto the real broker: files of three formats, a bad one, and kill -9 in the middle of a file."""

import json
import os
import signal
from collections import Counter
from pathlib import Path
from typing import Any

import openpyxl
import orjson
import pytest

from ingestion_layer.kafka.topics import ensure_topics
from tests.cases.inventory_files import HEADER, TOPIC, expected, rows, told, write_csv
from tests.cases.kafka_messages import ends, messages_after
from tests.integration.ingestion_layer.mapped.ingesting import started, wait_for_progress
from tidemill.config import Settings

MAPPING = "partner_inventory"


@pytest.fixture
def own(settings: Settings, kafka: str, tmp_path: Path) -> Settings:
    ensure_topics(settings)
    return settings.model_copy(update={"home": tmp_path / "home"})


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    (inbox := tmp_path / "inbox").mkdir()
    return inbox


def drop(path: Path) -> None:
    """As a partner does it: under another name, renamed when it is whole."""
    path.rename(path.with_name(path.name.removesuffix(".part")))


def once(settings: Settings, inbox: Path) -> dict[str, Any]:
    """What a run says of each file."""
    for path in inbox.glob("*.*"):
        os.utime(path, (0, 0))
    with started(settings, "watch", MAPPING, str(inbox), "--once", "--json") as process:
        out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    return {document["file"]: document for document in map(json.loads, out.splitlines())}


def events_after(settings: Settings, starts: dict[int, int]) -> list[dict[str, Any]]:
    return [orjson.loads(m.value()) for m in messages_after(settings.kafka.bootstrap_servers, TOPIC, starts)]


def test_each_file_goes_where_it_is_told_what_became_of_it(own: Settings, inbox: Path) -> None:
    starts = ends(own.kafka.bootstrap_servers, TOPIC)
    made = list(rows(300))
    bad = write_csv(inbox / "a.csv.part", 100)
    drop(inbox / "a.csv.part")
    (inbox / "b.jsonl").write_text("\n".join(json.dumps(row) for row, _ in made[100:200]), encoding="utf-8")
    workbook = openpyxl.Workbook()
    assert workbook.active is not None
    for cells in (HEADER, *(tuple(row.values()) for row, _ in made[200:300])):
        workbook.active.append(cells)
    workbook.save(inbox / "c.xlsx")
    (inbox / "d.csv").write_text("product,units\n", encoding="utf-8")
    handled = once(own, inbox)
    assert {name: document["outcome"] for name, document in handled.items()} == {
        "a.csv": "done",
        "b.jsonl": "done",
        "c.xlsx": "done",
        "d.csv": "rejected",
    }
    assert [handled[name]["produced"] for name in ("a.csv", "b.jsonl", "c.xlsx")] == [99, 99, 99]
    rejects = (inbox / "done" / "a.csv.rejected.jsonl").read_text(encoding="utf-8").splitlines()
    assert {reject["line"]: reject["reason"] for reject in map(json.loads, rejects)} == bad
    told_why = json.loads((inbox / "rejected" / "d.csv.reason.json").read_text())
    assert told_why["reason"].startswith("d.csv has no column")
    assert [path.name for path in inbox.iterdir() if path.is_file()] == [".tidemill.lock"]
    sent = [told(event["data"]) for event in events_after(own, starts)]
    assert sorted(sent, key=str) == sorted((expected(n) for n in range(300) if (n + 1) % 100), key=str)


def test_killed_in_the_middle_of_a_file_every_line_is_there_once(own: Settings, inbox: Path) -> None:
    count, starts = 120_000, ends(own.kafka.bootstrap_servers, TOPIC)
    bad = write_csv(inbox / "large.csv", count)
    os.utime(inbox / "large.csv", (0, 0))
    with started(own, "watch", MAPPING, str(inbox), "--json") as process:
        wait_for_progress(own, MAPPING, process)
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    assert (inbox / "large.csv").is_file()
    handled = once(own, inbox)["large.csv"]
    assert (handled["rows"], handled["produced"]) == (count, count - len(bad))
    assert handled["rejected"] == Counter(bad.values())
    by_id = {event["id"]: told(event["data"]) for event in events_after(own, starts)}
    assert sorted(by_id.values(), key=str) == sorted((expected(n) for n in range(count) if n + 2 not in bad), key=str)
