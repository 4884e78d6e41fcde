"""The simulated shop on a real broker: the summary is what is there."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pandas as pd
import pyarrow.parquet as pq
import pytest

from ingestion_layer.kafka.topics import ensure_topics
from ingestion_layer.sources.replay import replay
from ingestion_layer.sources.simulator.current import CurrentShop, current_shop, save_current
from ingestion_layer.sources.simulator.deliveries import TOPICS
from ingestion_layer.sources.simulator.faults import Faults
from ingestion_layer.sources.simulator.history import SimulatorSource
from ingestion_layer.sources.simulator.live import Pace, send_live
from ingestion_layer.sources.simulator.orders import Orders
from ingestion_layer.sources.simulator.shop import Shop
from ingestion_layer.sources.simulator.summary import summarise
from tests.cases.kafka_messages import ends, messages_after
from tidemill.config import Settings
from tidemill.config.environment import settings_environment
from tidemill.contracts import checker

SHOP = Shop(seed=4, customers=300, start=date(2025, 5, 1), end=date(2025, 6, 1))
FAULTS = Faults(**dict.fromkeys(Faults.__dataclass_fields__, 0.03))


@pytest.fixture
def own(settings: Settings, kafka: str, tmp_path: Path) -> Settings:
    """The shared broker with a home of the test's own."""
    ensure_topics(settings)
    return settings.model_copy(update={"home": tmp_path})


def on_broker(settings: Settings, starts: dict[str, dict[int, int]]) -> dict[str, list[bytes]]:
    servers = settings.kafka.bootstrap_servers
    return {topic: [m.value() for m in messages_after(servers, topic, starts[topic])] for topic in TOPICS}


def now_at(settings: Settings) -> dict[str, dict[int, int]]:
    return {topic: ends(settings.kafka.bootstrap_servers, topic) for topic in TOPICS}


def judged(topic: str, values: list[bytes]) -> tuple[list[dict[str, Any]], Counter[str]]:
    """The valid events among ``values``, and the others by reason."""
    good, reasons = [], Counter[str]()
    for value in values:
        rejection = checker(topic).check_bytes(value)
        if rejection is None:
            good.append(orjson.loads(value))
        else:
            reasons[rejection.reason] += 1
    return good, reasons


def test_the_summary_of_a_history_is_what_the_broker_has(own: Settings) -> None:
    starts = now_at(own)
    source = SimulatorSource(own, SHOP, FAULTS)
    sent = replay(own, source, again=False, on_position=lambda _: None)
    summary = summarise(source.counts)
    assert sent.total == summary["produced"]
    for topic, values in on_broker(own, starts).items():
        told = summary["by_topic"][topic]
        good, reasons = judged(topic, values)
        # Only the lake compares an event's time with the broker's.
        hidden = told["quarantined"].pop("time_out_of_range", 0)
        assert len(values) == told["produced"] == sent.by_topic[topic]
        assert len(good) == told["unique_ids"] + told["duplicates"] + hidden
        assert len({event["id"] for event in good}) == told["unique_ids"] + hidden
        assert reasons == told["quarantined"]


def test_the_truth_lies_beside_the_events(own: Settings) -> None:
    source = SimulatorSource(own, SHOP, FAULTS)
    replay(own, source, again=False, on_position=lambda _: None)
    planted = pq.read_table(source.truth.folder / "faults").to_pylist()
    assert Counter(fault["kind"] for fault in planted) == summarise(source.counts)["faults"]
    customers = pq.read_table(source.truth.folder / "customers.parquet").to_pandas()
    assert len(customers) == SHOP.customers
    assert (customers["churned_at"] > customers["joined_at"]).all()
    tastes = customers.filter(like="taste_").sum(axis=1)
    assert tastes.tolist() == pytest.approx([1.0] * SHOP.customers)


def test_a_history_that_was_sent_is_not_sent_again_unless_asked(own: Settings) -> None:
    first = replay(own, SimulatorSource(own, SHOP, Faults()), again=False, on_position=lambda _: None)
    source = SimulatorSource(own, SHOP, Faults())
    second = replay(own, source, again=False, on_position=lambda _: None)
    third = replay(own, SimulatorSource(own, SHOP, Faults()), again=True, on_position=lambda _: None)
    assert (second.total, third.total) == (0, first.total)
    assert summarise(source.counts)["produced"] == first.total > 0


