"""The stack as a person runs it, in a folder with a space and an umlaut, and what that person sees of it."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
from confluent_kafka import Producer

from data_lake.sql import connect
from tidemill.config import Settings
from tidemill.config.environment import settings_environment
from tidemill.config.settings import REPO
from tidemill.contracts import contract, event

OTHERS = {
    **dict.fromkeys(("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy"), "http://127.0.0.1:1"),
    "ALL_PROXY": "socks5://127.0.0.1:1",
    "AIRFLOW__CORE__LOAD_EXAMPLES": "true",
    "JAVA_TOOL_OPTIONS": "-Xmx16m",
    "_JAVA_OPTIONS": "-Dfile.encoding=US-ASCII",
    "LC_ALL": "POSIX",
    "MLFLOW_TRACKING_URI": "http://127.0.0.1:1",
    "PROMETHEUS_MULTIPROC_DIR": "/nowhere",
    "SPARK_CONF_DIR": "/nowhere",
    "SPARK_HOME": "/nowhere",
    "SSL_CERT_FILE": "/nowhere.pem",
    "WEB_CONCURRENCY": "9",
}
"""Variables of a shell that libraries obey, and which our processes must not see."""
POLL_S = 1.0
WAIT_S = 180.0


@dataclass(frozen=True)
class Stack:
    """A home folder with Kafka, Redis and the stream; ``environment`` is that of the person who works on it."""

    settings: Settings
    environment: dict[str, str]

    @classmethod
    def at(cls, settings: Settings) -> "Stack":
        # Without a locale, as under cron or in a container, and with what a shell has for other programs.
        plain = {name: value for name, value in os.environ.items() if not name.startswith(("LC_", "LANG"))}
        others = OTHERS | {"TMPDIR": str(_folder(settings, "temporary"))}
        others["PYTHONPATH"] = os.pathsep.join((str(_foreign_modules(_folder(settings, "modules"))), str(REPO)))
        return cls(settings, {**plain, **others, **settings_environment(settings)})

    def tidemill(self, *arguments: str, allowed: tuple[int, ...] = (0,)) -> str:
        """What the command prints on stdout; another exit status than those ``allowed`` is an error."""
        command = [str(Path(sys.executable).parent / "tidemill"), *arguments]
        done = subprocess.run(
            command, env=self.environment, capture_output=True, text=True, encoding="utf-8", check=False, timeout=500
        )
        told = f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        assert done.returncode in allowed, told
        assert done.stdout or done.returncode == 0, told
        return done.stdout

    def json(self, *arguments: str, allowed: tuple[int, ...] = (0,)) -> Any:
        return json.loads(self.tidemill(*arguments, "--json", allowed=allowed))

    def reconciled(self, topic: str) -> dict[str, Any]:
        """The report of ``topic``, which must hold."""
        report = self.json("reconcile", "--topic", topic, "--wait", "120", allowed=(0, 1))
        found: dict[str, Any] = report["topics"][topic]
        assert found["holds"], found["findings"]
        return found

    def sql(self, query: str) -> list[tuple[Any, ...]]:
        with connect(self.settings, query) as connection:
            rows: list[tuple[Any, ...]] = connection.execute(query).fetchall()
        return rows

    def wait(self, is_so: Callable[[], bool], what: str, seconds: float = WAIT_S) -> None:
        deadline = time.monotonic() + seconds
        while not is_so():
            assert time.monotonic() < deadline, f"not within {seconds} s: {what}\n{self.tidemill('status')}"
            time.sleep(POLL_S)

    def wait_for_rows(self, query: str, expected: list[tuple[Any, ...]]) -> None:
        """Wait until ``query`` gives ``expected``."""
        self.wait(lambda: self.sql(query) == expected, f"{query} gives {expected}")

    def sentence(self, query: str) -> str:
        """What ``tidemill status`` says of a query of the stream that does not do its work; empty when it does."""
        stream: Iterable[dict[str, Any]] = self.json("status")["stream"]
        return next((found["sentence"] for found in stream if found["query"] == query), "")

    def produce(self, topic: str, values: Iterable[bytes | dict[str, Any]], **options: str) -> None:
        """Send ``values`` as any client could, unchecked, and wait for the acknowledgements."""
        producer = Producer({"bootstrap.servers": self.settings.kafka.bootstrap_servers, **options})
        for value in values:
            producer.produce(topic, value if isinstance(value, bytes) else orjson.dumps(value), b"key")
        assert producer.flush(60) == 0


def _folder(settings: Settings, name: str) -> Path:
    folder = settings.home.parent / name
    folder.mkdir()
    return folder


def _foreign_modules(folder: Path) -> Path:
    for name in ("data_lake", "use_cases", "click"):
        (folder / f"{name}.py").write_text(f"raise RuntimeError('another {name}')\n", encoding="utf-8")
    return folder


def moment(minutes_ago: float = 5) -> datetime:
    return datetime.now(UTC) - timedelta(minutes=minutes_ago)


def purchase(record: str, customer: str, price: float = 2.5, source: str = "urn:till", **data: Any) -> dict[str, Any]:
    """A purchase of one unit."""
    line = {
        "order_id": record,
        "line": 1,
        "customer_id": customer,
        "product_id": "p1",
        "description": None,
        "quantity": 1,
        "unit_price": price,
        "currency": "GBP",
        "country": "United Kingdom",
        "kind": "purchase",
    }
    return event(contract("shop.transaction.v1"), source, record, moment(), {**line, **data})


def payment(record: str, customer: str, amount: float = 1.25) -> dict[str, Any]:
    data = {
        "transaction_id": record,
        "customer_id": customer,
        "terminal_id": "t1",
        "amount": amount,
        "currency": "GBP",
    }
    return event(contract("payment.card_transaction.v1"), "urn:terminal", record, moment(), data)


def verdict(record: str, customer: str) -> dict[str, Any]:
    data = {"transaction_id": record, "customer_id": customer, "terminal_id": "t1", "is_fraud": False}
    return event(contract("payment.card_verdict.v1"), "urn:bank", record, moment(), data)


def click(record: str, session: str) -> dict[str, Any]:
    data = {"session_id": session, "customer_id": None, "kind": "view", "page": "/", "device": "mobile"}
    return event(contract("shop.click.v1"), "urn:web", record, moment(), data)
