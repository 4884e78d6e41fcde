"""NiFi under the stack's supervisor, killed in the middle of a file, and without its broker for a while."""

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from ingestion_layer.nifi.installing import installed
from tests.cases.inventory_files import TOPIC, expected, told, write_csv
from tests.integration.conftest import settings_on_free_ports
from tests.integration.ingestion_layer.ways.partner_folders import PartnerFolder, until
from tidemill.config import Settings
from tidemill.stack.down import down
from tidemill.stack.folders import Folders
from tidemill.stack.status import ServiceStatus, status
from tidemill.stack.supervision.daemon import leftovers, service_record
from tidemill.stack.supervision.processes import marked
from tidemill.stack.up import up

pytestmark = [pytest.mark.ingestion, pytest.mark.matrix]

MAPPING = "partner_inventory"
ROWS = 200_000
OUTAGE_S = 120


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """Kafka and NiFi as `tidemill up nifi` starts them; a message may wait five seconds for its acknowledgement."""
    settings = settings_on_free_ports(tmp_path_factory.mktemp("killed"))
    settings = settings.model_copy(update={"kafka": settings.kafka.model_copy(update={"delivery_timeout_s": 5.0})})
    started = up(settings, ["nifi"])
    assert started.ready == ("kafka", "nifi")
    yield settings
    down(settings)
    assert leftovers(Folders.of(settings)) == []


@pytest.fixture
def folder(stack: Settings) -> PartnerFolder:
    return PartnerFolder(stack, stack.home / "inbox" / MAPPING)


def nifi(settings: Settings) -> ServiceStatus:
    (service,) = [service for service in status(settings).services if service.name == "nifi"]
    return service


def wait_for_progress(settings: Settings) -> None:
    """Until a part of a file was acknowledged and noted, and not all of it."""

    def is_in_the_middle() -> bool:
        noted = [json.loads(path.read_text()) for path in (settings.home / "progress").glob(f"{MAPPING}-*.json")]
        return any(progress["position"] > 0 and not progress["is_finished"] for progress in noted)

    until(is_in_the_middle)


def check_all_arrived(folder: PartnerFolder, file: Path, count: int, bad: dict[int, str]) -> None:
    """Each of the ``count`` rows is told by line, or an event of the topic, once by its id."""
    rejects = folder.done(f"{file.name}.rejected.jsonl")
    folder.wait_for(folder.done(file.name), rejects)
    lines = [json.loads(line) for line in rejects.read_text(encoding="utf-8").splitlines()]
    assert {reject["line"]: reject["reason"] for reject in lines} == bad
    assert len(lines) == len(bad)
    by_id = {event["id"]: event["data"] for event in folder.events(TOPIC, {})}
    good = [number for number in range(count) if number + 2 not in bad]
    assert sorted(map(told, by_id.values()), key=str) == sorted(map(expected, good), key=str)


def test_a_kill_in_the_middle_of_a_file_loses_no_row_and_leaves_no_process(
    stack: Settings, folder: PartnerFolder, tmp_path: Path
) -> None:
    file = tmp_path / "killed.csv"
    bad = write_csv(file, ROWS)
    folder.drop(file)
    wait_for_progress(stack)
    record = service_record(Folders.of(stack), "nifi")
    assert record is not None
    killed = record.process()
    assert killed is not None
    children = killed.children(recursive=True)
    assert any("Controller.py" in " ".join(child.cmdline()) for child in children)
    os.kill(killed.pid, signal.SIGKILL)
    check_all_arrived(folder, file, ROWS, bad)
    until(lambda: nifi(stack).state == "ready")
    assert nifi(stack).restarts == 1
    assert not [child for child in children if child.is_running()]
    alive = service_record(Folders.of(stack), "nifi")
    assert alive is not None
    family = {process.pid for process in psutil.Process(alive.pid).children(recursive=True)} | {alive.pid}
    launch_file = str(Folders.of(stack).launch_file("nifi"))
    assert {process.pid for process in marked(launch_file)} == family


def test_files_wait_while_the_broker_is_away(stack: Settings, folder: PartnerFolder, tmp_path: Path) -> None:
    more = {tmp_path / f"waiting-{number}.csv": ROWS + number * 1_000 for number in (1, 2, 3)}
    bad = {file: write_csv(file, count) for file, count in more.items()}
    down(stack, ["kafka"])
    for file in more:
        folder.drop(file)
    until(lambda: not any((folder.path / file.name).exists() for file in more))
    time.sleep(OUTAGE_S)
    assert not any(folder.done(file.name).exists() for file in more)
    assert {flow.name: flow.queued for flow in installed(stack)}["partner_files"] == len(more)
    up(stack, ["kafka"])
    for file in more:
        folder.wait_for(folder.done(file.name))
    check_all_arrived(folder, file, more[file], bad[file])


def test_its_memory_and_its_page_are_told(stack: Settings) -> None:
    service = nifi(stack)
    assert service.address == f"{stack.nifi.url}/nifi"
    assert service.memory_bytes > 2**20 * stack.nifi.heap_mb / 4


def test_what_runs_is_left_alone_by_a_second_start(stack: Settings) -> None:
    assert "nifi" in up(stack, ["nifi"]).already_running
