"""The steps of the demo: each does one part of the loop on the running stack and returns facts."""

import json
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any
from uuid import UUID

from tidemill.airflow_client import AirflowClient, DagRun
from tidemill.config.project import current_project
from tidemill.config.settings import Settings
from tidemill.demo.plan import Plan
from tidemill.demo.predictions import ask_for_predictions, ask_meanwhile
from tidemill.demo.process import run_json
from tidemill.demo.runner import Say, Step

CATCH_UP_S = 900
LIVE = "Send live events, faults among them, and ask for predictions meanwhile"
ASK = "Ask for more predictions"
COMPARE = "Airflow: were their features those of the lake? (feature_consistency)"
DAG_TIMEOUT_S = 1800.0


def demo_steps(plan: Plan) -> list[Step]:
    """The steps of ``plan``, in order."""
    live, cards = plan.live_arguments(), plan.cards_arguments()
    sending = _sending(plan, "live", live) if live else None
    return [
        Step("stack", "Start the local stack", partial(start_stack, plan.settings)),
        Step("history", "Send the shop's history to Kafka", _sending(plan, "history", plan.history_arguments())),
        *([Step("cards", "Send card payments and verdicts to Kafka", _sending(plan, "cards", cards))] if cards else []),
        Step("lake", "Wait until the lake has every event", partial(_reconcile, plan)),
        Step("gold", "Airflow: silver to gold (lakehouse_gold)", _dag(plan, "lakehouse_gold")),
        *(
            Step(f"retrain_{name}", f"Airflow: train, gate, promote (retrain_{name})", _retraining(plan, name))
            for name in plan.use_cases
        ),
        Step("predictions", "Ask for predictions over REST", partial(ask_for_predictions, plan)),
        Step("live", LIVE if sending else ASK, partial(ask_meanwhile, plan, sending)),
        Step("reconciled", "Reconcile broker and lake, predictions included", partial(_reconcile, plan)),
        Step("consistency", COMPARE, _dag(plan, "feature_consistency")),
    ]


def start_stack(settings: Settings, say: Say) -> Mapping[str, Any]:
    """Every service, ready."""
    from tidemill.stack.up import up

    started = up(settings, (), lambda progress: say(f"{progress.service}: {progress.phase} {progress.detail}"))
    return {"ready": started.ready, "already_running": started.already_running}


def _sending(plan: Plan, part: str, arguments: list[str]) -> Callable[[Say], Mapping[str, Any]]:
    return partial(_produce, plan, part, arguments)


def _produce(plan: Plan, part: str, arguments: list[str], say: Say) -> Mapping[str, Any]:
    facts: dict[str, Any] = run_json(plan.settings, arguments, plan.logs / f"{part}.log", say)
    folder = plan.folder / "produced"
    folder.mkdir(parents=True, exist_ok=True)
    name = f"live-{time.time_ns()}.json" if part == "live" else f"{part}.json"
    (folder / name).write_text(json.dumps(facts), encoding="utf-8")
    return facts


def _reconcile(plan: Plan, say: Say) -> Mapping[str, Any]:
    log = plan.logs / "reconcile.log"
    facts: dict[str, Any] = run_json(plan.settings, ["reconcile", "--wait", str(CATCH_UP_S)], log, say)
    return facts


def _retraining(plan: Plan, use_case: str) -> Callable[[Say], Mapping[str, Any]]:
    """Asks for a model, with no larger a search than the demo's size has room for, and has Airflow work that off."""
    from ml_modeling.use_case import load_use_case

    budget = load_use_case(use_case).spec.search
    search = [
        *("--trials", str(min(budget.trials, plan.size.trials))),
        *("--timeout", str(min(budget.timeout_s, plan.size.search_s))),
    ]

    def run(say: Say) -> Mapping[str, Any]:
        from monitoring.control import control_store
        from tidemill.following import Following

        log = plan.logs / f"request_{use_case}.log"
        line = ["retrain", "request", use_case, "--reason", "the demo", *search]
        asked = run_json(plan.settings, line, log, say)
        with control_store(plan.settings) as store:
            following = Following(store, UUID(asked["request_id"]), say)
            request = following.until_worked_off(lambda dag_id: _dag(plan, dag_id)(say))
        return {"state": request.state.value, "progress": dict(request.progress)}

    return run


def _dag(plan: Plan, dag_id: str, conf: Mapping[str, Any] | None = None) -> Callable[[Say], Mapping[str, Any]]:
    def run(say: Say) -> Mapping[str, Any]:
        with AirflowClient(plan.settings) as airflow:
            done = airflow.run(
                dag_id, conf, progress=lambda state: say(_task_states(state)), timeout_s=DAG_TIMEOUT_S, poll_s=1.0
            )
            done.raise_for_failure()
            succeeded = [task for task, state in done.tasks.items() if state == "success"]
            gold = current_project().gold_files()
            returned = {
                task: airflow.returned(done, task) for task in succeeded if task in gold or task.startswith(COMPARING)
            }
        return {"dag_run": done.run_id, "tasks": dict(done.tasks), "url": done.url, "returned": returned}

    return run


COMPARING = "compare_"


def _task_states(run: DagRun) -> str:
    return ", ".join(f"{task}: {state}" for task, state in run.tasks.items() if state not in (None, "success"))
