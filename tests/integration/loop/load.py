"""Clients that ask for predictions all the time, each request until it is answered, and keep what they were told."""

import itertools
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx

from tests.integration.model_serving.rows import KNOWN, amount

CLIENTS = 2
PAUSE_S = 0.02
PATIENCE_S = 180.0
NEVER = 0
"""The status of a request that nobody answered."""
RETURNED_ONLY = tuple(customer for customer in KNOWN[1:] if not amount(customer))
"""They lack a feature's value, and come more often than the others, so that who fails at them is soon found out."""
CUSTOMERS = (*KNOWN, *RETURNED_ONLY * 3)


@dataclass(frozen=True)
class Answered:
    """What came for one request: the status, and of an answer the customer's arm, version and score."""

    request_id: str
    customer: str
    status: int
    arm: str = ""
    version: str = ""
    score: float | None = None


@dataclass
class Load:
    """``answers`` in the order they came; ``troubles``: the moments at which the server was not there, or not ready."""

    url: str
    name: str
    answers: list[Answered] = field(default_factory=list)
    troubles: list[float] = field(default_factory=list)
    _stopping: threading.Event = field(default_factory=threading.Event)
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    @contextmanager
    def running(self) -> Iterator["Load"]:
        threads = [threading.Thread(target=self._run) for _ in range(CLIENTS)]
        for thread in threads:
            thread.start()
        try:
            yield self
        finally:
            self._stopping.set()
            for thread in threads:
                thread.join()

    def failed(self) -> Sequence[Answered]:
        return [answer for answer in self.answers if answer.status != httpx.codes.OK]

    def _run(self) -> None:
        with httpx.Client(base_url=self.url, timeout=30) as client:
            while not self._stopping.is_set():
                number = next(self._numbers)
                customer = CUSTOMERS[number % len(CUSTOMERS)]
                self._ask(client, f"{self.name}-{number}", customer)
                time.sleep(PAUSE_S)

    def _ask(self, client: httpx.Client, request_id: str, customer: str) -> None:
        body = {"instances": [{"customer_id": customer}]}
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            answer = _asked(client, body, request_id)
            if answer is not None and answer.status_code != httpx.codes.SERVICE_UNAVAILABLE:
                self.answers.append(_answered(request_id, customer, answer))
                return
            self.troubles.append(time.monotonic())
            time.sleep(PAUSE_S)
        self.answers.append(Answered(request_id, customer, NEVER))


def _answered(request_id: str, customer: str, answer: httpx.Response) -> Answered:
    if answer.status_code != httpx.codes.OK:
        return Answered(request_id, customer, answer.status_code)
    row = answer.json()["predictions"][0]
    return Answered(request_id, customer, answer.status_code, row["arm"], row["version"], row["score"])


def _asked(client: httpx.Client, body: object, request_id: str) -> httpx.Response | None:
    """What was answered; None where nobody listens."""
    try:
        return client.post("/predict/churn", json=body, headers={"x-request-id": request_id})
    except httpx.TransportError:
        return None
