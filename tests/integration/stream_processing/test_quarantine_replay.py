"""Quarantine worked off on the real broker and by the real stream, killed where it hurts, and counted."""

import json
import os
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from data_lake import own_tables, tables
from data_lake.delta_rs import open_table
from data_lake.quarantine.origin import Origin
from data_lake.reconciliation.reconcile import reconcile_topic
from ingestion_layer.kafka.offsets import topic_offsets
from tests.cases.kafka_messages import messages_after
from tests.integration.own_broker import OwnBroker
from tests.integration.stream_processing.conftest import TOPIC, encode, transaction
from tests.integration.stream_processing.test_stream import streaming
from tidemill.config import Settings
from tidemill.config.environment import settings_environment
from tidemill.config.settings import REPO

BAD = 6_000
"""More than a batch."""
FIX = """
import json

def fix(value, key, headers):
    if value == b"beyond repair":
        return None
    event = json.loads(value)
    event["data"]["unit_price"] = 3
    return event
"""


def started(settings: Settings, *arguments: str) -> subprocess.Popen[str]:
    """``tidemill quarantine ...`` in a process of its own."""
    return subprocess.Popen(
        [str(settings.platform_environment / "bin" / "tidemill"), "quarantine", *arguments],
        env=os.environ | settings_environment(settings),
        cwd=REPO,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def ran(settings: Settings, *arguments: str) -> Any:
    process = started(settings, *arguments, "--json")
    out, err = process.communicate(timeout=500)
    assert process.returncode == 0, err
    return json.loads(out)


def killed(process: subprocess.Popen[str], when: Callable[[], bool]) -> None:
    """End ``process`` as when the machine loses power, at the moment that ``when`` is true."""
    deadline = time.monotonic() + 300
    while not when():
        assert process.poll() is None, f"it was over before it could be killed: {process.communicate()[1]}"
        assert time.monotonic() < deadline
        time.sleep(0.002)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def ends(settings: Settings) -> int:
    return sum(of.high for of in topic_offsets(settings, TOPIC).values())


def links(settings: Settings) -> Counter[int]:
    """How many messages of the topic are linked to each old one in partition 0."""
    messages = messages_after(settings.kafka.bootstrap_servers, TOPIC, {})
    read = (Origin.read(message.headers()) for message in messages)
    return Counter(origin.offset for origin in read if origin is not None)


def held(settings: Settings) -> None:
    assert [str(finding) for finding in reconcile_topic(settings, TOPIC).findings] == []


@pytest.mark.timeout(1200)
def test_killed_twice_and_run_again_each_corrected_event_is_sent_once_and_the_equation_holds(
    spark: SparkSession, broker: OwnBroker, own: Settings, tmp_path: Path
) -> None:
    fix = tmp_path / "fix.py"
    fix.write_text(FIX)
    broker.send(TOPIC, *(encode(transaction(str(number), unit_price=-1)) for number in range(BAD)))
    broker.send(TOPIC, b"beyond repair", encode(transaction("good")))
    with streaming(spark, own):
        pass
    held(own)
    replay = ("replay", TOPIC, "--map", str(fix))
    planned = ran(own, *replay, "--dry-run")
    assert (planned["plan"]["send"], planned["plan"]["left"], planned["sent"]) == (BAD, 1, 0)
    assert ends(own) == BAD + 2

    log = Path(own_tables.QUARANTINE_REPLAYS.path(own)) / "_delta_log"
    killed(started(own, *replay), (log / f"{1:020}.json").exists)
    before = ends(own)
    with streaming(spark, own):
        pass
    held(own)
    killed(started(own, *replay), lambda: ends(own) > max(before, BAD + 2 + 100))
    with streaming(spark, own):
        pass
    held(own)

    done = ran(own, *replay)
    assert done["plan"]["left"] == 1
    assert ran(own, *replay)["sent"] == 0
    assert links(own) == Counter(range(BAD))
    with streaming(spark, own):
        pass
    held(own)
    events = open_table(tables.silver(TOPIC), own).to_pyarrow_table(columns=["event_id"])["event_id"].to_pylist()
    assert Counter(events) == Counter(transaction(record)["id"] for record in [*map(str, range(BAD)), "good"])
    counts = {count["reason"]: count for count in ran(own, "stats", TOPIC)}
    assert (counts["schema"]["messages"], counts["schema"]["in_silver"], counts["schema"]["open"]) == (BAD, BAD, 0)
    assert (counts["not_json"]["messages"], counts["not_json"]["open"]) == (1, 1)
    (shown,) = ran(own, "show", TOPIC, "--partition", "0", "--offset", "7")
    assert (shown["state"], json.loads(shown["value"])["data"]["unit_price"]) == ("in silver", -1)
