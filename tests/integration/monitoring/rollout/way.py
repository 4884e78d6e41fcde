"""A rollout from its begin to its end, and what is left of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ml_modeling.registry import audit
from monitoring.control import RetrainRequest, Rollout, State
from monitoring.rollout.conducting import Taken, step
from monitoring.rollout.deciding import Action
from monitoring.rollout.work import Work
from tests.cases.rollouts import Case, Model


@dataclass(frozen=True)
class Way:
    """``asked`` is the request that ``challenger`` was trained for; ``policy`` is what ``model.yaml`` says."""

    case: Case
    champion: Model
    challenger: Model
    asked: RetrainRequest
    policy: Mapping[str, Any]

    @property
    def work(self) -> Work:
        return self.case.work(**self.policy)

    def pass_step(self, failed: int = 0) -> None:
        """Goes one step on, and gives that the time and the answers it needs."""
        self.case.step_passes(self.champion, self.challenger, traffic_of(step(self.work)), failed)

    def go_on(self) -> None:
        """Other conductors, after the lease of one who is dead, until nothing is left to do."""
        self.case.clock.jump(2 * self.case.place.lease)
        while (taken := step(self.work)).action is not None:
            if taken.action not in {Action.PROMOTE, Action.ROLL_BACK}:
                self.case.step_passes(self.champion, self.challenger, traffic_of(taken))

    def promotions(self) -> list[tuple[str, str | None]]:
        """What is completed of the audit trail."""
        records = audit.trail(self.case.settings, self.case.name)
        return [(record.action, record.to_version) for record in records if record.state == "completed"]

    def request_ends(self) -> list[State]:
        trail = self.case.store.requests.trail(self.asked.id)
        return [entry.to_state for entry in trail if entry.to_state.is_finished]

    def rollout_ends(self) -> list[str]:
        changes = self.case.store.rollouts.history(self.case.name)
        return [change.evidence["ended"] for change in changes if "ended" in change.evidence]

    def shares(self) -> list[int]:
        """The challenger's share, change by change."""
        return [change.traffic.share for change in reversed(self.case.store.rollouts.history(self.case.name))]


def way(case: Case, **policy: Any) -> Way:
    """One that waits for its begin."""
    champion = case.champion()
    case.say(champion, 200)
    challenger = case.model()
    return Way(case, champion, challenger, case.handed_over(challenger), policy)


def traffic_of(taken: Taken) -> Rollout:
    assert taken.rollout is not None, taken.why
    return taken.rollout
