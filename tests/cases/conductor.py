"""A process of its own that does one step of a rollout, and is killed with SIGKILL where it is told to be.

``python -m tests.cases.conductor USE_CASE CONTROL_URL NOW ROLLOUT [POINT]``: ``NOW`` is what the store's clock says,
``ROLLOUT`` a JSON document of what ``model.yaml`` says of it. Prints what the step did, if it comes to its end.
"""

import json
import sys
from datetime import datetime

from mlflow import MlflowClient

from ml_modeling.registry import promotion
from monitoring.control import ControlStore
from monitoring.control.requests import RetrainRequests
from monitoring.control.rollouts import Rollouts
from monitoring.rollout import conducting, ending
from monitoring.rollout.conducting import step
from tests.cases.control_stores import SetClock
from tests.cases.dying import Point, after, before, kill
from tests.cases.retrain_worker import ends_a_rollout
from tests.cases.rollouts import Case
from tidemill.config import load_settings

TRAFFIC: dict[str, Point] = {
    "traffic to change": before(Rollouts, "change"),
    "traffic changed": after(Rollouts, "change"),
}
"""Of any step that changes the traffic: its begin, a larger share, its end."""
PROMOTION: dict[str, Point] = {
    "promotion decided": before(conducting, "promote"),
    "promotion intended": after(promotion.audit, "intend"),
    "alias to move": before(MlflowClient, "set_registered_model_alias"),
    "alias moved": after(MlflowClient, "set_registered_model_alias"),
    "record to close": before(promotion.audit, "close"),
    "record closed": after(promotion.audit, "close"),
    "end to write": before(Rollouts, "change", ends_a_rollout),
    "end written": after(Rollouts, "change", ends_a_rollout),
}
TAKING_BACK: dict[str, Point] = {
    "challenger to dismiss": before(ending, "dismiss"),
    "challenger dismissed": after(ending, "dismiss"),
}
REQUEST: dict[str, Point] = {
    "request claimed": after(RetrainRequests, "claim"),
    "request to finish": before(RetrainRequests, "advance"),
    "request finished": after(RetrainRequests, "advance"),
}
POINTS = TRAFFIC | PROMOTION | TAKING_BACK | REQUEST
"""Where a conductor may be, in their order."""


def main(name: str, control_url: str, now: str, rollout: str, point: str = "") -> None:
    if point:
        POINTS[point](kill)
    clock = SetClock()
    clock.now = datetime.fromisoformat(now)
    with ControlStore(control_url, clock) as store:
        case = Case(load_settings(), control_url, store, clock, name)
        taken = step(case.work(**json.loads(rollout)))
    sys.stdout.write(f"{taken.action}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
