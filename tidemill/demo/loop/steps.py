"""The steps of the loop: each waits for what the platform does by itself, and fails where it does not."""

from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Any

import httpx

from monitoring.control import ControlStore, State
from tidemill.airflow_client import AirflowClient
from tidemill.demo.loop.asking import Asker
from tidemill.demo.loop.bad import BadModel
from tidemill.demo.loop.figures import compared
from tidemill.demo.loop.moments import Kind, Moment
from tidemill.demo.loop.payments import LivePayments, send_history
from tidemill.demo.loop.plan import AMOUNT, HISTORY_DAYS, LoopPlan
from tidemill.demo.loop.project import USE_CASE
from tidemill.demo.loop.timeline import INDENT, LoopError, Timeline
from tidemill.demo.predictions import wait_for_champion
from tidemill.demo.process import run_json
from tidemill.demo.runner import Say, Step
from tidemill.demo.steps import start_stack

TOPICS = ("payment.card_transaction.v1", "payment.card_verdict.v1")
DAGS = ("monitor", "retrain", "rollout")
CATCH_UP_S = 900.0
STAGE_S = 900.0
FAILURES = (Kind.REFUSED, Kind.FAILED, Kind.STOPPED, Kind.TAKEN_BACK)
FALSE_ALARMS = (Kind.DRIFT, Kind.REQUESTED)

Facts = Mapping[str, Any]


class Loop:
    """What the steps share: the timeline of what happens, the payments that are made, the answers to them."""

    def __init__(self, plan: LoopPlan, store: ControlStore, timeline: Timeline, asker: Asker) -> None:
        self.plan = plan
        self.timeline = timeline
        self.asker = asker
        self.payments = LivePayments(plan, asker)
        self._store = store
        self._bad_model = BadModel(plan.settings, plan.logs / "bad_model.log")
        self._bad_run = ""

    def steps(self) -> list[Step]:
        """All of them, in order."""
        return [
            Step("stack", "Start the local stack", partial(start_stack, self.plan.settings)),
            Step("history", f"Send {HISTORY_DAYS} days of card payments and verdicts", self._send_history),
            Step("lake", "Wait until the lake has them", self._reconcile),
            Step("first", "The first model: asked for by a person, trained and promoted by Airflow", self._first_model),
            Step("quiet", "Payments are made and asked about; Airflow looks for drift every two minutes", self._quiet),
            Step("drift", f"Amounts are {AMOUNT:g} times what they were: Airflow finds the drift", self._drift),
            Step("trained", "Airflow trains on the new days", self._trained),
            Step("gated", "The new model and the champion before the gates, on the new days", self._gated),
            Step("promoted", "The canary, step by step", self._promoted),
            Step("refused", "A bad model, trained by a person: the gates say no", self._refused),
            Step("taken_back", "The person pushes it past the gates, and a guard takes it back", self._taken_back),
            Step("trail", "The trail of who did what", self._trail),
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
        promoted = self._until(Kind.PROMOTED, say)
        with httpx.Client(base_url=self.plan.settings.serving.url, timeout=10, trust_env=False) as http:
            wait_for_champion(http, self.plan.settings, USE_CASE, say)
        return promoted

    def _quiet(self, say: Say) -> Facts:
        """Until behaviour changes: what is found before that is a false alarm."""
        self.timeline.begin_phase()
        self.payments.start()
        self._until(Kind.PLANTED, say, bad=(*FALSE_ALARMS, *FAILURES), check=partial(self._tell_of_change, say))
        looks = [moment for moment in self.timeline.phase if moment.kind is Kind.QUIET_LOOK]
        if not looks:
            raise LoopError("nobody looked for drift before anything had changed: `tidemill logs airflow-scheduler`")
        return {"looks": len(looks)}

    def _tell_of_change(self, say: Say) -> None:
        at = self.payments.planted_at
        if at is not None:
            text = f"behaviour changes: from here on every amount is {AMOUNT:g} times what it would have been"
            self.timeline.tell(Moment(at, Kind.PLANTED, text, "planted"), say.keep)

    def _drift(self, say: Say) -> Facts:
        self.timeline.begin_phase()
        return {**self._until(Kind.DRIFT, say), **self._until(Kind.REQUESTED, say)}

    def _trained(self, say: Say) -> Facts:
        self._until(Kind.CLAIMED, say)
        return self._until(Kind.TRAINED, say)

    def _gated(self, say: Say) -> Facts:
        self._until(Kind.PASSED, say)
        request = self._store.requests.newest(USE_CASE, limit=1)[0]
        told = compared(self.plan.settings, USE_CASE, request.progress[State.GATED.value]["run_id"])
        say.keep(f"{INDENT}{told}")
        return {"compared": told}

    def _promoted(self, say: Say) -> Facts:
        self._until(Kind.BEGUN, say)
        return self._until(Kind.PROMOTED, say)

    def _refused(self, say: Say) -> Facts:
        self._bad_run = self._bad_model.train(say)
        return {"run_id": self._bad_run}

    def _taken_back(self, say: Say) -> Facts:
        self.timeline.begin_phase()
        version = self._bad_model.push(self._bad_run, say)
        return {"version": version, **self._until(Kind.TAKEN_BACK, say, bad=(Kind.PROMOTED, Kind.STOPPED))}

    def _trail(self, say: Say) -> Facts:
        self.payments.stop()
        return {"history": self._tidemill(["models", "history", USE_CASE], "history", say)}

    def _until(
        self,
        kind: Kind,
        say: Say,
        *,
        bad: Collection[Kind] = FAILURES,
        check: Callable[[], None] = lambda: None,
    ) -> Facts:
        def look() -> None:
            check()
            self._check_payments(say)

        moment = self.timeline.until(kind, STAGE_S, bad=bad, keep=say.keep, check=look)
        return {kind.value: moment.at.isoformat()}

    def _check_payments(self, say: Say) -> None:
        if self.payments.has_begun:
            self.payments.check()
            asked = self.asker.asked()
            say(f"{asked.requests:,} requests to the model server, {asked.failed:,} failed")

    def _tidemill(self, line: list[str], log: str, say: Say) -> Any:
        return run_json(self.plan.settings, line, self.plan.logs / f"{log}.log", say)
