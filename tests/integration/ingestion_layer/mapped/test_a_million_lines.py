"""A million lines of a partner, one in a hundred bad, killed on the way: counts by hand are those of the lake."""

import json
import os
import signal
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pytest
from deltalake import DeltaTable

from data_lake import tables
from tests.cases.inventory_files import TOPIC, write_csv
from tests.e2e.stream_app import StreamApp
from tests.integration.conftest import settings_on_free_ports
from tests.integration.ingestion_layer.mapped.ingesting import started, wait_for_progress
from tidemill.config import Settings
from tidemill.config.environment import settings_environment
from tidemill.stack.services import kafka as kafka_service
from tidemill.stack.supervision.running import running, stop_group

COUNT = 1_000_000
MAPPING = "partner_inventory"

pytestmark = [pytest.mark.ingestion, pytest.mark.matrix, pytest.mark.timeout(3_600)]


def test_every_good_line_is_in_silver_once_and_every_bad_one_named(tmp_path: Path) -> None:
    own = settings_on_free_ports(tmp_path / "home")
    settings = own.model_copy(update={"stream": own.stream.model_copy(update={"topics": [TOPIC]})})
    (inbox := tmp_path / "inbox").mkdir()
    bad = write_csv(file := inbox / "stock.csv", COUNT)
    os.utime(file, (0, 0))
    with running(kafka_service.services(settings)[0], settings):
        with started(settings, "watch", MAPPING, str(inbox)) as process:
            wait_for_progress(settings, MAPPING, process)
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
        with started(settings, "watch", MAPPING, str(inbox), "--once", "--json") as process:
            out, err = process.communicate(timeout=1_800)
        assert process.returncode == 0, err
        handled = json.loads(out)
        stream = StreamApp(settings, settings_environment(settings))
        try:
            report = reconciled(settings)
        finally:
            stop_group(stream.process, 30)
    good = [number for number in range(COUNT) if number + 2 not in bad]
    assert (handled["rows"], handled["produced"], handled["rejected"]) == (COUNT, len(good), Counter(bad.values()))
    rejects = (inbox / "done" / "stock.csv.rejected.jsonl").read_text(encoding="utf-8").splitlines()
    assert {reject["line"]: reject["reason"] for reject in map(json.loads, rejects)} == bad
    assert report["holds"], report["topics"][TOPIC]["findings"]
    assert report["topics"][TOPIC]["silver_rows"] == len(good)
    assert report["topics"][TOPIC]["quarantine_by_reason"] == {}
    silver = DeltaTable(tables.silver(TOPIC).path(settings)).to_pyarrow_table(["product_id", "on_hand"])
    assert pc.sum(silver["on_hand"]).as_py() == sum(number % 1_000 for number in good)
    assert pc.count_distinct(silver["product_id"]).as_py() == len(good)


def reconciled(settings: Settings) -> dict[str, Any]:
    command = [str(settings.platform_environment / "bin" / "tidemill"), "reconcile", "--topic", TOPIC]
    done = subprocess.run(
        [*command, "--wait", "900", "--json"],
        env=os.environ | settings_environment(settings),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout, done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    return report
