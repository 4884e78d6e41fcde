"""A replay as a process that a test may disturb, and what must be true once it was run to its end."""

import json
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import orjson

from ingestion_layer.sources.online_retail.source import TOPIC
from tests.cases.kafka_messages import messages_after
from tests.cases.online_retail import row, write_csv
from tidemill.config import Settings
from tidemill.config.environment import settings_environment
from tidemill.config.settings import REPO
from tidemill.stack.supervision.running import stop_group

ROWS = 200_000
EVERY_TENTH_FREE = 10
GOOD = ROWS - ROWS // EVERY_TENTH_FREE


def write_file(folder: Path) -> Path:
    """A file with distinct rows, every tenth of them given away and so rejected."""
    rows = (
        row(
            StockCode=f"P{number}",
            CustomerID=str(number % 997),
            UnitPrice="0" if number % EVERY_TENTH_FREE == 0 else "1.5",
        )
        for number in range(ROWS)
    )
    return write_csv(folder / "retail.csv", rows)


@contextmanager
def started(settings: Settings, file: Path) -> Iterator[subprocess.Popen[str]]:
    """A replay in its own process, gone when the block is left."""
    process = subprocess.Popen(
        [str(settings.platform_environment / "bin" / "tidemill"), "produce", "online-retail", str(file), "--json"],
        env=os.environ | settings_environment(settings),
        cwd=REPO,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        stop_group(process, 5)


def wait_for_progress(settings: Settings, process: subprocess.Popen[str]) -> int:
    """Wait until the replay noted that a part of the file was acknowledged; the number of rows."""
    for _ in range(15_000):
        for path in (settings.home / "progress").glob("online_retail-*.json"):
            progress = json.loads(path.read_text())
            assert not progress["is_finished"], "the replay was over before it could be disturbed"
            return int(progress["position"])
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.02)
    raise AssertionError("no progress was noted")


def finish(settings: Settings, file: Path) -> dict[str, object]:
    with started(settings, file) as process:
        out, err = process.communicate(timeout=500)
    assert process.returncode == 0, err
    summary: dict[str, object] = json.loads(out)
    return summary


def check_complete(settings: Settings, summary: dict[str, object]) -> None:
    """The summary, the topic and the rejected rows are those of a replay that nothing disturbed."""
    assert (summary["produced"], summary["unique_ids"]) == (GOOD, GOOD)
    assert summary["rejected"] == {"zero_price": ROWS // EVERY_TENTH_FREE}
    rejected = Path(str(summary["rejected_file"])).read_text().splitlines()[1:]
    assert [int(line.split(",")[0]) for line in rejected] == list(range(1, ROWS + 1, EVERY_TENTH_FREE))
    products = {orjson.loads(m.value())["data"]["product_id"] for m in messages(settings)}
    assert products == {f"P{number}" for number in range(ROWS) if number % EVERY_TENTH_FREE}


def messages(settings: Settings) -> Iterator[object]:
    return iter(messages_after(settings.kafka.bootstrap_servers, TOPIC, {}))
