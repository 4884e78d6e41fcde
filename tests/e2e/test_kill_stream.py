"""Kill the stream and the broker where it hurts most: afterwards broker and lake hold the same events, each once."""

import itertools
import os
import signal
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable

from data_lake import tables
from feature_store.online.reader import OnlineReader
from feature_store.states import Applied, StateStore
from ingestion_layer.kafka.topics import ensure_topics
from stream_processing.spark_streaming.features import query_name
from stream_processing.spark_streaming.queries.query import checkpoint
from tests.e2e.stream_app import TOPIC, Progress, StreamApp, produce
from tests.integration.conftest import settings_on_free_ports
from tests.integration.stream_processing.conftest import encode, transaction
from tidemill.config import Settings
from tidemill.config.environment import settings_environment
from tidemill.config.settings import REPO
from tidemill.stack.services import kafka as kafka_service
from tidemill.stack.services import redis as redis_service
from tidemill.stack.supervision.running import running, stop_group
from use_cases.churn.features import SERVICE

pytestmark = pytest.mark.timeout(1200)
IN_A_BATCH, AFTER_THE_WRITE = "in a batch", "after the silver write and before the checkpoint's commit"
ROUNDS = itertools.count()
ROWS = 3000
PRICE = 2.55
NONE = Applied("", 0, -1, 0, 0)
GOLD = "gold/customer_daily"
NEWEST = datetime.now(UTC).date() - timedelta(days=1)


class Broker:
    """The broker, which can be killed and started again on the same data."""

    def __init__(self, settings: Settings, stack: ExitStack) -> None:
        self._service = kafka_service.services(settings)[0]
        self._settings = settings
        self._stack = stack
        self.process = self.start()

    def start(self) -> Any:
        self.process = self._stack.enter_context(running(self._service, self._settings))
        return self.process

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.fixture(scope="module")
def stream_settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """Settings of their own, and a Redis at them."""
    own = settings_on_free_ports(tmp_path_factory.mktemp("kill"))
    settings = own.model_copy(update={"stream": own.stream.model_copy(update={"trigger_s": 0.5, "topics": [TOPIC]})})
    with running(redis_service.services(settings)[0], settings):
        yield settings


@pytest.fixture(scope="module")
def broker(stream_settings: Settings) -> Iterator[Broker]:
    with ExitStack() as stack:
        broker = Broker(stream_settings, stack)
        ensure_topics(stream_settings)
        yield broker


@pytest.fixture(scope="module")
def application(stream_settings: Settings, broker: Broker) -> Iterator[StreamApp]:
    """The application, which every test leaves running for the next: its start and first batches are the slow part."""
    app = StreamApp(stream_settings, settings_environment(stream_settings))
    yield app
    stop_group(app.process, 30)


@pytest.fixture
def stream(application: StreamApp) -> StreamApp:
    """The application at work, also after a test that failed with it frozen or ended."""
    if application.process.poll() is None:
        application.signal(signal.SIGCONT)
    else:
        application.restart()
    return application


def chunk() -> list[bytes | None]:
    """New events, every tenth of them twice, and a bad message after every hundred."""
    number = next(ROUNDS)
    values: list[bytes | None] = []
    for row in range(ROWS):
        event = encode(purchase(number, row))
        values += [event, event] if row % 10 == 0 else [event]
        values += [b"{", None] if row % 100 == 0 else []
    return values


def purchase(number: int, row: int) -> dict[str, Any]:
    """The event ``row`` of chunk ``number``: customers, days and quantities go round at different speeds."""
    time = f"{NEWEST - timedelta(days=(number + row) % 28)}T09:30:00Z"
    return transaction(f"{number}/{row}", time, customer_id=f"c{row % 11}", quantity=1 + row % 5, unit_price=PRICE)