def test_live_events_are_new_ones_of_the_same_customers_with_times_of_now(own: Settings) -> None:
    truth = SimulatorSource(own, SHOP, Faults()).truth
    truth.write_shop(Orders(SHOP))
    customers = pq.read_table(truth.folder / "customers.parquet").to_pandas()
    still_there = set(customers[customers["churned_at"] > pd.Timestamp(SHOP.end, tz="UTC")]["customer_id"])
    save_current(own, CurrentShop(SHOP, "none", SHOP.last_day))
    ids: list[str] = []
    for _ in range(2):
        starts, began = now_at(own), datetime.now(UTC)
        sent, counts = send_live(own, current_shop(own), FAULTS, Pace(400, 2), lambda _: None)
        summary = summarise(counts)
        assert sent.total == summary["produced"] == 800
        fresh: set[str] = set()
        for topic, values in on_broker(own, starts).items():
            good, _reasons = judged(topic, values)
            told = summary["by_topic"][topic]
            assert len(values) == told["produced"]
            shown = [event for event in good if began - timedelta(hours=2) < datetime.fromisoformat(event["time"])]
            current = [event for event in shown if datetime.fromisoformat(event["time"]) <= datetime.now(UTC)]
            fresh |= {event["id"] for event in current}
            assert {event["data"]["customer_id"] for event in current} <= still_there | {None}
        assert len(fresh) >= summary["unique_ids"]
        ids += fresh
    assert len(set(ids)) == len(ids)


def test_live_days_are_taken_once(own: Settings) -> None:
    save_current(own, CurrentShop(SHOP, "none", SHOP.last_day))
    send_live(own, current_shop(own), Faults(), Pace(200, 0.5), lambda _: None)
    after = current_shop(own)
    assert after.live_day > SHOP.last_day
    assert replace(after, live_day=SHOP.last_day) == CurrentShop(SHOP, "none", SHOP.last_day)


def produce(home: Settings, *arguments: str, until: Callable[[], bool], number: signal.Signals) -> tuple[int, Any, str]:
    """Exit status, JSON and last line of a ``tidemill produce`` that gets a signal as soon as ``until`` holds."""
    program = "from tidemill.cli import main; main()"
    with subprocess.Popen(
        [sys.executable, "-c", program, "produce", *arguments, "--json"],
        env=os.environ | settings_environment(home),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        deadline = time.monotonic() + 60
        while not until():
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.05)
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
    return process.returncode, orjson.loads(out), err.splitlines()[-1]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_live_run_that_is_ended_prints_what_the_broker_has_acknowledged(
    own: Settings, number: signal.Signals
) -> None:
    save_current(own, CurrentShop(SHOP, "late=0.05,duplicate=0.05,malformed=0.05", SHOP.last_day))
    starts = now_at(own)

    status, summary, last = produce(
        own, *("simulator", "--live", "400", "--seconds", "600"), until=lambda: now_at(own) != starts, number=number
    )

    assert (status, last) == (128 + number, f"tidemill: ended by {number.name}")
    assert summary["sent"] == summary["produced"] > 0
    planted = pq.read_table(Path(summary["truth"]) / "faults").to_pylist()
    assert Counter(fault["kind"] for fault in planted) == summary["faults"]
    for topic, values in on_broker(own, starts).items():
        good, _reasons = judged(topic, values)
        told = summary["by_topic"][topic]
        assert len(values) == told["produced"]
        assert len(good) == told["unique_ids"] + told["duplicates"]


def test_a_history_that_is_ended_prints_what_was_acknowledged_and_goes_on_there(own: Settings) -> None:
    shop = ("--customers", "3000", "--days", "300", "--end", "2025-06-01")
    starts = now_at(own)

    status, summary, _ = produce(own, "simulator", *shop, until=lambda: now_at(own) != starts, number=signal.SIGTERM)

    assert status == 143
    assert 0 < summary["sent"] == summary["produced"]
    assert {topic: len(values) for topic, values in on_broker(own, starts).items()} == {
        topic: told["produced"] for topic, told in summary["by_topic"].items()
    }
    source = SimulatorSource(own, current_shop(own).shop, Faults())
    rest = replay(own, source, again=False, on_position=lambda _: None)
    assert rest.began_at > 0
    assert rest.total + summary["sent"] == summarise(source.counts)["produced"]
