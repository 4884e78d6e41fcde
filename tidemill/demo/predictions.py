"""Asks the model server for predictions as a client would, once it serves the promoted champion."""

import itertools
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx

from tidemill.config.errors import TerminalError
from tidemill.config.settings import Settings
from tidemill.demo.plan import Plan
from tidemill.demo.process import end_commands
from tidemill.demo.runner import Say

USE_CASE = "churn"
STRANGER = "nobody-we-know"
KNOWN_CUSTOMERS = 5
MANY_CUSTOMERS = 500
A_REQUEST = 50
FEWEST_PREDICTIONS = 500
PAUSE_S = 0.5
READY_S = 60.0


class PredictionError(TerminalError):
    """The model server gave no answer, or one that the demo did not expect."""


def ask_for_predictions(plan: Plan, say: Say) -> Mapping[str, Any]:
    """Predictions for the customers who came last and for one nobody knows."""
    settings = plan.settings
    customers = _customers(settings, KNOWN_CUSTOMERS)
    with httpx.Client(base_url=settings.serving.url, timeout=10, trust_env=False) as http:
        _wait_for_champion(http, settings, say)
        started = time.perf_counter()
        answer = _ask(http, [*customers, STRANGER])
        latency_ms = (time.perf_counter() - started) * 1000
    _check(answer, customers)
    return answer | {"latency_ms": round(latency_ms, 2)}


def ask_meanwhile(plan: Plan, live: Callable[[Say], Mapping[str, Any]] | None, say: Say) -> Mapping[str, Any]:
    """Ask for predictions again and again while ``live`` sends events, so that some ask about what has just come.

    ``began`` of the facts is when, in Unix seconds.
    """
    customers = _customers(plan.settings, MANY_CUSTOMERS)
    batches = itertools.cycle([customers[first : first + A_REQUEST] for first in range(0, len(customers), A_REQUEST)])
    began, asked = time.time(), 0
    http = httpx.Client(base_url=plan.settings.serving.url, timeout=10, trust_env=False)
    with ThreadPoolExecutor(1) as pool, http:
        sending = pool.submit(live, say) if live else None
        try:
            for batch in batches:
                asked += len(_ask(http, batch)["predictions"])
                if asked >= FEWEST_PREDICTIONS and (sending is None or sending.done()):
                    break
                time.sleep(PAUSE_S)
        except BaseException:
            end_commands()  # the pool waits for what is being sent
            raise
        sent = sending.result() if sending else {}
    return {"began": began, "asked": asked, **sent}


def _customers(settings: Settings, number: int) -> list[str]:
    """Customers who bought or returned something last, by the gold table."""
    from data_lake.sql import connect

    sql = (
        "select customer_id from gold.customer_daily group by customer_id "
        "order by max(event_date) desc, customer_id limit ?"
    )
    with connect(settings, sql) as lake:
        customers = [str(customer) for (customer,) in lake.execute(sql, [number]).fetchall()]
    if not customers:
        raise PredictionError("gold/customer_daily has no customers: look at the DAG lakehouse_gold")
    return customers


def _ask(http: httpx.Client, customers: list[str]) -> dict[str, Any]:
    response = http.post(f"/predict/{USE_CASE}", json={"instances": [{"customer_id": one} for one in customers]})
    if response.status_code != httpx.codes.OK:
        raise PredictionError(f"POST /predict/{USE_CASE} answered {response.status_code}: {response.text[:300]}")
    answer: dict[str, Any] = response.json()
    return answer


def _wait_for_champion(http: httpx.Client, settings: Settings, say: Say) -> None:
    """Wait until the server answers with the registry's champion."""
    from ml_modeling.registry.aliases import CHAMPION
    from ml_modeling.registry.versions import behind_alias

    wanted = behind_alias(settings, USE_CASE, CHAMPION)
    if wanted is None:
        raise PredictionError(f"no champion of {USE_CASE}: the gate kept every model out, see the DAG train_churn")
    deadline = time.monotonic() + READY_S
    while time.monotonic() < deadline:
        response = http.get(f"/model-info/{USE_CASE}")
        if response.is_success and response.json()["model_id"] == wanted.model_id:
            return
        say(f"waiting for the model server to load version {wanted.version}")
        time.sleep(0.5)
    raise PredictionError(
        f"the model server did not load version {wanted.version} in {READY_S:.0f} s: `tidemill logs model-server`"
    )


def _check(answer: Mapping[str, Any], customers: list[str]) -> None:
    by_id = {prediction["customer_id"]: prediction for prediction in answer["predictions"]}
    degraded = {customer: by_id[customer]["degraded"] for customer in customers if by_id[customer]["degraded"]}
    if degraded:
        raise PredictionError(f"predictions for known customers are degraded: {degraded}; see /readyz")
    if not by_id[STRANGER]["degraded"]:
        raise PredictionError("a customer nobody knows got an answer that is not marked as a cold start")
