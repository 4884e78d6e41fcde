"""Holds every logged answer against silver as it was at the commit that the answer names, while the soak runs."""

import math
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread

from tests.soak.answered import AnswerLog, Logged
from tests.soak.features import Asked, Expected, expected
from tests.soak.models import Model
from tests.soak.silver import Silver
from tests.soak.traffic import Traffic

AT_ONCE = 2_000
COUNT_S = 10.0
"""How often customers are looked up who have come or gone."""
SAME_SCORE = 1e-6
"""Some libraries score in float32."""
NO_DECISION = "none"
GROUPS = ("purchases", "returns")


@dataclass
class Judged:
    """``wrong`` says of each wrong answer what is wrong with it; ``unheard`` were logged, and no client has them."""

    answers: int = 0
    with_features: int = 0
    approximate: int = 0
    unheard: int = 0
    wrong: list[str] = field(default_factory=list)
    by_reason: Counter[str] = field(default_factory=Counter)
    applied: dict[str, int] = field(default_factory=lambda: dict.fromkeys(GROUPS, -1))
    """The newest commit that an answer named, by feature group."""


class Judge:
    """Judges in a thread of its own until it is stopped, and then what is left of the log."""

    def __init__(self, silver: Path, bootstrap_servers: str, models: Mapping[str, Model], traffic: Traffic) -> None:
        self.silver = Silver(silver)
        self.silver.read()
        self.customers = self.silver.customers()
        self.judged = Judged()
        self.seen: set[str] = set()
        self._log = AnswerLog(bootstrap_servers)
        self._models = models
        self._traffic = traffic
        self._stop = Event()
        self._counted = 0.0
        self._error: BaseException | None = None
        self._thread = Thread(target=self._run, name="judge", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Judge what the log has by now."""
        self._stop.set()
        self._thread.join()
        self._log.close()
        self.check()

    def has_taken_in(self, version: int) -> bool:
        """Whether an answer named this commit, or a later one, for each group."""
        return min(self.judged.applied.values()) >= version

    def check(self) -> None:
        """Raise what ended the judge, if anything did."""
        if self._error is not None:
            raise RuntimeError("the judge ended, so that nothing after it is judged") from self._error

    def _run(self) -> None:
        try:
            while self.step() or not self._stop.is_set():
                pass
        except BaseException as error:  # noqa: BLE001 - told by check(), to who started the thread
            self._error = error

    def step(self) -> bool:
        """Judge the next answers; False when there was none."""
        logged = [answer for answer in self._log.read(AT_ONCE) if answer.event_id not in self.seen]
        self.silver.read()  # after the answers, so that it has every commit that they name
        if time.monotonic() - self._counted >= COUNT_S:
            self._counted, self.customers = time.monotonic(), self.silver.customers()
        if not logged:
            return False
        self.seen.update(answer.event_id for answer in logged)
        self._judge(logged)
        return True

    def _judge(self, logged: Sequence[Logged]) -> None:
        self.judged.answers += len(logged)
        for answer in logged:
            self.judged.by_reason.update(answer.degraded or ("OK",))
            self._hold_against_client(answer)
            for group, version in answer.applied.items():
                self.judged.applied[group] = max(self.judged.applied.get(group, -1), version)
        claiming = [answer for answer in logged if answer.claims_features]
        self.judged.with_features += len(claiming)
        right = expected(self.silver, [asked(answer) for answer in claiming])
        for answer, values in zip(claiming, right, strict=True):
            self.judged.approximate += values.is_approximate
            self._note(answer, differences(answer, values))
        for answer, told in scores(claiming, self._models):
            self._note(answer, told)

    def _hold_against_client(self, logged: Logged) -> None:
        answer = self._traffic.take(logged.request_id, logged.customer)
        if answer is None:
            self.judged.unheard += 1
            return
        same = (
            (answer.score, answer.decision or NO_DECISION, answer.features_as_of)
            == (logged.score, logged.decision, logged.features_as_of)
            and (answer.degraded, answer.model_id) == (logged.degraded, logged.model_id)
        )  # fmt: skip
        self._note(logged, [] if same else [f"the client was told {answer}"])

    def _note(self, answer: Logged, told: Sequence[str]) -> None:
        if told:
            moment = time.strftime("%H:%M:%S", time.gmtime(answer.at / 1e6))
            self.judged.wrong.append(
                f"{moment} {answer.customer} as of {dict(answer.applied)} {list(answer.degraded)}, request "
                f"{answer.request_id}: {'; '.join(told)}"
            )


def asked(answer: Logged) -> Asked:
    purchases, returns = (answer.applied[group] for group in GROUPS)
    return Asked(answer.customer, answer.at, purchases, returns, answer.until)


def differences(answer: Logged, right: Expected) -> list[str]:
    """What is wrong with the features of an answer, and with what it says of itself."""
    told = right.differences(answer.features)
    if not right.is_whole:
        told.append(f"it claims to have all that was learnt by {answer.features_as_of}")
    if ("cold_start" in answer.degraded) == right.is_known:
        told.append(f"a cold start: {'cold_start' in answer.degraded}, silver knows the customer: {right.is_known}")
    return told


def scores(answers: Sequence[Logged], models: Mapping[str, Model]) -> list[tuple[Logged, list[str]]]:
    """Each answer with what is wrong with its score and its decision, by the model that it names."""
    found: list[tuple[Logged, list[str]]] = []
    for model_id in {answer.model_id for answer in answers}:
        own = [answer for answer in answers if answer.model_id == model_id]
        if (model := models.get(model_id)) is None:
            found += [(answer, [f"its model {model_id} is none of those that were registered"]) for answer in own]
            continue
        scored = [answer for answer in own if "cold_start" not in answer.degraded]
        found += [
            (answer, [] if _is_same(answer, *right) else [f"scored {answer.score} {answer.decision} for {right}"])
            for answer, right in zip(scored, model.answers([answer.features for answer in scored]), strict=True)
        ]
        found += [(answer, _cold_start(answer, model)) for answer in own if "cold_start" in answer.degraded]
    return found


def _is_same(answer: Logged, score: float, decision: str) -> bool:
    return math.isclose(answer.score, score, rel_tol=SAME_SCORE, abs_tol=SAME_SCORE) and answer.decision == decision


def _cold_start(answer: Logged, model: Model) -> list[str]:
    right = model.metadata["cold_start_score"], model.metadata["cold_start_decision"] or NO_DECISION
    return [] if (answer.score, answer.decision) == right else [f"a cold start answered {answer.score} for {right}"]
