"""Asking the model server about payments as a shop would, and what came of it."""

import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import httpx

TIMEOUT_S = 10.0
KEPT = 5


@dataclass
class Asked:
    """``predictions`` are counted by version and arm, ``degraded`` by reason; ``failures`` are the first few."""

    requests: int = 0
    predictions: Counter[str] = field(default_factory=Counter)
    degraded: Counter[str] = field(default_factory=Counter)
    failed: int = 0
    failures: list[str] = field(default_factory=list)
    slowest_ms: float = 0.0


class Asker:
    """Asks about one use case and counts; what it has counted may be read from another thread."""

    def __init__(self, url: str, use_case: str) -> None:
        self._http = httpx.Client(base_url=url, timeout=TIMEOUT_S, trust_env=False)
        self._path = f"/predict/{use_case}"
        self._lock = threading.Lock()
        self._asked = Asked()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def ask(self, instances: Sequence[Mapping[str, Any]]) -> None:
        """One request; whatever is no answer is counted as failed."""
        try:
            response = self._http.post(self._path, json={"instances": list(instances)})
        except httpx.HTTPError as error:
            self._note_failure(f"{type(error).__name__}: {error}")
            return
        if response.status_code != httpx.codes.OK:
            self._note_failure(f"{response.status_code}: {response.text[:300]}")
            return
        self._note(response.json()["predictions"], response.elapsed.total_seconds() * 1000)

    def asked(self) -> Asked:
        """A copy of what was counted so far."""
        with self._lock:
            now = self._asked
            return Asked(
                now.requests,
                now.predictions.copy(),
                now.degraded.copy(),
                now.failed,
                list(now.failures),
                now.slowest_ms,
            )

    def _note(self, predictions: Sequence[Mapping[str, Any]], ms: float) -> None:
        with self._lock:
            self._asked.requests += 1
            self._asked.slowest_ms = max(self._asked.slowest_ms, ms)
            for prediction in predictions:
                self._asked.predictions[f"version {prediction['version']}, {prediction['arm']}"] += 1
                self._asked.degraded.update(prediction["degraded"])

    def _note_failure(self, what: str) -> None:
        with self._lock:
            self._asked.requests += 1
            self._asked.failed += 1
            if len(self._asked.failures) < KEPT:
                self._asked.failures.append(what)
