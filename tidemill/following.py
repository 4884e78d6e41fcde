"""Following a retrain request: each thing that happens to it is told, until it has come far enough."""

import time
from collections.abc import Callable
from uuid import UUID

from monitoring.control import ControlStore, ControlStoreAwayError, RetrainRequest, Transition
from monitoring.retraining.order import TO_WORK_OFF
from tidemill.config import strict_json

POLL_S = 1.0
PATIENCE_S = 60.0
"""So long is nothing said of a request that nobody takes."""


class Following:
    """Tells ``say`` each transition of a request once, while it waits.

    A store that is away meanwhile is asked again: what is waited for does not depend on it.
    """

    def __init__(self, store: ControlStore, request_id: UUID, say: Callable[[str], object]) -> None:
        self._store = store
        self._request_id = request_id
        self._say = say
        self._told = 0

    def until_worked_off(self, run: Callable[[str], object]) -> RetrainRequest:
        """The request when it is finished or its rollout has begun.

        ``run`` runs a DAG to its end: ``retrain_<use case>``, as long as a request of the use case waits. Which run
        works this one off is open, since each takes the oldest, and one of the schedule may be quicker.
        """

        def is_over(request: RetrainRequest) -> bool:
            if request.state not in TO_WORK_OFF:
                return True
            if self._store.requests.waiting(request.use_case, TO_WORK_OFF) is not None:
                run(f"retrain_{request.use_case}")
            return False

        return self._until(is_over)

    def until_finished(self) -> RetrainRequest:
        """The request when nothing more becomes of it."""
        since = time.monotonic()

        def is_over(request: RetrainRequest) -> bool:
            nonlocal since
            if request.holder is None and time.monotonic() - since > PATIENCE_S:
                self._say(_nobody(request))
                since = time.monotonic()
            return request.state.is_finished

        return self._until(is_over)

    def _until(self, is_over: Callable[[RetrainRequest], bool]) -> RetrainRequest:
        while True:
            try:
                request = self._look()
                if is_over(request):
                    return request
            except ControlStoreAwayError as error:
                self._say(str(error))
            time.sleep(POLL_S)

    def _look(self) -> RetrainRequest:
        request, trail = self._store.requests.get(self._request_id), self._store.requests.trail(self._request_id)
        for transition in trail[self._told :]:
            self._say(_told(transition))
        self._told = len(trail)
        return request


def _told(transition: Transition) -> str:
    what = transition.to_state if transition.from_state is not transition.to_state else "noted"
    detail = {name: value for name, value in transition.detail.items() if name not in {"checks", "policy"}}
    said = strict_json.dumps(detail, default=str) if detail else ""
    return f"{transition.at:%F %T} {what} by {transition.actor} {said}".rstrip()


def _nobody(request: RetrainRequest) -> str:
    return (
        f"nobody works on it: take the DAG retrain_{request.use_case} out of pause, "
        f"or do it here by `tidemill retrain run {request.use_case}`"
    )
