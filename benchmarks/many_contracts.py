"""What a contract more costs the streaming application: memory, idle work, the way from broker to lake, the start.

    python benchmarks/many_contracts.py [--contracts 5 20 50] [--rate 50] [--seconds 60]

For each number it makes a project with so many contracts in a temporary folder, starts a broker of its own and the
whole streaming application as `tidemill up` does. After the start it waits, idle, and then events come, spread evenly
over all topics, until `tidemill reconcile` would hold. How long an event takes from the broker to silver is the time of
silver's commit less the broker's time in the message: both are read from the tables. Memory is that of the
application's processes when all events are there.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import psutil
import pyarrow.parquet as pq
from deltalake import DeltaTable

from data_lake import tables
from data_lake.reconciliation import wait_until_it_holds
from ingestion_layer.kafka.producer import Event, EventProducer
from ingestion_layer.kafka.topics import ensure_topics
from tidemill.config import Settings, load_settings
from tidemill.contracts import contract, contracts, event
from tidemill.stack.machine.ports import free_ports
from tidemill.stack.services import kafka, stream
from tidemill.stack.supervision.running import running

NAME = "app.visit"
IDLE_S = 30.0
SETTLE_S = 20.0
LIMIT_S = 600.0
Figures = dict[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--contracts", type=int, nargs="+", default=[5, 20, 50])
    parser.add_argument("--rate", type=int, default=50, help="events a second, over all topics")
    parser.add_argument(
        "--seconds", type=int, default=60, help="how long events are sent; as long before it to warm up"
    )
    parser.add_argument("--project", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.project is not None:
        print(json.dumps(measure(options.project, options.rate, options.seconds)))
        return
    found = [in_a_process(number, options) for number in options.contracts]
    print(json.dumps({"runs": found, "growth": growth(found[0], found[-1])}, indent=2))


def growth(few: Figures, many: Figures) -> Figures:
    """Of the run with the most contracts over that with the fewest."""
    more = max(1, many["contracts"] - few["contracts"])
    return {
        "memory_mb_a_contract": round((many["memory_mb"] - few["memory_mb"]) / more, 2),
        "median": round(many["median_s"] / few["median_s"], 2),
        "start": round(many["start_s"] / few["start_s"], 2),
    }


def in_a_process(number: int, options: argparse.Namespace) -> Figures:
    with tempfile.TemporaryDirectory(prefix="tidemill-contracts-") as folder:
        project = make_project(Path(folder) / "project", number)
        return apart(__file__, project, options, {"contracts": number})


def apart(script: str, project: Path, options: argparse.Namespace, run: Figures) -> Figures:
    """``run`` with the figures of ``script`` in a process of its own: definitions are read once a process."""
    command = [sys.executable, script, "--project", str(project)]
    command += ["--rate", str(options.rate), "--seconds", str(options.seconds)]
    environment = os.environ | {"TIDEMILL_PROJECT": str(project), "TIDEMILL_HOME": str(project.parent / "home")}
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True)
    figures: Figures = run | json.loads(done.stdout.splitlines()[-1])
    sys.stderr.write(f"{json.dumps(figures)}\n")
    return figures


def make_project(root: Path, number: int) -> Path:
    (root / "contracts").mkdir(parents=True)
    (root / "tidemill.toml").write_text('[project]\nname = "many"\nbuiltin = false\n', encoding="utf-8")
    for one in range(number - 1):  # the log of predictions has one too
        topic = f"{NAME}{one:02}.v1"
        schema = {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "$id": f"urn:many:{topic}",
            "title": "One visit",
            "x-topic": topic,
            "x-table": f"visits{one:02}",
            "x-key": ["user_id"],
            "type": "object",
            "properties": {
                "user_id": {"type": "string", "minLength": 1, "maxLength": 64},
                "page": {"type": "string", "minLength": 1, "maxLength": 200},
                "seconds": {"type": "number", "minimum": 0, "maximum": 86400},
            },
            "required": ["user_id", "page", "seconds"],
        }
        (root / "contracts" / f"{topic}.json").write_text(json.dumps(schema), encoding="utf-8")
    return root


def measure(project: Path, rate: int, seconds: int) -> Figures:
    settings = settings_in(project)
    with running(kafka.services(settings)[0], settings):
        ensure_topics(settings)
        began = time.monotonic()
        with running(stream.services(settings)[0], settings) as application:
            start_s = time.monotonic() - began
            time.sleep(SETTLE_S)
            before = processor_s(application.pid)
            time.sleep(IDLE_S)
            idle = (processor_s(application.pid) - before) / IDLE_S
            send(settings, rate, seconds)
            before, measured_from = processor_s(application.pid), datetime.now(UTC)
            send(settings, rate, seconds)
            working = (processor_s(application.pid) - before) / seconds
            if not wait_until_it_holds(settings, list(contracts()), LIMIT_S, lambda _: None).holds:
                raise SystemExit("broker and lake do not agree")
            memory = sum(one.memory_info().rss for one in processes(application.pid))
    waits = [wait for topic in topics() for wait in latencies(settings, topic, measured_from)]
    return {
        "start_s": round(start_s, 1),
        "memory_mb": round(memory / 2**20),
        "idle_cpu_percent": round(100 * idle, 1),
        "busy_cpu_percent": round(100 * working, 1),
        "events": len(waits),
        "median_s": round(statistics.median(waits), 2),
        "p99_s": round(statistics.quantiles(waits, n=100)[98], 2),
    }


def settings_in(project: Path) -> Settings:
    broker, controller, metrics = free_ports(3)
    return load_settings(
        {
            "TIDEMILL_PROJECT": str(project),
            "TIDEMILL_HOME": os.environ["TIDEMILL_HOME"],
            "TIDEMILL_KAFKA__BOOTSTRAP_SERVERS": f"127.0.0.1:{broker}",
            "TIDEMILL_KAFKA__CONTROLLER_PORT": str(controller),
            "TIDEMILL_STREAM__METRICS_ADDRESS": f"127.0.0.1:{metrics}",
        }
    )


def send(settings: Settings, rate: int, seconds: int) -> None:
    """``rate`` events a second, each topic in turn."""
    own, number, began = topics(), 0, time.monotonic()
    with EventProducer(settings) as producer:
        while (elapsed := time.monotonic() - began) < seconds:
            due = range(number, int(elapsed * rate))
            for position, topic in enumerate(own):
                producer.send(topic, [visit(topic) for one in due if one % len(own) == position])
            producer.flush()
            number += len(due)
            time.sleep(0.1)


def topics() -> list[str]:
    """Those of the project."""
    return [topic for topic in contracts() if topic.startswith(NAME)]


def visit(topic: str) -> Event:
    data = {"user_id": f"u{time.monotonic_ns() % 1000}", "page": "start", "seconds": 1.5}
    return event(contract(topic), "urn:benchmark", str(time.monotonic_ns()), datetime.now(UTC), data)


def processes(pid: int) -> list[psutil.Process]:
    return [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]


def processor_s(pid: int) -> float:
    """Seconds of processor time that the processes have taken so far."""
    return sum(one.cpu_times().user + one.cpu_times().system for one in processes(pid))


def latencies(settings: Settings, topic: str, since: datetime) -> Iterator[float]:
    """Seconds from the broker's time of each event that came ``since`` to silver's commit that has it."""
    table = tables.silver(topic)
    delta = DeltaTable(table.path(settings))
    for commit in delta.history():
        log = Path(table.path(settings)) / "_delta_log" / f"{commit['version']:020}.json"
        adds = [line["add"] for line in map(json.loads, log.read_bytes().splitlines()) if "add" in line]
        for add in adds:
            if not add["dataChange"]:
                continue
            file = Path(table.path(settings)) / unquote(add["path"])
            times = pq.read_table(file, columns=["broker_time"], partitioning=None)["broker_time"].to_pylist()
            committed = datetime.fromtimestamp(commit["timestamp"] / 1000, UTC)
            yield from ((committed - aware(at)).total_seconds() for at in times if aware(at) >= since)


def aware(at: datetime) -> datetime:
    return at if at.tzinfo else at.replace(tzinfo=UTC)


if __name__ == "__main__":
    main()
