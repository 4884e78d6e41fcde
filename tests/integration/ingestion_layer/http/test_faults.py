"""The server killed, the broker stopped, and what was answered: nothing that got 202 is lost, and nothing hangs."""

import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import orjson
import pytest

from tests.cases.waiting import eventually
from tests.integration.ingestion_layer.http.event_server import (
    BATCH,
    STRUCTURED,
    TOPIC,
    EventServer,
    click,
    ids,
    serving,
)
from tests.integration.own_broker import OwnBroker, own_broker
from tidemill.config import Settings

pytestmark = [pytest.mark.ingestion, pytest.mark.matrix]

CLIENTS = 4
BATCHES = 100
SIZE = 100
PAUSE_S = 0.05
"""Between two batches: so long that the faults come in their middle."""
ANSWER_S = 40.0
"""Longer than any request may take: the bound on the broker's answer is five seconds."""


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnBroker]:
    with own_broker(tmp_path_factory.mktemp("faults")) as broker:
        yield broker


@pytest.fixture
def settings(broker: OwnBroker) -> Settings:
    """A queue of one megabyte, and five seconds for the broker."""
    update = {"acknowledge_timeout_s": 5.0, "queue_mb": 1, "max_body_bytes": 500_000}
    events = broker.settings.events.model_copy(update=update)
    return broker.settings.model_copy(update={"events": events})


class Client(threading.Thread):
    """A till: sends each batch until it is taken, as the answers say, whatever happens meanwhile."""

    def __init__(self, url: str, batches: list[list[dict[str, object]]]) -> None:
        super().__init__()
        self._url = url
        self._batches = batches
        self.answers: Counter[int] = Counter()
        self.acknowledged: set[str] = set()
        self.longest_s = 0.0

    def run(self) -> None:
        for batch in self._batches:
            while not self._is_taken(batch):
                time.sleep(PAUSE_S)
            time.sleep(PAUSE_S)

    def _is_taken(self, batch: list[dict[str, object]]) -> bool:
        began = time.monotonic()
        try:
            answer = httpx.post(self._url, content=orjson.dumps(batch), headers=BATCH, timeout=ANSWER_S)
        except httpx.TransportError:
            self.answers[0] += 1
            return False
        finally:
            self.longest_s = max(self.longest_s, time.monotonic() - began)
        self.answers[answer.status_code] += 1
        if answer.status_code != httpx.codes.ACCEPTED:
            assert answer.status_code in (429, 503), answer.text
            assert int(answer.headers["retry-after"]) >= 1
            return False
        self.acknowledged |= {str(event["id"]) for event in batch}
        return True


def clients(settings: Settings) -> list[Client]:
    url = f"{settings.events.url}/events/{TOPIC}"
    return [Client(url, [[click() for _ in range(SIZE)] for _ in range(BATCHES)]) for _ in range(CLIENTS)]


def test_a_server_that_is_killed_in_the_middle_of_batches_loses_nothing(settings: Settings, tmp_path: Path) -> None:
    tills, random_waits = clients(settings), random.Random(7)
    server = EventServer(settings, tmp_path / "events.log")
    try:
        eventually(server.is_ready, "a ready server")
        for till in tills:
            till.start()
        for _ in range(5):
            time.sleep(random_waits.uniform(0.3, 1.5))
            server.process.send_signal(signal.SIGKILL)
            server.process.wait(30)
            server = EventServer(settings, tmp_path / "events.log")
            eventually(server.is_ready, "a ready server")
        for till in tills:
            till.join(300)
            assert not till.is_alive()
    finally:
        server.stop()

    expected = {identity for till in tills for identity in till.acknowledged}
    assert len(expected) == CLIENTS * BATCHES * SIZE
    assert expected <= set(ids(settings))
    assert sum((till.answers for till in tills), Counter())[0] > 0  # the kills did meet requests


