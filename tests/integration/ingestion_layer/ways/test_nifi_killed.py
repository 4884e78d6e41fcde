"""NiFi under the stack's supervisor, killed in the middle of a file, and without its broker for a while."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from ingestion_layer.nifi.installing import installed
from tests.cases.inventory_files import TOPIC, expected, good_rows, told, write_csv
from tests.integration.conftest import settings_on_free_ports
from tests.integration.ingestion_layer.ways.partner_folders import PartnerFolder, until, wait_for_progress
from tidemill.config import Settings
from tidemill.stack.down import down
from tidemill.stack.folders import Folders
from tidemill.stack.status import ServiceStatus, status
from tidemill.stack.supervision.daemon import leftovers, service_record
from tidemill.stack.supervision.processes import marked
from tidemill.stack.up import up

pytestmark = [pytest.mark.ingestion, pytest.mark.matrix, pytest.mark.timeout(3_600)]

MAPPING = "partner_inventory"
ROWS = 200_000
OUTAGE_S = 120


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """Kafka and NiFi as `tidemill up nifi` starts them; what is not acknowledged is tried again within the outage."""
    settings = settings_on_free_ports(tmp_path_factory.mktemp("killed"))
    settings = settings.model_copy(update={"kafka": settings.kafka.model_copy(update={"delivery_timeout_s": 30.0})})
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


def check_all_arrived(folder: PartnerFolder, file: Path, first: int, bad: dict[int, str]) -> None:
    """Each row of ``file``, which begins with row ``first``, is told by line, or an event once by its id."""
    assert folder.rejects(file.name) == bad
    by_id = {event["id"]: told(event["data"]) for event in folder.events(TOPIC, {})}
    products = {f"P{number}" for number in range(first, first + ROWS)}
    arrived = [said for said in by_id.values() if said[0] in products]
    assert sorted(arrived, key=str) == sorted(map(expected, good_rows(ROWS, bad, first)), key=str)


def test_a_kill_in_the_middle_of_a_file_loses_no_row_and_leaves_no_process(
    stack: Settings, folder: PartnerFolder, tmp_path: Path
) -> None:
    file = tmp_path / "killed.csv"
    bad = write_csv(file, ROWS)
    folder.drop(file)
    wait_for_progress(stack, MAPPING)
    record = service_record(Folders.of(stack), "nifi")
    assert record is not None
    killed = record.process()
    assert killed is not None
    children = killed.children(recursive=True)
    assert any("Controller.py" in " ".join(child.cmdline()) for child in children)
    os.kill(killed.pid, signal.SIGKILL)
    check_all_arrived(folder, file, 0, bad)
    until(lambda: nifi(stack).state == "ready")
    assert nifi(stack).restarts == 1
    assert not [child for child in children if child.is_running()]
    alive = service_record(Folders.of(stack), "nifi")
    assert alive is not None
    family = {process.pid for process in psutil.Process(alive.pid).children(recursive=True)} | {alive.pid}
    launch_file = str(Folders.of(stack).launch_file("nifi"))
    assert {process.pid for process in marked(launch_file)} == family


def test_files_wait_while_the_broker_is_away(stack: Settings, folder: PartnerFolder, tmp_path: Path) -> None:
    more = {tmp_path / f"waiting-{number}.csv": number * ROWS for number in (1, 2, 3)}
    bad = {file: write_csv(file, ROWS, first) for file, first in more.items()}
    down(stack, ["kafka"])
    for file in more:
        folder.drop(file)
    until(lambda: not any((folder.path / file.name).exists() for file in more))
    time.sleep(OUTAGE_S)
    assert not any(folder.done(file.name).exists() for file in more)
    assert {flow.name: flow.queued for flow in installed(stack)}["partner_files"] == len(more)
    up(stack, ["kafka"])
    for file, first in more.items():
        check_all_arrived(folder, file, first, bad[file])


def test_its_memory_and_its_page_are_told(stack: Settings) -> None:
    service = nifi(stack)
    assert service.address == f"{stack.nifi.url}/nifi"
    assert service.memory_bytes > 2**20 * stack.nifi.heap_mb / 4


def test_what_runs_is_left_alone_by_a_second_start(stack: Settings) -> None:
    assert "nifi" in up(stack, ["nifi"]).already_running
