"""Files of partners, by each way in: every row an event once, or told with its line; every file told of."""

import json
from pathlib import Path

import openpyxl
import pytest

from ingestion_layer.kafka.topics import ensure_topics
from tests.cases.inventory_files import HEADER, TOPIC, expected, good_rows, row, told, write_csv
from tests.cases.kafka_messages import ends
from tests.integration.ingestion_layer.ways.conftest import FolderOf
from tests.integration.own_broker import OwnBroker
from tidemill.config import Settings

MAPPING = "partner_inventory"
PROMOTIONS = "shop.promotion.v1"


@pytest.fixture(autouse=True)
def settings_of_broker(broker: OwnBroker) -> Settings:
    ensure_topics(broker.settings)
    return broker.settings


def test_the_rows_of_a_file_become_events_and_the_bad_ones_are_told_by_line(
    folder_of: FolderOf, broker: OwnBroker, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    file, count = tmp_path / f"{request.node.callspec.id}.csv", 5_000
    bad, starts = write_csv(file, count), ends(broker.servers, TOPIC)
    with folder_of(MAPPING) as folder:
        folder.drop(file)
        assert folder.rejects(file.name) == bad
        events = folder.events(TOPIC, starts)
    good = map(expected, good_rows(count, bad))
    assert sorted((told(event["data"]) for event in events), key=str) == sorted(good, key=str)
    assert not (folder.path / file.name).exists()
    assert folder.done(file.name).read_bytes() == file.read_bytes()


@pytest.mark.parametrize("ending", ["xlsx", "jsonl"])
def test_other_formats_say_the_same(
    folder_of: FolderOf, broker: OwnBroker, tmp_path: Path, ending: str, request: pytest.FixtureRequest
) -> None:
    file = tmp_path / f"{request.node.callspec.id}.{ending}"
    made = [row(number) for number in range(50)]
    if ending == "xlsx":
        book = openpyxl.Workbook()
        for cells in (HEADER, *(tuple(cells.values()) for cells in made)):
            book.active.append(cells)
        book.save(file)
    else:
        file.write_text("".join(f"{json.dumps(cells)}\n" for cells in made), encoding="utf-8")
    starts = ends(broker.servers, TOPIC)
    with folder_of(MAPPING) as folder:
        folder.drop(file)
        folder.wait_for(folder.done(file.name))
        events = folder.events(TOPIC, starts)
    assert sorted((told(event["data"]) for event in events), key=str) == sorted(map(expected, range(50)), key=str)


def test_another_mapping_has_a_folder_and_a_topic_of_its_own(
    folder_of: FolderOf, broker: OwnBroker, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    file = tmp_path / f"spring-{request.node.callspec.id}.csv"
    file.write_text(
        "promotion_id,product_id,name,discount_percent,starts_at,ends_at,announced_at\n"
        "SPRING-12,85123A,Spring,12.5,2026-03-01T00:00:00Z,2026-03-08T00:00:00Z,2026-02-20T08:00:00Z\n",
        encoding="utf-8",
    )
    starts = ends(broker.servers, PROMOTIONS)
    with folder_of("partner_promotions") as folder:
        folder.drop(file)
        folder.wait_for(folder.done(file.name))
        (event,) = folder.events(PROMOTIONS, starts)
    assert (event["data"]["promotion_id"], event["data"]["discount_percent"]) == ("SPRING-12", 12.5)
    assert event["time"] == "2026-02-20T08:00:00.000000Z"


BAD_FILES = {
    "no-column.csv": ("product_id,on_hand\nP1,3\n", "has no column 'location_id'"),
    "picture.png": ("not a table", "its name ends with none of"),
    "none-fits.csv": (f"{','.join(HEADER)}\nP1,W1,many,,,,2026-03-02T09:00:00\n", "none of its 1 rows fits"),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_file_that_cannot_be_taken_lies_beside_its_reason(
    folder_of: FolderOf, broker: OwnBroker, tmp_path: Path, name: str
) -> None:
    text, reason = BAD_FILES[name]
    (tmp_path / name).write_text(text, encoding="utf-8")
    starts = ends(broker.servers, TOPIC)
    with folder_of(MAPPING) as folder:
        folder.drop(tmp_path / name)
        told_why = folder.rejected(f"{name}.reason.json")
        folder.wait_for(folder.rejected(name), told_why)
    document = json.loads(told_why.read_text(encoding="utf-8"))
    assert (document["file"], document["mapping"]) == (name, MAPPING)
    assert reason in document["reason"]
    assert document["reason"].startswith((name, "none of"))
    assert folder.rejected(name).read_text(encoding="utf-8") == text
    assert ends(broker.servers, TOPIC) == starts


def test_a_file_that_comes_again_sends_nothing_again(folder_of: FolderOf, broker: OwnBroker, tmp_path: Path) -> None:
    file = tmp_path / "again.csv"
    write_csv(file, 50)
    with folder_of(MAPPING) as folder:
        folder.drop(file)
        folder.wait_for(folder.done(file.name))
        sent = ends(broker.servers, TOPIC)
        again = tmp_path / "once-more.csv"
        again.write_bytes(file.read_bytes())
        folder.drop(again)
        folder.wait_for(folder.done(again.name))
    assert ends(broker.servers, TOPIC) == sent


def test_a_file_that_is_still_being_written_is_left_alone(
    folder_of: FolderOf, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    with folder_of(MAPPING) as folder:
        for name in (".hidden.csv", "half.csv.part"):
            (folder.path / name).write_text("product_id\n", encoding="utf-8")
        file = tmp_path / f"after-{request.node.callspec.id}.csv"
        write_csv(file, 3)
        folder.drop(file)
        folder.wait_for(folder.done(file.name))
        assert (folder.path / ".hidden.csv").exists()
        assert (folder.path / "half.csv.part").exists()
