"""The real stream application and the real broker, as processes that a test may stop, freeze and kill."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from confluent_kafka import KafkaError, Message, Producer

from data_lake import tables
from tidemill.config import Settings
from tidemill.config.settings import REPO

APP = REPO / "stream_processing" / "spark_streaming" / "app.py"
TOPIC = "shop.transaction.v1"
POLL_S = 0.002


class StreamApp:
    """``tidemill submit app.py`` in a process group of its own."""

    def __init__(self, settings: Settings, environment: Mapping[str, str]) -> None:
        self.settings = settings
        self._environment = {**os.environ, **environment}
        self._tidemill = str(settings.platform_environment / "bin" / "tidemill")
        self.log = settings.home / "stream.log"
        self.process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as output:
            return subprocess.Popen(
                [self._tidemill, "submit", str(APP)],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the JVM and to its Python processes."""
        os.killpg(self.process.pid, number)

    def kill(self) -> None:
        """As when the machine loses power."""
        self.signal(signal.SIGKILL)
        self.process.wait()

    def restart(self) -> None:
        """Start again what has ended, as the supervisor does."""
        self.process.wait()
        self.process = self._start()

    def reconcile(self, wait_s: int = 240) -> dict[str, Any]:
        """What ``tidemill reconcile --wait`` prints; a process that ended meanwhile is an error."""
        command = [self._tidemill, "reconcile", "--topic", TOPIC, "--wait", str(wait_s), "--json"]
        result = subprocess.run(command, env=self._environment, capture_output=True, check=False, text=True)
        assert result.stdout, f"reconcile printed nothing: {result.stderr}\n{self.tail()}"
        report: dict[str, Any] = json.loads(result.stdout)
        assert report["holds"] is (result.returncode == 0)
        return report

    def tail(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")[-4000:]

    def wait_for(self, condition: Callable[[], bool], what: str, timeout_s: float = 240) -> None:
        """Look again every 2 ms until ``condition`` is true."""
        deadline = time.monotonic() + timeout_s
        while not condition():
            assert self.process.poll() is None, f"the stream ended while waiting for {what}:\n{self.tail()}"
            assert time.monotonic() < deadline, f"waited {timeout_s} s for {what}:\n{self.tail()}"
            time.sleep(POLL_S)


@dataclass(frozen=True)
class Progress:
    """What the files of silver's work say: whether it is in a batch of all topics or in one of its own, and versions.

    ``taken`` is the version of bronze up to which silver has come together with other topics, ``taken_alone`` that up
    to which a query of its own has.
    """

    is_in_a_batch: bool
    taken: int
    taken_alone: int
    silver_version: int

    @classmethod
    def read(cls, settings: Settings) -> "Progress":
        folder = Path(settings.checkpoints) / "silver"
        log = Path(tables.silver(TOPIC).path(settings)) / "_delta_log"
        versions = [int(path.stem) for path in log.glob("*.json")]
        own = folder / TOPIC / "offsets"
        finished = _last(folder / TOPIC / "commits")
        note = folder / TOPIC / "taken"
        taken = json.loads(note.read_text(encoding="utf-8")) if note.exists() else {"is_begun": False, "version": -1}
        is_in_a_batch = taken["is_begun"] or _last(own) > finished
        return cls(is_in_a_batch, taken["version"], _taken_alone(own / f"{finished}"), max(versions, default=-1))

    def has_moved(self, before: "Progress") -> bool:
        """Whether a batch has begun since."""
        return self.is_in_a_batch or self.taken > before.taken

    @property
    def is_together(self) -> bool:
        """Whether the topic is among all, with nothing begun."""
        return not self.is_in_a_batch and self.taken >= self.taken_alone


def _last(folder: Path) -> int:
    return max((int(path.name) for path in folder.glob("*") if path.name.isdigit()), default=-1)


def _taken_alone(offset: Path) -> int:
    """What Spark noted of a batch: below its version and the batch's settings, the version of bronze to read next."""
    if not offset.exists():
        return -1
    return int(json.loads(offset.read_text(encoding="utf-8").splitlines()[2])["reservoirVersion"]) - 1


def produce(settings: Settings, values: Iterable[bytes | None]) -> None:
    """Send ``values`` and wait for every acknowledgement."""
    producer = Producer({"bootstrap.servers": settings.kafka.bootstrap_servers, "enable.idempotence": True})
    failed: list[KafkaError] = []

    def delivered(error: KafkaError | None, _: Message) -> None:
        if error is not None:
            failed.append(error)

    for number, value in enumerate(values):
        producer.produce(TOPIC, key=str(number % 7).encode(), value=value, on_delivery=delivered)
        producer.poll(0)
    assert producer.flush(60) == 0
    assert not failed
