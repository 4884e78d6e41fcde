"""What goes wrong while the soak runs, done as it happens to people, and by when it is right again."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Protocol

import psutil

from tests.soak import plan
from tests.soak.correction import Correction
from tests.soak.health import Processes
from tests.soak.registry import ChampionDeletion
from tests.soak.store import OnlineStore
from tests.soak.traffic import Answer

MOST_LOST = 20
ASKED = 20

Predicate = Callable[[], bool]


class Judged(Protocol):
    customers: list[str]

    def has_taken_in(self, version: int) -> bool: ...


def at_once() -> bool:
    return True


@dataclass
class Fault:
    """``about`` are the customers to look at; ``repaired_at`` is when everything was right again (Unix seconds).

    What could not be done (not ``was_done``) is not repaired either, and nothing waits for it.
    """

    kind: str
    detail: str
    at: float
    about: Sequence[str] = ()
    also: Predicate = at_once
    repaired_at: float | None = None
    trouble: str = "nothing was looked at yet"
    was_done: bool = True

    @property
    def repair_s(self) -> float | None:
        return None if self.repaired_at is None else self.repaired_at - self.at


class Faults:
    """Brings the faults about, and looks at each until it is repaired; ``away`` are services that do not work now."""

    def __init__(  # noqa: PLR0917 - the parts of a stack
        self,
        processes: Processes,
        store: OnlineStore,
        registry: ChampionDeletion,
        correction: Correction,
        judge: Judged,
        ask: Callable[[Sequence[str]], list[Answer]],
        seed: int,
    ) -> None:
        self._processes = processes
        self._store = store
        self._registry = registry
        self._correction = correction
        self._judge = judge
        self._ask = ask
        self._random = Random(seed)
        self.done: list[Fault] = []
        self.away: set[str] = set()
        self._doing: dict[str, Callable[[], Fault | None]] = {
            plan.KEEP_COPY: self._keep_copy,
            plan.ROLL_BACK: self._roll_back,
            plan.CORRECT: self._correct,
            plan.TAKE_BACK: self._take_back,
            plan.DELETE_CHAMPION: self._delete_champion,
            plan.LOSE_KEYS: self._lose_keys,
            plan.kill("worker"): self._kill_worker,
        }

    def do(self, kind: str) -> Fault | None:
        """Bring one about; None when there was nothing to do it to. What was done is in :attr:`done`."""
        act, at = self._doing.get(kind), time.time()
        try:
            fault = act() if act else self._kill(kind)
        except psutil.NoSuchProcess:
            return None  # it ended by itself
        except Exception as error:  # noqa: BLE001 - the soak goes on, and the report has it
            fault = Fault(kind, "could not be done", at, trouble=str(error), was_done=False)
        if fault is not None:
            self.done.append(fault)
        return fault

    def look(self) -> list[Fault]:
        """Note which faults are repaired by now; those that are not."""
        waiting = [fault for fault in self.done if fault.was_done and fault.repaired_at is None]
        troubles = self._processes.troubles()
        self.away = set(troubles)
        for fault in waiting:
            fault.trouble = self._trouble(fault, troubles)
            if not fault.trouble:
                fault.repaired_at = time.time()
        return [fault for fault in waiting if fault.repaired_at is None]

    def _trouble(self, fault: Fault, troubles: dict[str, str]) -> str:
        if troubles:
            return "; ".join(f"{name}: {trouble}" for name, trouble in troubles.items())
        if not fault.also():
            return "it is not answered for yet"
        about = [customer for customer in fault.about if customer in self._judge.customers]
        answers = self._ask(about or self._some())
        degraded = {answer.customer: answer.degraded for answer in answers if not answer.is_whole}
        if not answers:
            return "no answer"
        return f"answers are degraded: {dict(list(degraded.items())[:3])}" if degraded else ""

    def _some(self, number: int = ASKED) -> list[str]:
        return self._random.sample(self._judge.customers, min(number, len(self._judge.customers)))

    def _kill(self, kind: str) -> Fault | None:
        name = kind.removeprefix(plan.kill(""))
        process = self._processes.process(name)
        if process is None:
            return None
        fault = Fault(kind, f"process {process.pid}", time.time(), also=lambda: self._runs_anew(name, process.pid))
        process.kill()
        return fault

    def _runs_anew(self, name: str, before: int) -> bool:
        process = self._processes.process(name)
        return process is not None and process.pid != before

    def _kill_worker(self) -> Fault | None:
        workers = self._processes.workers()
        if not workers:
            return None
        fault = Fault(plan.kill("worker"), f"one of {len(workers)}", time.time())
        self._random.choice(workers).kill()
        return fault

    def _lose_keys(self) -> Fault:
        lost = self._some(self._random.choice((1, 3, MOST_LOST)))
        fault = Fault(plan.LOSE_KEYS, "", time.time(), lost)
        fault.detail = f"{self._store.delete_states(lost)} of {len(lost)} customers"
        return fault

    def _keep_copy(self) -> Fault:
        at = time.time()
        return Fault(plan.KEEP_COPY, self._store.keep_copy(), at)

    def _roll_back(self) -> Fault:
        fault = Fault(plan.ROLL_BACK, "", time.time(), self._some(MOST_LOST * 5))
        fault.detail = self._store.roll_back()
        return fault

    def _correct(self) -> Fault:
        at = time.time()
        version = self._correction.correct(self._some(4))
        about = self._correction.repriced
        return Fault(plan.CORRECT, self._correction.told, at, about, also=lambda: self._judge.has_taken_in(version))

    def _take_back(self) -> Fault:
        at = time.time()
        version = self._correction.take_back()
        touched = (*self._correction.erased, *self._correction.repriced)
        return Fault(plan.TAKE_BACK, self._correction.told, at, touched, also=lambda: self._judge.has_taken_in(version))

    def _delete_champion(self) -> Fault:
        fault = Fault(plan.DELETE_CHAMPION, self._registry.delete(), time.time())
        fault.also = self._is_rolled_back
        return fault

    def _is_rolled_back(self) -> bool:
        """The alias is back, and it is that model which answers."""
        if not self._registry.is_rolled_back():
            return False
        answers = self._ask(self._some(1))
        return [answer.model_id for answer in answers] == [self._registry.champion_id]
