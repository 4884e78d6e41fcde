"""The steps of the loop: each waits for what the platform does by itself, and fails where it does not."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from tidemill.airflow_client import AirflowClient
from tidemill.demo.loop.asking import Asker
from tidemill.demo.loop.moments import Kind, Moment
from tidemill.demo.loop.payments import LivePayments, send_history
from tidemill.demo.loop.plan import AMOUNT, HISTORY_DAYS, LoopPlan
from tidemill.demo.loop.project import USE_CASE
from tidemill.demo.loop.timeline import LoopError, Timeline
from tidemill.demo.process import run_json
from tidemill.demo.runner import Say, Step
from tidemill.demo.steps import start_stack

TOPICS = ("payment.card_transaction.v1", "payment.card_verdict.v1")
DAGS = ("monitor", "retrain", "rollout")
CATCH_UP_S = 900.0
FIRST_MODEL_S = 900.0
QUIET_S = 900.0
STAGE_S = 600.0
ROLLOUT_S = 900.0

Facts = Mapping[str, Any]


class Loop:
    """What the steps share: the timeline of what happens, the payments that are made, the answers to them."""

    def __init__(self, plan: LoopPlan, timeline: Timeline, asker: Asker) -> None:
        self.plan = plan
        self.timeline = timeline
        self.asker = asker
        self.payments = LivePayments(plan, asker)

    def steps(self) -> list[Step]:
        """All of them, in order."""
        return [
            Step("stack", "Start the local stack", partial(start_stack, self.plan.settings)),
            Step("history", f"Send {HISTORY_DAYS} days of card payments and verdicts", self._send_history),
            Step("lake", "Wait until the lake has them", self._reconcile),
            Step("first", "The first model: asked for, trained and promoted by Airflow's DAGs", self._first_model),
            Step("quiet", "Payments are made and asked about; Airflow looks for drift every minute", self._quiet),
            Step("drift", f"Amounts are {AMOUNT:g} times what they were: Airflow finds the drift", self._drift),
            Step("trained", "Airflow claims the request and trains on the new days", self._waits(Kind.TRAINED)),
            Step("gated", "Both models before the gates, on the new days", self._waits(Kind.PASSED)),
            Step("promoted", "The canary, step by step", self._promoted),
        ]

    def _send_history(self, say: Say) -> Facts:
        sent = send_history(self.plan, lambda position: say(f"day {position} of {HISTORY_DAYS}"))
        return {"sent": sent.total}

    def _reconcile(self, say: Say) -> Facts:
        topics = [argument for topic in TOPICS for argument in ("--topic", topic)]
        facts: Facts = self._tidemill(["reconcile", "--wait", f"{CATCH_UP_S:.0f}", *topics], "reconcile", say)
        return facts

    def _first_model(self, say: Say) -> Facts:
        with AirflowClient(self.plan.settings) as airflow:
            for dag in DAGS:
                airflow.wait_for_dag(f"{dag}_{USE_CASE}")
                airflow.unpause(f"{dag}_{USE_CASE}")
        self._tidemill(["retrain", "request", USE_CASE, "--reason", "there is no model yet"], "request", say)
        return self._waits(Kind.PROMOTED, FIRST_MODEL_S)(say)

    def _quiet(self, say: Say) -> Facts:
        """Until behaviour changes; what is found before is a false alarm."""
        self.timeline.keep = say.keep
        self.payments.start()
        looks = 0

        def check() -> None:
            self._check(say)
            planted = self.payments.planted_at
            if planted is not None:
                text = f"behaviour changes: from here on every amount is {AMOUNT:g} times what it was"
                raise _Planted(Moment(planted, Kind.PLANTED, text, "planted"))

        try:
            while True:
                self.timeline.until(Kind.QUIET_LOOK, QUIET_S, check, bad=set(Kind) - {Kind.QUIET_LOOK})
                looks += 1
        except _Planted as planted:
            self.timeline.tell(planted.moment)
        if not looks:
            raise LoopError("nobody looked for drift while nothing had changed: `tidemill logs airflow-scheduler`")
        return {"looks": looks}

    def _drift(self, say: Say) -> Facts:
        self._waits(Kind.DRIFT)(say)
        return self._waits(Kind.REQUESTED)(say)

    def _promoted(self, say: Say) -> Facts:
        self._waits(Kind.BEGUN)(say)
        return self._waits(Kind.PROMOTED, ROLLOUT_S, bad=set(BAD) | {Kind.TAKEN_BACK})(say)

    def _waits(self, kind: Kind, within_s: float = STAGE_S, bad: set[Kind] | None = None) -> Callable[[Say], Facts]:
        def run(say: Say) -> Facts:
            self.timeline.keep = say.keep
            moment = self.timeline.until(kind, within_s, lambda: self._check(say), bad=bad or BAD)
            return {"at": moment.at.isoformat(), "text": moment.text}

        return run

    def _check(self, say: Say) -> None:
        """Payments go on, once they have begun, and no request fails."""
        if not self.payments.has_begun:
            return
        self.payments.check()
        asked = self.asker.asked()
        say(f"{asked.requests:,} requests, {asked.failed} failed")

    def _tidemill(self, line: list[str], log: str, say: Say) -> Any:
        return run_json(self.plan.settings, line, self.plan.logs / f"{log}.log", say)


BAD = {Kind.FAILED, Kind.REFUSED, Kind.STOPPED, Kind.TAKEN_BACK}


class _Planted(Exception):  # noqa: N818 - what happened, not what went wrong
    def __init__(self, moment: Moment) -> None:
        super().__init__()
        self.moment = moment