def assert_each_event_once(stream: StreamApp) -> None:
    report = stream.reconcile()
    topic = report["topics"][TOPIC]
    assert report["holds"], topic["findings"]
    assert topic["duplicate_rows"] == ROWS // 10 * _rounds()
    assert topic["silver_rows"] == ROWS * _rounds()
    assert topic["quarantine_by_reason"] == {"not_json": ROWS // 50 * _rounds()}
    assert_states_sum_what_was_sent(stream)


def assert_states_sum_what_was_sent(stream: StreamApp) -> None:
    """Each customer's spending, counted from the chunks and read as the model server does; the lake is not asked."""
    settings = stream.settings
    history = DeltaTable(tables.silver(TOPIC).path(settings)).history()
    silver = max(commit["version"] for commit in history if commit["operation"] != "OPTIMIZE")
    stores = [StateStore(settings, group) for group in SERVICE.groups]
    stream.wait_for(lambda: all((one.applied() or NONE).version >= silver for one in stores), "the states")
    expected: Counter[str] = Counter()
    for number, row in itertools.product(range(_rounds()), range(ROWS)):
        data = purchase(number, row)["data"]
        expected[data["customer_id"]] += data["quantity"]
    reader = OnlineReader(settings, SERVICE.name, 20)
    rows = reader.read([{"customer_id": customer} for customer in expected])
    spent = SERVICE.names.index("purchases__amount_sum_365d")
    found = {customer: row.values[spent] for customer, row in zip(expected, rows, strict=True)}
    assert found == {customer: pytest.approx(PRICE * units, rel=1e-9) for customer, units in expected.items()}


def gold_job(settings: Settings) -> "subprocess.Popen[bytes]":
    tidemill = str(settings.platform_environment / "bin" / "tidemill")
    command = [tidemill, "lake", "refresh", GOLD]
    return subprocess.Popen(command, env=os.environ | settings_environment(settings), cwd=REPO, start_new_session=True)


def assert_gold_counts_what_was_sent(settings: Settings) -> None:
    """Units a day and customer, counted from the chunks; the lake is not asked."""
    expected: Counter[tuple[str, str]] = Counter()
    for number, row in itertools.product(range(_rounds()), range(ROWS)):
        event = purchase(number, row)
        expected[event["time"][:10], event["data"]["customer_id"]] += event["data"]["quantity"]
    gold = DeltaTable(tables.table(GOLD).path(settings)).to_pyarrow_table().to_pylist()
    assert {(str(row["event_date"]), row["customer_id"]): row["units_bought"] for row in gold} == expected
    assert len(gold) == len(expected)


def _rounds() -> int:
    return int(repr(ROUNDS).split("(")[1].rstrip(")"))


def freeze_when(stream: StreamApp, settings: Settings, moment: str) -> Progress:
    """Send chunks until the processes are frozen at ``moment``; where the disk shows that they were."""
    stream.wait_for(lambda: Progress.read(settings).silver_version >= 0, "silver's table")
    for _ in range(8):
        before = Progress.read(settings)
        produce(settings, chunk())
        stream.wait_for(lambda before=before: _is_time_to_look(Progress.read(settings), before, moment), moment)
        stream.signal(signal.SIGSTOP)
        frozen = Progress.read(settings)
        if frozen.is_in_a_batch and (frozen.silver_version > before.silver_version) == (moment == AFTER_THE_WRITE):
            return frozen
        stream.signal(signal.SIGCONT)
    raise AssertionError(f"never frozen {moment}:\n{stream.tail()}")


def _is_time_to_look(now: Progress, before: Progress, moment: str) -> bool:
    """At the moment, or past it: then the next chunk is another chance."""
    is_written = now.silver_version > before.silver_version
    return is_written or (moment == IN_A_BATCH and now.is_in_a_batch)


def test_killed_in_a_batch_and_restarted_each_event_is_in_the_lake_once(
    stream: StreamApp, stream_settings: Settings
) -> None:
    frozen = freeze_when(stream, stream_settings, IN_A_BATCH)
    stream.kill()
    assert Progress.read(stream_settings) == frozen
    assert frozen.is_in_a_batch
    stream.restart()
    assert_each_event_once(stream)


def test_killed_after_the_states_and_before_the_checkpoints_commit_each_event_counts_once(
    stream: StreamApp, stream_settings: Settings
) -> None:
    produce(stream_settings, chunk())
    assert_each_event_once(stream)
    stream.kill()
    for group in SERVICE.groups:
        folder = Path(checkpoint(stream_settings, query_name(group)))
        last = max(int(file.name) for file in (folder / "offsets").iterdir() if file.name.isdigit())
        (folder / "commits" / f"{last}").unlink(missing_ok=True)
    stream.restart()
    produce(stream_settings, chunk())
    assert_each_event_once(stream)


def test_the_broker_killed_and_restarted_each_event_is_in_the_lake_once(
    stream: StreamApp, broker: Broker, stream_settings: Settings
) -> None:
    before = Progress.read(stream_settings)
    produce(stream_settings, chunk())
    stream.wait_for(lambda: Progress.read(stream_settings).has_moved(before), "a batch")
    broker.kill()
    broker.start()
    produce(stream_settings, chunk())
    assert_each_event_once(stream)
    assert stream.process.poll() is None, stream.tail()


def test_sigterm_ends_between_two_batches(stream: StreamApp, stream_settings: Settings) -> None:
    stream.wait_for(lambda: Progress.read(stream_settings).is_together, "the topic among all")
    produce(stream_settings, chunk())
    assert_each_event_once(stream)  # the first batches of a process are slow: longer than an end may wait
    before = Progress.read(stream_settings)
    produce(stream_settings, chunk())
    stream.wait_for(lambda: Progress.read(stream_settings).has_moved(before), "a batch")
    already_logged = stream.log.stat().st_size
    stream.process.send_signal(signal.SIGTERM)
    stream.process.wait(60)
    assert not Progress.read(stream_settings).is_in_a_batch, stream.tail()
    assert b"Exception" not in stream.log.read_bytes()[already_logged:], stream.tail()
    stream.restart()
    assert_each_event_once(stream)


def test_gold_counts_what_was_sent_though_its_job_and_the_stream_were_killed(
    stream: StreamApp, stream_settings: Settings
) -> None:
    produce(stream_settings, chunk())
    stream.reconcile()
    job = gold_job(stream_settings)
    created = Path(tables.table(GOLD).path(stream_settings)) / "_delta_log" / f"{0:020}.json"
    stream.wait_for(created.exists, "the job to have made its table")
    os.killpg(job.pid, signal.SIGKILL)
    job.wait()
    assert gold_job(stream_settings).wait() == 0
    assert_gold_counts_what_was_sent(stream_settings)

    frozen = freeze_when(stream, stream_settings, AFTER_THE_WRITE)
    stream.kill()
    assert Progress.read(stream_settings) == frozen
    stream.restart()
    assert_each_event_once(stream)
    assert gold_job(stream_settings).wait() == 0
    assert_gold_counts_what_was_sent(stream_settings)
