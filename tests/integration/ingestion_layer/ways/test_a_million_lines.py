"""A million lines, one in a hundred bad, while the way in and the broker are killed: each good one is in the lake."""

import json
import os
import random
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pytest
from deltalake import DeltaTable

from data_lake import tables
from tests.cases.inventory_files import TOPIC, good_rows, write_csv
from tests.cases.kafka_messages import ends
from tests.e2e.stream_app import StreamApp
from tests.integration.conftest import settings_on_free_ports
from tests.integration.ingestion_layer.mapped.ingesting import started
from tests.integration.ingestion_layer.ways.partner_folders import PartnerFolder, noted_events, until
from tidemill.config import Settings
from tidemill.config.environment import settings_environment
from tidemill.stack.down import down
from tidemill.stack.folders import Folders
from tidemill.stack.supervision.daemon import service_record
from tidemill.stack.supervision.running import stop_group
from tidemill.stack.up import up

COUNT = 1_000_000
SEED = 23
MAPPING = "partner_inventory"

pytestmark = [pytest.mark.ingestion, pytest.mark.matrix, pytest.mark.timeout(7_200)]


class Way:
    """A folder into which files are put; who looks into it may be killed, and is then started again."""

    def __init__(self, folder: PartnerFolder, kill: Callable[[], None]) -> None:
        self.folder, self.kill = folder, kill


class Watching:
    """``tidemill ingest watch``."""

    def __init__(self, folder: PartnerFolder) -> None:
        self.folder, self._stack = folder, ExitStack()

    def __enter__(self) -> "Watching":
        self._start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def kill(self) -> None:
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.communicate()
        self._start()

    def _start(self) -> None:
        watch = started(self.folder.settings, "watch", MAPPING, str(self.folder.path), "--every", "0.2")
        self._process = self._stack.enter_context(watch)


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Settings]:
    """Of a stack of this test's own, whose stream reads the partner's topic."""
    settings = settings_on_free_ports(tmp_path / "home")
    yield settings.model_copy(update={"stream": settings.stream.model_copy(update={"topics": [TOPIC]})})
    down(settings)


@pytest.fixture(params=["nifi", "python"])
def way(request: pytest.FixtureRequest, own: Settings, tmp_path: Path) -> Iterator[Way]:
    """Each kind of way in turn."""
    if request.param == "nifi":
        up(own, ["nifi"])
        yield Way(PartnerFolder(own, own.home / "inbox" / MAPPING), partial(kill, own, "nifi"))
        return
    up(own, ["kafka"])
    with Watching(PartnerFolder(own, tmp_path / "inbox")) as watching:
        yield Way(watching.folder, watching.kill)


def kill(settings: Settings, service: str) -> None:
    """The supervisor starts it again."""
    record = service_record(Folders.of(settings), service)
    assert record is not None
    os.kill(record.pid, signal.SIGKILL)


def sent_to(settings: Settings) -> int:
    return sum(ends(settings.kafka.bootstrap_servers, TOPIC).values())


def wait_for_unnoted(settings: Settings) -> None:
    """Until more is noted than now, and more was sent than is noted."""
    before = noted_events(settings, MAPPING)
    until(lambda: sent_to(settings) > noted_events(settings, MAPPING) > before)


def test_every_good_line_is_in_the_lake_once_and_every_bad_one_named(way: Way, own: Settings, tmp_path: Path) -> None:
    spoilt = set(random.Random(SEED).sample(range(COUNT), COUNT // 100))
    bad = write_csv(file := tmp_path / "stock.csv", COUNT, is_bad=spoilt.__contains__)
    way.folder.drop(file)
    for killing in (way.kill, partial(kill, own, "kafka")):
        wait_for_unnoted(own)
        killing()
    assert way.folder.rejects(file.name) == bad
    assert {line - 2 for line in bad} == spoilt
    sent = sent_to(own)
    stream = StreamApp(own, settings_environment(own))
    try:
        report = reconciled(own)
    finally:
        stop_group(stream.process, 30)
    good = good_rows(COUNT, bad)
    assert sent > len(good)  # the killed one had sent what it had not noted
    assert report["findings"] == []
    assert (report["bronze_rows"], report["silver_rows"]) == (sent, len(good))
    assert report["duplicate_rows"] == sent - len(good)
    assert report["quarantine_by_reason"] == {}
    silver = DeltaTable(tables.silver(TOPIC).path(own)).to_pyarrow_table(columns=["product_id", "on_hand"])
    assert pc.sum(silver["on_hand"]).as_py() == sum(number % 1_000 for number in good)
    assert pc.count_distinct(silver["product_id"]).as_py() == len(good)


def reconciled(settings: Settings) -> dict[str, Any]:
    """What `tidemill reconcile` says of the topic, when the lake has what the broker has."""
    command = [str(settings.platform_environment / "bin" / "tidemill"), "reconcile", "--topic", TOPIC]
    done = subprocess.run(
        [*command, "--wait", "3600", "--json"],
        env=os.environ | settings_environment(settings),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout, done.stderr
    report: dict[str, Any] = json.loads(done.stdout)["topics"][TOPIC]
    return report
