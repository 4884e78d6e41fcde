"""Requests to the model server from several threads, and what was answered to whom, second by second."""

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from threading import Event, Lock, Thread
from typing import Any
from uuid import uuid4

import httpx

THREADS = 3
PAUSE_S = 0.7
MOST_CUSTOMERS = 12
STRANGERS = 0.05
"""The share of those asked about whom nobody has seen."""
TIMEOUT_S = 30.0
STRANGER = "soak-stranger-"
USE_CASE = "churn"


@dataclass(frozen=True)
class Answer:
    """What a client was told of one customer; ``at`` is when the answer came, in Unix seconds."""

    request_id: str
    customer: str
    at: float
    score: float
    decision: str | None
    features_as_of: str | None
    degraded: tuple[str, ...]
    model_id: str

    @property
    def is_whole(self) -> bool:
        """Nothing was missing; a stranger has no features, and that is right."""
        return not self.degraded or (self.degraded == ("cold_start",) and self.customer.startswith(STRANGER))


class Timeline:
    """How many answers each second had, and how many of these were less than the best or none at all."""

    def __init__(self) -> None:
        self._asked: Counter[int] = Counter()
        self._degraded: Counter[int] = Counter()

    def note(self, at: float, asked: int, degraded: int) -> None:
        self._asked[int(at)] += asked
        self._degraded[int(at)] += degraded

    def degraded_s(self, begin: float, end: float) -> int:
        """In how many seconds from ``begin`` to before ``end`` something was missing."""
        return sum(self._degraded[second] > 0 for second in range(int(begin), int(end)))


class Traffic:
    """Asks about ``customers()`` until it is stopped; ``open`` are the answers that the log was not yet seen to have.

    Any thread may ask; all answers are kept alike.
    """

    def __init__(self, url: str, customers: Callable[[], Sequence[str]], seed: int) -> None:
        self._http = httpx.Client(base_url=url, timeout=TIMEOUT_S, trust_env=False)
        self._customers = customers
        self._stop = Event()
        self._lock = Lock()
        self._threads = [Thread(target=self._run, args=(Random(f"{seed}/{n}"),), daemon=True) for n in range(THREADS)]
        self.open: dict[tuple[str, str], Answer] = {}
        self.timeline = Timeline()
        self.statuses: Counter[str] = Counter()
        self.reasons: Counter[str] = Counter()

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(TIMEOUT_S * 2)
        self._threads = []

    def ask(self, customers: Sequence[str]) -> list[Answer]:
        """The answers, in order; none when there was no answer with status 200."""
        request_id = f"soak-{uuid4().hex}"
        body = {"instances": [{"customer_id": customer} for customer in customers]}
        answers: list[Answer] = []
        try:
            response = self._http.post(f"/predict/{USE_CASE}", json=body, headers={"X-Request-ID": request_id})
        except httpx.HTTPError as error:
            status = type(error).__name__
        else:
            status = str(response.status_code)
            if response.status_code == httpx.codes.OK:
                answers = _answers(response.json(), time.time())
        self._note(status, answers)
        return answers

    def take(self, request_id: str, customer: str) -> Answer | None:
        """The answer that is no longer open; None when no client has it."""
        with self._lock:
            return self.open.pop((request_id, customer), None)

    def _note(self, status: str, answers: Sequence[Answer]) -> None:
        with self._lock:
            self.statuses[status] += 1
            self.reasons.update(reason for answer in answers for reason in answer.degraded or ("OK",))
            self.open.update(((answer.request_id, answer.customer), answer) for answer in answers)
            missing = sum(not answer.is_whole for answer in answers) if answers else 1
            self.timeline.note(time.time(), max(len(answers), 1), missing)

    def _run(self, random: Random) -> None:
        while not self._stop.wait(PAUSE_S * random.uniform(0.5, 1.5)):
            self.ask(self._chosen(random))

    def _chosen(self, random: Random) -> list[str]:
        known = self._customers()
        chosen = random.sample(known, min(random.randint(1, MOST_CUSTOMERS), len(known)))
        asked = (f"{STRANGER}{random.randint(1, 99)}" if random.random() < STRANGERS else name for name in chosen)
        return list(dict.fromkeys(asked))


def _answers(document: Mapping[str, Any], at: float) -> list[Answer]:
    return [
        Answer(
            document["request_id"],
            found["customer_id"],
            at,
            found["score"],
            found["decision"],
            found["features_as_of"],
            tuple(found["degraded"]),
            document["model"]["model_id"],
        )
        for found in document["predictions"]
    ]