def test_without_a_broker_every_request_is_answered_in_time_and_nothing_that_was_taken_is_lost(
    broker: OwnBroker, settings: Settings, tmp_path: Path
) -> None:
    tills = clients(settings)
    with serving(settings, tmp_path / "events.log") as server:
        for till in tills:
            till.start()
        eventually(lambda: all(till.answers[202] for till in tills), "batches that are taken")
        broker.stop()
        eventually(lambda: all(till.answers[503] >= 2 for till in tills), "answers that the broker is away")
        eventually(lambda: server.client.get("/readyz").status_code == 503, "readyz that tells")
        assert server.client.get("/healthz").status_code == 200
        assert flooded(settings) >= {429}
        broker.start()
        for till in tills:
            till.join(300)
            assert not till.is_alive()
        eventually(lambda: server.client.get("/readyz").status_code == 200, "readyz that tells it is back")
        eventually(lambda: "tidemill_events_held_bytes 0.0" in server.client.get("/metrics").text, "an empty queue")

    expected = {identity for till in tills for identity in till.acknowledged}
    assert len(expected) == CLIENTS * BATCHES * SIZE
    assert expected <= set(ids(settings))
    assert max(till.longest_s for till in tills) < ANSWER_S


def flooded(settings: Settings) -> set[int]:
    """The statuses of answers to more than the queue holds."""
    body = orjson.dumps([click(data=click()["data"] | {"page": "a" * 400}) for _ in range(500)])

    def post(_: int) -> int:
        url = f"{settings.events.url}/events/{TOPIC}"
        return httpx.post(url, content=body, headers=BATCH, timeout=ANSWER_S).status_code

    with ThreadPoolExecutor(12) as pool:
        return set(pool.map(post, range(12)))


def test_a_server_that_starts_without_a_broker_takes_events_once_it_is_there(
    broker: OwnBroker, settings: Settings, tmp_path: Path
) -> None:
    broker.stop()
    server = EventServer(settings, tmp_path / "events.log")
    try:
        eventually(lambda: answers(server), "a server that answers")
        refused = post(server, click())
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "5")
        assert server.client.get("/readyz").status_code == 503
        broker.start()
        eventually(server.is_ready, "a ready server")
        event = click()
        assert post(server, event).status_code == 202
        assert event["id"] in ids(settings)
    finally:
        server.stop()


def test_sigterm_waits_for_the_acknowledgement_of_what_is_in_flight(
    broker: OwnBroker, settings: Settings, tmp_path: Path
) -> None:
    event: dict[str, object] = click()
    answered: list[httpx.Response] = []
    patient = settings.model_copy(
        update={"events": settings.events.model_copy(update={"acknowledge_timeout_s": 120.0})}
    )
    with serving(patient, tmp_path / "events.log") as server:
        broker.process.send_signal(signal.SIGSTOP)
        try:
            request = threading.Thread(target=lambda: answered.append(post(server, event)))
            request.start()
            eventually(lambda: held_bytes(server) > 0, "a request in flight")
            server.process.terminate()
            eventually(lambda: refuses(server), "a server that takes no connection")
            assert server.process.poll() is None
        finally:
            broker.process.send_signal(signal.SIGCONT)
        request.join(120)
        server.process.wait(60)

    assert [answer.status_code for answer in answered] == [202]
    assert event["id"] in ids(settings)


def post(server: EventServer, event: object) -> httpx.Response:
    url = f"{server.settings.events.url}/events/{TOPIC}"
    return httpx.post(url, content=orjson.dumps(event), headers=STRUCTURED, timeout=ANSWER_S)


def held_bytes(server: EventServer) -> float:
    (line,) = [
        line for line in server.client.get("/metrics").text.splitlines() if line.startswith("tidemill_events_held")
    ]
    return float(line.split()[1])


def answers(server: EventServer) -> bool:
    try:
        return server.client.get("/healthz").status_code == httpx.codes.OK
    except httpx.TransportError:
        return False


def refuses(server: EventServer) -> bool:
    try:
        httpx.get(f"{server.settings.events.url}/healthz", timeout=ANSWER_S)
    except httpx.ConnectError:
        return True
    return False
