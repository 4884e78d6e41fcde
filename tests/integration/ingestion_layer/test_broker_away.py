"""A replay whose process is killed, or whose broker goes away, goes on and leaves the same events."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import orjson
import pytest

from config import Settings
from config.environment import settings_environment
from config.settings import REPO
from data_sources.online_retail.source import TOPIC
from tests.cases.kafka_messages import messages_after
from tests.cases.online_retail import row, write_csv
from tests.integration.conftest import settings_on_free_ports
from tidemill.stack.running import running, stop_group
from tidemill.stack.services import kafka as kafka_service

ROWS = 200_000
EVERY_TENTH_FREE = 10


@pytest.fixture
def own(tmp_path: Path) -> Settings:
    """Settings with a broker and a home of the test's own; a message may wait five seconds."""
    settings = settings_on_free_ports(tmp_path / "home")
    kafka = settings.kafka.model_copy(update={"delivery_timeout_s": 5.0})
    return settings.model_copy(update={"kafka": kafka})


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file with distinct rows, every tenth of them given away and so rejected."""
    rows = (
        row(
            StockCode=f"P{number}",
            CustomerID=str(number % 997),
            UnitPrice="0" if number % EVERY_TENTH_FREE == 0 else "1.5",
        )
        for number in range(ROWS)
    )
    return write_csv(tmp_path / "retail.csv", rows)


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
    good = ROWS - ROWS // EVERY_TENTH_FREE
    assert (summary["produced"], summary["unique_ids"]) == (good, good)
    assert summary["rejected"] == {"zero_price": ROWS // EVERY_TENTH_FREE}
    rejected = Path(str(summary["rejected_file"])).read_text().splitlines()[1:]
    assert [int(line.split(",")[0]) for line in rejected] == list(range(1, ROWS + 1, EVERY_TENTH_FREE))
    products = {orjson.loads(m.value())["data"]["product_id"] for m in messages(settings)}
    assert products == {f"P{number}" for number in range(ROWS) if number % EVERY_TENTH_FREE}


def messages(settings: Settings) -> Iterator[object]:
    return iter(messages_after(settings.kafka.bootstrap_servers, TOPIC, {}))


def test_a_replay_that_was_killed_goes_on_where_the_broker_had_everything(own: Settings, file: Path) -> None:
    with running(kafka_service.services(own)[0], own):
        with started(own, file) as process:
            position = wait_for_progress(own, process)
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
        summary = finish(own, file)
        assert int(str(summary["began_at"])) >= position > 0
        check_complete(own, summary)
        again = finish(own, file)
        assert (again["sent"], again["produced"]) == (0, summary["produced"])


def test_a_broker_that_stops_is_an_error_and_the_replay_goes_on_later(own: Settings, file: Path) -> None:
    with ExitStack() as stack:
        with running(kafka_service.services(own)[0], own):
            process = stack.enter_context(started(own, file))
            wait_for_progress(own, process)
        out, err = process.communicate(timeout=300)
    assert (process.returncode, out) == (75, "")
    assert own.kafka.bootstrap_servers in err
    assert "Traceback" not in err
    with running(kafka_service.services(own)[0], own):
        summary = finish(own, file)
        check_complete(own, summary)
        assert int(str(summary["began_at"])) > 0
